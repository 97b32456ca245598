"""How a plan looks on a terminal, or in a file."""

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.style import StyleType
from rich.table import Table

from tally.cli.plan.advice import Advice, Change
from tally.cli.plan.bill import MONTH_S, Item, total_usd
from tally.cli.plan.checks import Check
from tally.cli.plan.model import Figures
from tally.cli.plan.report import Report, monthly_usd
from tally.cli.plan.settings import PRICES_AS_OF, Prices

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

WIDEST = 1_000
"""Columns of a terminal that no table needs."""

MS = 1_000
"""In a second."""

WHOLE_FROM = 100
"""From here on a figure is shown without a fraction; below, with three digits."""

LEAST = 0.001
"""Below, how little it is matters to nobody."""


def show(report: Report) -> None:
    """Everything, on stdout."""
    out = Console(markup=False, emoji=False, highlight=False)
    _print(out, _figures(report))
    _print(out, _bill(report.bill))
    _say(out, _prices(report.settings.prices))
    _print(out, _checks(report.checks))
    for note in report.notes:
        _say(out, f"Note: {note}")
    out.print(*_verdict(report), sep="\n", soft_wrap=True)


def _print(out: Console, table: Table) -> None:
    """The table; or, on a terminal too narrow for it, a line for each row.

    There rich would cut cells off, and a number without its end is another number.
    """
    wide = out.options.update(max_width=WIDEST)
    if out.measure(table, options=wide).maximum <= out.width:
        out.print(table)
        return
    headers = [str(column.header) for column in table.columns]
    _say(out, str(table.title or headers[0]))
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for row, cells in zip(table.rows, rows, strict=True):
        pairs = list(zip(headers, map(str, cells), strict=True))[1:]
        told = "; ".join(f"{header} {cell}".lstrip() for header, cell in pairs if cell)
        _say(out, f"{cells[0]}: {told}", row.style, indent="  ")


def _say(out: Console, text: str, style: StyleType | None = None, indent: str = "") -> None:
    """A text, wrapped between words; a word longer than the terminal is left whole."""
    lines = textwrap.wrap(
        text,
        out.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    out.print(*lines, sep="\n", style=style, soft_wrap=True)


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
