"""How the demo looks: a live view on a terminal, plain lines elsewhere, a table in the end."""

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tally.cli.demo.run import Demo, Look
from tally.cli.demo.verdict import Verdict
from tally.cli.output import chatter, counted

LINE_EVERY_S = 2.0
"""The time between two plain lines, in seconds."""

BAR_CHARS = 60

MAX_SHOWN_COUNTERS = 12
"""Rows of the last table: the wrong counters first, then the hottest."""


def watch(demo: Demo, *, plain: bool) -> None:
    """Show how far the demo is until it is at rest."""
    if plain:
        _watch_plain(demo)
        return
    with Live(console=chatter(), transient=True, auto_refresh=False) as live:
        for look in demo.looks():
            live.update(_panel(look), refresh=True)


def show(verdict: Verdict) -> None:
    """The table, the dead letters, and the verdict, on stdout."""
    out = Console(markup=False, emoji=False, highlight=False)
    out.print(_counters(verdict))
    for letter in verdict.dead_letters:
        out.print(f"dead letter: {letter.what}: {letter.reason}", soft_wrap=True)
    for line in _figures(verdict):
        out.print(line, soft_wrap=True)
    out.print(f"{verdict.exact} of {len(verdict.counters)} counters exact", style="bold")
    if not verdict.is_right:
        out.print("Something is off.", style="bold red")


def _figures(verdict: Verdict) -> list[str]:
    rate = verdict.events / verdict.seconds if verdict.seconds else 0
    duplicates, lost = (verdict.metrics.get(name, 0) for name in ("EventsDuplicate", "SwapsLost"))
    an_event = verdict.operations / verdict.events
    return [
        f"{verdict.events:,} increments in {verdict.messages:,} messages",
        f"counted in {verdict.seconds:.1f} s: {rate:,.0f} events/s",
        f"{verdict.redelivered} messages delivered again",
        f"{verdict.kills} consumers killed in mid-batch",
        f"{duplicates:,} duplicates absorbed, {lost:,} swaps lost and decided again",
        f"{verdict.operations:,} Momento operations: {an_event:.3f} an event",
    ]


def _watch_plain(demo: Demo) -> None:
    next_line_s = 0.0
    latest, is_shown = None, True
    for latest in demo.looks():
        is_shown = latest.seconds >= next_line_s
        if is_shown:
            next_line_s = latest.seconds + LINE_EVERY_S
            _print_line(latest)
    if latest and not is_shown:
        _print_line(latest)


def _print_line(look: Look) -> None:
    rows = (f"{name} {value}" for name, value in _rows(look))
    line = ", ".join([*rows, *_waiting(look)])
    chatter().print(f"{look.seconds:5.1f} s  {line}", soft_wrap=True)


def _panel(look: Look) -> Group:
    bar = Table.grid()  # a bar alone ends without a line break
    bar.add_row(ProgressBar(total=look.events, completed=look.counted, width=BAR_CHARS))
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(look):
        table.add_row(name, value)
    for why in sorted({one.why for one in look.seen.returned.values()}):
        table.add_row("returned", why)
    for text in _waiting(look):
        table.add_row("", text)
    return Group(bar, table)


def _rows(look: Look) -> list[tuple[str, str]]:
    metrics = look.seen.metrics
    return [
        ("published", f"{look.published:,}"),
        ("counted", f"{look.counted:,}"),
        ("events/s", f"{look.counted / look.counted_s if look.counted_s else 0:,.0f}"),
        ("swaps lost", f"{metrics['SwapsLost']:,}"),
        ("duplicates absorbed", f"{metrics['EventsDuplicate']:,}"),
        ("consumers killed", str(look.kills)),
        ("dead letters", str(look.depth.dead)),
    ]


def _waiting(look: Look) -> list[str]:
    """What is left to wait for, once that is only dead letters."""
    awaited = look.bad - look.depth.dead
    if not look.is_decided or awaited <= 0:
        return []
    return [f"all decided; waiting for {counted(awaited, 'dead letter')}"]


def _counters(verdict: Verdict) -> Table:
    table = Table("counter", "increments", "bound", "must be", "is")
    for column in table.columns[1:]:
        column.justify = "right"
    wrong = verdict.wrong
    right = [entry for entry in verdict.counters if entry not in wrong]
    for counter, count in (*wrong, *right)[:MAX_SHOWN_COUNTERS]:
        bound = counter.maximum if counter.minimum is None else counter.minimum
        figures = (counter.events, bound, counter.expected, count)
        texts = ("" if figure is None else f"{figure:,}" for figure in figures)
        table.add_row(counter.name, *texts, style="red" if count != counter.expected else None)
    if len(verdict.counters) > MAX_SHOWN_COUNTERS:
        table.add_row(f"… {len(verdict.counters) - MAX_SHOWN_COUNTERS} more")
    return table
