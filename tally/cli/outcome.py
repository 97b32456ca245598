"""`tally outcome`: prints what became of an increment, from its counter's own ledger."""

from typing import Annotated, assert_never

import typer

from tally.cli.momento import Counter, reading
from tally.cli.output import INTERRUPTED, OK, Output, say_json
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import INT64_MAX, build
from tally.counters.identity import identity_of
from tally.counters.outcome import Outcome
from tally.reading.waiting import MAX_WAIT_S

REJECTED, PENDING, FORGOTTEN = 3, 4, 5
"""Exit statuses; 1 is a failure to read, and 2 a command that makes no sense, as everywhere."""

Event = Annotated[
    str | None, typer.Argument(help="Its name, source:seq:at, as `tally send` prints it.")
]
Id = Annotated[str | None, typer.Option("--id", help="Of an increment with an id, instead.")]
At = Annotated[
    int | None,
    typer.Option(min=1, max=INT64_MAX, help="The `at` that belongs to --id, in ms."),
]
Wait = Annotated[
    float, typer.Option(min=0, max=MAX_WAIT_S, help="Seconds to wait while it is pending.")
]
StdOut = Annotated[Output, typer.Option("--output", help="How to print.")]


def outcome(
    counter: Counter,
    event: Event = None,
    identity: Id = None,
    at: At = None,
    wait: Wait = 0.0,
    output: StdOut = Output.TEXT,
) -> None:
    """Print what became of an increment: applied, rejected, pending or forgotten.

    Pending: it has not arrived, as far as the counter knows. Forgotten: it is older than the
    counter's memory; of an --id without --at that cannot be told from pending.

    Exit status 0: applied. 3: rejected. 4: pending. 5: forgotten. 1: it could not be read.
    """
    name = _name(counter, event, identity, at)
    try:
        with interruptible(), reading() as reader:
            if wait:
                found = reader.wait_for_outcome(counter, name, wait)
            else:
                found = reader.outcome(counter, name)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if output is Output.JSON:
        say_json({"counter": counter, "event": name, "outcome": found.value})
    else:
        typer.echo(found.value)
    raise typer.Exit(_status(found))


def _name(counter: str, event: str | None, identity: str | None, at: int | None) -> str:
    """The event's name.

    Raises:
        BadParameter: the arguments give none, or two, or an id that is none.
    """
    if (event is None) is (identity is None):
        problem = "give an EVENT or an --id, and not both"
        raise typer.BadParameter(problem)
    if event is not None:
        if at is not None:
            problem = "--at belongs to an --id; an EVENT has one"
            raise typer.BadParameter(problem)
        return event
    # The latest of all times is never at or below what a ledger has forgotten.
    fields = {"counter": counter, "id": identity, "at": INT64_MAX if at is None else at}
    try:
        return identity_of(build(fields))
    except InvalidIncrementError as error:
        raise typer.BadParameter(str(error)) from None


def _status(found: Outcome) -> int:
    match found:
        case Outcome.APPLIED:
            return OK
        case Outcome.REJECTED:
            return REJECTED
        case Outcome.PENDING:
            return PENDING
        case Outcome.FORGOTTEN:
            return FORGOTTEN
        case _:
            assert_never(found)
