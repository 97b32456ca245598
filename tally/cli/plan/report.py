"""How a plan looks: on a terminal, in a file, and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from tally.cli.plan.bill import MONTH_S, BillLine, bill, total_usd
from tally.cli.plan.figures import Figures
from tally.cli.plan.limits import Advice, Change, Limit, advise, limits, misfits, notes
from tally.cli.plan.load import PRICES_AS_OF, Prices
from tally.cli.tables import say_table, say_wrapped

SETTINGS = {
    "window_s": ("window", "s"),
    "batch_size": ("batch size", "messages"),
    "consumers": ("consumers", ""),
    "packed": ("increments in a message", ""),
    "memory_mb": ("memory", "MB"),
    "timeout_s": ("timeout", "s"),
    "identity": ("identity", ""),
    "sources": ("sources of a counter", ""),
    "quota_per_s": ("quota", "/s"),
}
"""The settings that advice changes, as people say them, and their units."""

FIGURES = {
    "batches": (
        *("messages_per_s", "message_bytes", "batches_per_s", "messages", "events", "counters"),
        *("between_s", "most_messages", "in_flight", "in_flight_failing"),
    ),
    "momento": (
        *("writes_per_s", "reads_per_s", "lost_races_per_s", "operations_per_s"),
        *("operations_a_batch", "operations_an_event", "contention", "value_bytes"),
        *("value_chunks", "stored_bytes", "transferred_bytes_per_s"),
    ),
    "function": ("fold_s", "duration_s", "longest_s", "capacity_per_s"),
}
"""The figures for programs, in groups."""

MS = 1_000
"""In a second."""

WHOLE_FROM = 100
"""From this value on, a figure is shown without a fraction; below, with three digits."""

LEAST = 0.001
"""A smaller figure is shown only as less than this."""


def show(figures: Figures) -> None:
    """Everything, on stdout."""
    out = Console(markup=False, emoji=False, highlight=False)
    _show(out, _figures(figures))
    lines = bill(figures)
    _show(out, _bill(lines))
    say_wrapped(out, _prices(figures.load.prices, lines))
    _show(out, _limits(limits(figures)))
    for note in notes(figures):
        say_wrapped(out, f"Note: {note}")
    out.print(*_verdict(figures), sep="\n", soft_wrap=True)


def as_json(figures: Figures) -> dict[str, Any]:
    """The plan for programs: figures as they were computed, with their units in their names."""
    lines = bill(figures)
    return {
        "fits": not misfits(figures),
        "settings": asdict(figures.load),
        "default_prices_as_of": PRICES_AS_OF,
        "figures": {
            group: {name: getattr(figures, name) for name in names}
            for group, names in _groups(figures).items()
        },
        "checks": _limits_json(limits(figures)),
        "notes": notes(figures),
        "advice": [
            {
                "changes": [asdict(change) for change in each.changes],
                "checks": _limits_json(each.mended),
                "usd_a_month": total_usd(bill(each.figures)),
            }
            for each in advise(figures)
        ],
        "bill": [asdict(line) | {"usd": line.usd} for line in lines],
        "usd_a_month": total_usd(lines),
    }


def _groups(figures: Figures) -> dict[str, tuple[str, ...]]:
    """The figures of FIGURES; for a table under its own name, with its units apart."""
    if not figures.load.durable:
        return FIGURES
    units = ("write_units_per_s", "read_units_per_s", "hottest_write_units_per_s")
    table = {"table": (*FIGURES["momento"], *units, "copy_operations_per_s")}
    return {name: names for name, names in FIGURES.items() if name != "momento"} | table


def _limits_json(shown: list[Limit]) -> list[dict[str, Any]]:
    return [asdict(each) | {"fits": each.fits} for each in shown]


def _show(out: Console, table: Table) -> None:
    """A table without wrapped cells: some of their words are numbers."""
    for column in table.columns:
        column.no_wrap = True
    say_table(out, table, heading=str(table.title or table.columns[0].header))


def _figures(figures: Figures) -> Table:
    load = figures.load
    table = Table(title=f"{number(load.events_per_s)} events/s, {load.counters:,} counters")
    table.add_column("expected")
    table.add_column(justify="right")
    table.add_column()
    for name, value, more in _rows(figures):
        table.add_row(name, number(value), more)
    return table


def _rows(figures: Figures) -> Iterator[tuple[str, float, str]]:
    """The rows: each figure's name, the figure, and a remark."""
    each = number(figures.messages), number(figures.events), number(figures.counters)
    reads, lost = number(figures.reads_per_s), number(figures.lost_races_per_s)
    costs = number(figures.operations_a_batch), number(figures.operations_an_event)
    quietly = number(figures.until_counted_quietly_s)
    yield "messages/s", figures.messages_per_s, f"of {figures.message_bytes:,} bytes"
    yield "batches/s", figures.batches_per_s, "of {} messages, {} events, {} counters".format(*each)
    yield "ms a batch", figures.duration_s * MS, f"a full one {number(figures.longest_s * MS)}"
    yield "counter writes/s", figures.writes_per_s, f"with {reads} reads and {lost} lost races"
    if figures.load.durable:
        writes = number(figures.write_units_per_s / figures.load.events_per_s)
        yield "write units/s", figures.write_units_per_s, f"{writes} an event"
        yield "read units/s", figures.read_units_per_s, "consistent, for each 4,096 bytes"
    else:
        what = "{} a batch, {} an event".format(*costs)
        yield "Momento operations/s", figures.operations_per_s, what
    yield "bytes of a value", figures.value_bytes, f"billed as {figures.value_chunks:,} x 1,024"
    quiet = f"no backlog; up to {quietly} with little traffic"
    yield "s until counted", figures.until_counted_s, quiet


def _limits(shown: list[Limit]) -> Table:
    table = Table("limit", "load", "at most", "unit", "verdict")
    table.columns[1].justify = table.columns[2].justify = "right"
    for each in shown:
        verdict, style = ("fits", None) if each.fits else ("too much", "red")
        texts = (each.name, number(each.value), number(each.limit), each.unit, verdict)
        table.add_row(*texts, style=style)
    return table


def _verdict(figures: Figures) -> list[str]:
    if not misfits(figures):
        return ["It fits."]
    ways = [f"  {_way(advice)}" for advice in advise(figures)]
    if not ways:
        return ["It does not fit, and no change of settings was found that makes it fit."]
    return [f"It does not fit. {'Any one of these' if ways[1:] else 'This'} makes it fit:", *ways]


def _way(advice: Advice) -> str:
    """Such as `window 1 s -> 4 s brings operations to 78 /s; $1.20 a month`."""
    changes = " and ".join(", ".join(map(_change, advice.changes)).rsplit(", ", 1))
    mended = ", ".join(f"{each.name} to {number(each.value)} {each.unit}" for each in advice.mended)
    verb = "bring" if len(advice.changes) > 1 else "brings"
    return f"{changes} {verb} {mended}; ${total_usd(bill(advice.figures)):,.2f} a month"


def _change(change: Change) -> str:
    name, unit = SETTINGS[change.setting]
    values = (_value(each) for each in (change.before, change.after))
    return f"{name} " + " -> ".join(f"{value} {unit}".rstrip() for value in values)


def _value(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _bill(lines: list[BillLine]) -> Table:
    headers = ("", "", "units", "price, $", "$")
    table = Table(*headers, title=f"a month of {MONTH_S // 3_600} h")
    for column in table.columns[2:]:
        column.justify = "right"
    for line in lines:
        usd = "" if line.price_usd is None else f"{line.usd:,.2f}"
        table.add_row(line.service, line.what, number(line.units), _price(line), usd)
    table.add_section()
    table.add_row("total", "", "", "", f"{total_usd(lines):,.2f}")
    return table


def _price(line: BillLine) -> str:
    if line.price_usd is None:
        return "not known"
    digits = f"{line.price_usd:.10f}".rstrip("0").rstrip(".")
    return f"{digits} a million" if line.price_units > 1 else digits


def _prices(prices: Prices, lines: list[BillLine]) -> str:
    given = vars(prices) != vars(Prices())
    which = "Prices that were not given" if given else "Prices"
    defaults = f"{which} are defaults read up to {PRICES_AS_OF}; no free tier is taken off."
    unknown = [f"{line.service}'s {line.what}" for line in lines if line.price_usd is None]
    missing = f" The total is without {' and '.join(unknown)}." if unknown else ""
    return defaults + missing


def number(value: float) -> str:
    """A figure with as many digits as make sense."""
    if value >= WHOLE_FROM or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= LEAST else f"< {LEAST}"
