"""`tally watch`: shows counts and how fast they change, until Ctrl-C."""

import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import typer
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tally.cli.output import Output, say_json
from tally.cli.reading import Counters, Shards, counts_of, reading
from tally.cli.signals import interruptible
from tally.reading.errors import PASSING, ReadError

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.1, 3_600.0
"""Each look costs at least one operation for each counter."""

Interval = Annotated[
    float, typer.Option(min=MIN_INTERVAL_S, max=MAX_INTERVAL_S, help="Seconds between two looks.")
]
For = Annotated[
    float | None, typer.Option("--for", min=0, help="Seconds after which it ends by itself.")
]
StdOut = Annotated[Output, typer.Option("--output", help="What a look prints, if not a table.")]

NONE = "–"
"""Shown for a missing count or change."""


def watch(
    counters: Counters,
    shards: Shards = None,
    interval: Interval = 1.0,
    for_s: For = None,
    output: StdOut = Output.TEXT,
) -> None:
    """Show the count of each COUNTER and its change per second, until Ctrl-C.

    On a terminal it shows a table; elsewhere a line for each counter and look: time, counter,
    count, change per second. One call reads all. If a look fails, it says so and looks again.

    Exit status 1: every look failed until --for, or a value is no counter.
    """
    ends_at = time.monotonic() + (math.inf if for_s is None else for_s)
    try:
        with interruptible(), reading() as reader, view_for(output) as show:
            watching = Watching(lambda: counts_of(reader, counters, shards), show)
            watching.run(interval, ends_at)
    except KeyboardInterrupt:
        return


@dataclasses.dataclass(frozen=True)
class Row:
    """A counter as a look saw it; None for an absent counter, and for a change not yet known."""

    counter: str
    count: int | None
    per_second: float | None


class Sight(NamedTuple):
    """What one look saw; if it failed, the `problem`, and the rows of the last good look."""

    at: datetime
    rows: list[Row]
    problem: str = ""


Show = Callable[[Sight], object]


@dataclasses.dataclass
class Watching:
    """Reads counters at an interval, and shows what changed."""

    read: Callable[[], Mapping[str, int | None]]
    show: Show
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self._rows: list[Row] = []
        self._failure: ReadError | None = None
        self._seen_at = 0.0

    def run(self, interval_s: float, ends_at: float) -> None:
        """Look at least once, and then each interval until the clock is at `ends_at`.

        If a failure may pass, it is shown and the next look follows. ReadError if a value is no
        counter, the store refuses to read, or all looks failed.
        """
        due_at = self.clock()
        self._look()
        while (due_at := max(due_at + interval_s, self.clock())) <= ends_at:
            self.sleep(max(0.0, due_at - self.clock()))  # it may just have passed
            self._look()
        if self._failure and not self._rows:
            text = f"every look failed, the last: {self._failure}"
            raise ReadError(text, self._failure.trouble)

    def _look(self) -> None:
        try:
            counts = self.read()
        except ReadError as error:
            if error.trouble not in PASSING:
                raise
            self._failure = error
            self.show(Sight(self.now(), self._rows, str(error)))
            return
        seen_at = self.clock()
        before = {row.counter: row.count for row in self._rows}
        passed_s = seen_at - self._seen_at
        self._rows = [
            Row(name, count, _per_second(before.get(name), count, passed_s))
            for name, count in counts.items()
        ]
        self._seen_at = seen_at
        self.show(Sight(self.now(), self._rows))


@contextlib.contextmanager
def view_for(output: Output) -> Iterator[Show]:
    """Shows sights: on a terminal a table that changes in place, else a line for each row."""
    if output is Output.JSON or not sys.stdout.isatty():
        yield lambda sight: _say(sight, output)
    else:
        console = Console(markup=False, emoji=False, highlight=False)
        with Live(console=console, auto_refresh=False) as live:
            yield lambda sight: live.update(picture(sight), refresh=True)


def picture(sight: Sight) -> Group:
    """A sight for people; the names of counters are shown without markup."""
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column("counter", overflow="fold")
    shown.add_column("count", justify="right", style="bold", no_wrap=True)
    shown.add_column("per second", justify="right", no_wrap=True)
    for row in sight.rows:
        count = NONE if row.count is None else f"{row.count:,}"
        shown.add_row(Text(row.counter), count, _change(row.per_second))
    footer = f"  {sight.at.astimezone():%H:%M:%S}  {sight.problem}".rstrip()
    return Group(shown, Text(footer, style="dim"))


def _change(per_second: float | None) -> Text:
    if per_second is None:
        return Text(NONE, style="dim")
    if not per_second:
        return Text("0", style="dim")
    return Text(f"{per_second:+,.1f}", style="green" if per_second > 0 else "red")


def _per_second(before: int | None, count: int | None, passed_s: float) -> float | None:
    """The change in a second; None for a counter that was not there before."""
    if before is None or count is None or passed_s <= 0:
        return None
    return (count - before) / passed_s


def _say(sight: Sight, output: Output) -> None:
    """One line of JSON, or fields between tabs, for `cut` and `awk`; an absent value is empty."""
    at = sight.at.isoformat(timespec="milliseconds")
    if sight.problem:
        typer.echo(f"tally: {sight.problem}", err=True)
    elif output is Output.JSON:
        counts = {row.counter: row.count for row in sight.rows}
        changes = {row.counter: row.per_second for row in sight.rows}
        say_json({"at": at, "counts": counts, "per_second": changes})
    else:
        for row in sight.rows:
            count = "" if row.count is None else str(row.count)
            change = "" if row.per_second is None else f"{row.per_second:.1f}"
            typer.echo(f"{at}\t{row.counter}\t{count}\t{change}")
