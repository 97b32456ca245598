"""`tally demo`: 100,000 increments through SQS, three consumers and faults, to exact counts."""

import sys
from typing import Annotated

import msgspec
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tally.cli.demo.run import Demo, Look, Options
from tally.cli.demo.verdict import judge, show
from tally.cli.output import (
    FAILED,
    INTERRUPTED,
    OK,
    Output,
    chatter,
    counted,
    fail,
    refuse,
    say_json,
)
from tally.cli.signals import interruptible
from tally.counters.errors import TallyError
from tally.local.child import ChildError
from tally.local.stack import StoreKind
from tally.local.watch import Watch
from tally.publishing.sequence import now_ms

LINE_EVERY_S = 2.0
"""The time between two plain lines, in seconds."""

BAR_CHARS = 60


Durable = Annotated[
    bool,
    typer.Option(
        "--durable", help="Have a table of DynamoDB decide; the store is the cache before it."
    ),
]


def demo(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    events: Annotated[int, typer.Option(min=1, help="Increments to publish.")] = 100_000,
    counters: Annotated[int, typer.Option(min=1, help="Counters they are for.")] = 100,
    consumers: Annotated[int, typer.Option(min=2, max=16, help="Consumer processes.")] = 3,
    seed: Annotated[int, typer.Option(help="Draws the order and the lost deletes.")] = 1,
    store: Annotated[StoreKind, typer.Option(help="Where the counters live.")] = StoreKind.MOMENTO,
    durable: Durable = False,  # noqa: FBT002 (typer makes an option of it)
    output: Annotated[Output, typer.Option(help="What stdout is for.")] = Output.TEXT,
) -> None:
    """Publish, lose deletes, kill two consumers, send bad messages; then check every count.

    Everything runs on this machine; Valkey is a real server found on it. With a table, the
    cache before it is also emptied twice, and away once. Exit status 1 if a count is wrong, or a
    message is lost.
    """
    if events < counters:
        refuse(f"{counters} counters need at least as many --events")
    options = Options(events, counters, consumers, seed, store, durable)
    try:
        with interruptible(), Demo(options, Watch(), now_ms=now_ms()) as running:
            watch(running, plain=output is Output.JSON or not sys.stderr.isatty())
            verdict = judge(running)
    except (ChildError, TallyError, BotoCoreError, ClientError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("tally: interrupted; nothing is left running", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if output is Output.JSON:
        computed = {"is_right": verdict.is_right, "exact": verdict.exact}
        say_json(computed | msgspec.to_builtins(verdict))
    else:
        show(verdict)
    raise typer.Exit(OK if verdict.is_right else FAILED)


def watch(demo: Demo, *, plain: bool) -> None:
    """Show how far the demo is until it is at rest."""
    if plain:
        _watch_plain(demo)
        return
    with Live(console=chatter(), transient=True, auto_refresh=False) as live:
        for look in demo.looks():
            live.update(_panel(look), refresh=True)


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
        *([("cache", look.cache)] if look.cache else []),
    ]


def _waiting(look: Look) -> list[str]:
    """What is left to wait for, once that is only dead letters."""
    awaited = look.bad - look.depth.dead
    if not look.is_decided or awaited <= 0:
        return []
    return [f"all decided; waiting for {counted(awaited, 'dead letter')}"]
