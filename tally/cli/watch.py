"""`tally watch`: shows counts and how fast they change, until Ctrl-C."""

import math
import time
from typing import Annotated

import typer

from tally.cli.output import Output
from tally.cli.reading import Counters, Shards, counts_of, reading
from tally.cli.signals import interruptible
from tally.cli.watching import Watching, view_for

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.1, 3_600.0
"""Each look costs an operation for each counter, at least."""

Interval = Annotated[
    float, typer.Option(min=MIN_INTERVAL_S, max=MAX_INTERVAL_S, help="Seconds between two looks.")
]
For = Annotated[
    float | None, typer.Option("--for", min=0, help="Seconds after which it ends by itself.")
]
StdOut = Annotated[Output, typer.Option("--output", help="What a look prints, if not a table.")]


def watch(
    counters: Counters,
    shards: Shards = None,
    interval: Interval = 1.0,
    for_s: For = None,
    output: StdOut = Output.TEXT,
) -> None:
    """Show the count of each COUNTER and its change per second, until Ctrl-C.

    A table on a terminal; elsewhere a line for each counter and look: time, counter, count,
    change per second. All are read in one call. A look that fails is told, and the next one made.

    Exit status 1: every look failed until --for, or a value is no counter.
    """
    ends_at = time.monotonic() + (math.inf if for_s is None else for_s)
    try:
        with interruptible(), reading() as reader, view_for(output) as show:
            watching = Watching(lambda: counts_of(reader, counters, shards), show)
            watching.run(interval, ends_at)
    except KeyboardInterrupt:
        return
