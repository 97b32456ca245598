"""How a plan looks on a terminal, or in a file."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tally.cli.plan.advice import Advice, Change
from tally.cli.plan.bill import MONTH_S, Item, total_usd
from tally.cli.plan.checks import Check
from tally.cli.plan.model import Figures
from tally.cli.plan.report import Report, monthly_usd
from tally.cli.plan.settings import PRICES_AS_OF, Prices
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

MS = 1_000
"""In a second."""

WHOLE_FROM = 100
"""From here on a figure is shown without a fraction; below, with three digits."""

LEAST = 0.001
"""Below, how little it is matters to nobody."""


def show(report: Report) -> None:
    """Everything, on stdout."""
    out = Console(markup=False, emoji=False, highlight=False)
    _show(out, _figures(report))
    _show(out, _bill(report.bill))
    say_wrapped(out, _prices(report.settings.prices))
    _show(out, _checks(report.checks))
    for note in report.notes:
        say_wrapped(out, f"Note: {note}")
    out.print(*_verdict(report), sep="\n", soft_wrap=True)


def _show(out: Console, table: Table) -> None:
    """A table, none of whose cells is wrapped: some of the words are numbers."""
    for column in table.columns:
        column.no_wrap = True
    say_table(out, table, heading=str(table.title or table.columns[0].header))


def _figures(report: Report) -> Table:
    told = report.settings
    table = Table(title=f"{number(told.events_per_s)} events/s, {told.counters:,} counters")
    table.add_column("expected")
    table.add_column(justify="right")
    table.add_column()
    for name, value, more in _rows(report.figures, told.window_s):
        table.add_row(name, number(value), more)
    return table


def _rows(figures: Figures, window_s: int) -> Iterator[tuple[str, float, str]]:
    """What each figure is, the figure, and what belongs to it."""
    batches, momento, function = figures.batches, figures.momento, figures.function
    each = number(batches.messages), number(batches.events), number(batches.counters)
    reads, lost = number(momento.reads_per_s), number(momento.lost_races_per_s)
    costs = number(momento.operations_a_batch), number(momento.operations_an_event)
    yield "messages/s", batches.messages_per_s, f"of {batches.message_bytes:,} bytes"
    yield "batches/s", batches.batches_per_s, "of {} messages, {} events, {} counters".format(*each)
    yield "ms a batch", function.duration_s * MS, f"a full one {number(function.longest_s * MS)}"
    yield "counter writes/s", momento.writes_per_s, f"with {reads} reads and {lost} lost races"
    yield "Momento operations/s", momento.operations_per_s, "{} a batch, {} an event".format(*costs)
    yield "bytes of a value", momento.value_bytes, f"billed as {momento.value_chunks:,} x 1,024"
    yield "s until counted", window_s + function.duration_s, "or less, while there is no backlog"


def _checks(checks: list[Check]) -> Table:
    table = Table("limit", "load", "at most", "unit", "verdict")
    table.columns[1].justify = table.columns[2].justify = "right"
    for each in checks:
        verdict, style = ("fits", None) if each.fits else ("too much", "red")
        texts = (each.name, number(each.value), number(each.limit), each.unit, verdict)
        table.add_row(*texts, style=style)
    return table


def _verdict(report: Report) -> list[str]:
    if report.fits:
        return ["It fits."]
    if not report.advice:
        return ["It does not fit, and no change of one or two settings makes it fit."]
    ways = [f"  {_way(advice)}" for advice in report.advice]
    return ["It does not fit. Any one of these makes it fit:", *ways]


def _way(advice: Advice) -> str:
    """Such as `window 1 s -> 4 s brings operations to 78 /s; $1.20 a month`."""
    changes = " and ".join(_change(each) for each in advice.changes)
    mended = ", ".join(f"{each.name} to {number(each.value)} {each.unit}" for each in advice.checks)
    verb = "bring" if len(advice.changes) > 1 else "brings"
    return f"{changes} {verb} {mended}; ${monthly_usd(advice.settings):,.2f} a month"


def _change(change: Change) -> str:
    name, unit = SETTINGS[change.setting]
    values = (_value(each) for each in (change.before, change.after))
    return f"{name} " + " -> ".join(f"{value} {unit}".rstrip() for value in values)


def _value(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _bill(items: list[Item]) -> Table:
    table = Table(f"a month of {MONTH_S // 3_600} h", "", "units", "price, $", "$")
    for column in table.columns[2:]:
        column.justify = "right"
    for item in items:
        usd = "" if item.price_usd is None else f"{item.usd:,.2f}"
        table.add_row(item.service, item.what, number(item.units), _price(item), usd)
    table.add_section()
    table.add_row("total", "", "", "", f"{total_usd(items):,.2f}")
    return table


def _price(item: Item) -> str:
    if item.price_usd is None:
        return "not known"
    digits = f"{item.price_usd:.10f}".rstrip("0").rstrip(".")
    return f"{digits} a million" if item.price_units > 1 else digits


def _prices(prices: Prices) -> str:
    given = vars(prices) != vars(Prices())
    which = "Prices that were not given" if given else "Prices"
    return f"{which} are defaults read up to {PRICES_AS_OF}; no free tier is taken off."


def number(value: float) -> str:
    """A figure with no more digits than it deserves."""
    if value >= WHOLE_FROM or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= LEAST else f"< {LEAST}"
