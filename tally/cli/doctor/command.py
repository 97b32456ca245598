"""`tally doctor`: checks the whole way from a producer to a count, and says what is wrong."""

import os
from typing import Annotated

import typer

from tally.cli.doctor.checks import Finding, Mark, Timing
from tally.cli.doctor.examination import ROUND_TRIP_S, Examination, World
from tally.cli.output import FAILED, INTERRUPTED, OK, Output, refuse, say_json
from tally.cli.plan.load import MAX_TIMEOUT_S
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import build

QueueUrl = Annotated[str, typer.Option(envvar="SQS_QUEUE_URL", help="The queue.")]
FunctionTimeout = Annotated[
    int | None, typer.Option(min=1, max=MAX_TIMEOUT_S, help="In s, if Lambda cannot be asked.")
]
Window = Annotated[
    int, typer.Option(min=0, max=MAX_TIMEOUT_S, help="The batching window, likewise.")
]
RoundTrip = Annotated[bool, typer.Option(help="Send one increment, and read its count.")]
OfCounter = Annotated[
    str,
    typer.Option(
        "--counter",
        help="For the round trip; its count does not change.",
        show_default=False,
    ),
]
Timeout = Annotated[
    int, typer.Option(min=1, max=MAX_TIMEOUT_S, help="For the round trip; seconds.")
]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]


def doctor(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    function_timeout: FunctionTimeout = None,
    window: Window = 0,
    round_trip: RoundTrip = True,
    counter: OfCounter = "",
    timeout: Timeout = ROUND_TRIP_S,
    output: StdOut = Output.TEXT,
) -> None:
    """Check settings, credentials, cache, queue and function, and one increment's round trip.

    ✓ is good, ✗ is wrong, – was not checked. The round trip counts to 1 in a counter of its own,
    which expires like any other. With --counter it needs a ledger: under at-least-once there is
    none, and nobody can tell whether it counted. Exit status 1 if anything is ✗.
    """
    _check(function_timeout, window, counter, round_trip=round_trip)
    timing = Timing(function_timeout, window) if function_timeout else None
    visit = Examination(World(os.environ), queue_url, timing, round_trip, counter, timeout)
    found: list[Finding] = []
    try:
        with interruptible():
            for finding in visit.findings():
                found.append(finding)
                if output is Output.TEXT:
                    typer.echo(finding.line)
    except KeyboardInterrupt:
        typer.echo("tally: interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    is_well = all(finding.verdict is not Mark.BAD for finding in found)
    if output is Output.JSON:
        say_json({"is_well": is_well, "checks": found})
    raise typer.Exit(OK if is_well else FAILED)


def _check(timeout_s: int | None, window_s: int, counter: str, *, round_trip: bool) -> None:
    """End with a usage error if options contradict each other, or the counter's name is invalid."""
    if window_s and not timeout_s:
        refuse("--window belongs to --function-timeout: give both, or neither")
    if counter and not round_trip:
        refuse("--counter is for the round trip: leave it out, or --no-round-trip")
    try:
        build({"counter": counter or "any"})
    except InvalidIncrementError as error:
        refuse(str(error))
