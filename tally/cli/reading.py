"""`tally get`, `tally outcome`, and how every command asks the store."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tally.cli.output import EXAMPLE, FAILED, OK, Output, fail, refuse, say_json
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import INT64_MAX, build
from tally.counters.identity import identity_of
from tally.counters.outcome import Outcome
from tally.counters.shards import MAX_SHARDS
from tally.environment import SettingsError, place_from
from tally.reading.errors import NoTableError, ReadError
from tally.reading.reader import Reader, Reading
from tally.reading.waiting import MAX_WAIT_S
from tally.stores.errors import BrokenSetupError
from tally.stores.opening import open_store

STORE_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why the store cannot be asked; no key is in any of their texts."""

STATUSES = {Outcome.APPLIED: OK, Outcome.REJECTED: 3, Outcome.PENDING: 4, Outcome.FORGOTTEN: 5}
"""Exit statuses; as in every command, 1 is a failure and 2 a usage error."""

OneCounter = Annotated[str, typer.Argument(help="The counter's name.")]
Counters = Annotated[list[str], typer.Argument(help="The counters' names.")]
Shards = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_SHARDS, help="How many shards each counter is published in."),
]
EventName = Annotated[
    str | None,
    typer.Argument(help="Its name, source:seq:at, as `tally send` prints it."),
]
Id = Annotated[str | None, typer.Option("--id", help="The increment's id, instead of EVENT.")]
At = Annotated[
    int | None,
    typer.Option(min=1, max=INT64_MAX, help="The increment's `at` in ms; only with --id."),
]
Wait = Annotated[
    float, typer.Option(min=0, max=MAX_WAIT_S, help="Seconds to wait while it is pending.")
]
Consistent = Annotated[
    bool,
    typer.Option("--consistent", help="Ask the table itself, not the cache before it."),
]
StdOut = Annotated[Output, typer.Option("--output", help="How to print.")]


def get(
    counters: Counters,
    shards: Shards = None,
    consistent: Consistent = False,  # noqa: FBT002 (typer makes an option of it)
    output: StdOut = Output.TEXT,
) -> None:
    """Print the count of each COUNTER, one per line, with its name if there are several.

    One call reads all. Exit status 1 if a counter does not exist, or the store does not answer.
    """
    with reading() as reader:
        readings = readings_of(reader, counters, shards, consistent=consistent)
    counts = {name: reading.count for name, reading in readings.items()}
    if output is Output.JSON:
        say_json({name: _told(reading) for name, reading in readings.items()})
    for name, count in counts.items():
        if count is None:
            typer.echo(f"tally: there is no counter {name!r}", err=True)
        elif output is Output.TEXT:
            typer.echo(str(count) if len(counts) == 1 else f"{name}\t{count}")
    if None in counts.values():
        raise typer.Exit(FAILED)


def _told(reading: Reading) -> int | dict[str, int | str | None] | None:
    """A count in JSON; if a table decides, with where it was read."""
    if reading.source is None:
        return reading.count
    return {"count": reading.count, "from": reading.source.value}


def outcome(
    counter: OneCounter,
    event: EventName = None,
    increment_id: Id = None,
    at: At = None,
    wait: Wait = 0.0,
    output: StdOut = Output.TEXT,
) -> None:
    """Print what became of an increment: applied, rejected, pending or forgotten.

    Pending: it has not arrived, as far as the counter knows. Forgotten: it is older than the
    counter's memory; with --id and without --at it shows as pending.

    Exit status 0: applied. 3: rejected. 4: pending. 5: forgotten. 1: it could not be read.
    """
    name = _event_name(counter, event, increment_id, at)
    with interruptible(), reading() as reader:
        if wait:
            found = reader.wait_for_outcome(counter, name, wait)
        else:
            found = reader.outcome(counter, name)
    if output is Output.JSON:
        say_json({"counter": counter, "event": name, "outcome": found.value})
    else:
        typer.echo(found.value)
    raise typer.Exit(STATUSES[found])


def _event_name(counter: str, event: str | None, increment_id: str | None, at: int | None) -> str:
    if (event is None) is (increment_id is None):
        refuse("give an EVENT or an --id, and not both")
    if event is not None:
        if at is not None:
            refuse("--at belongs to an --id; an EVENT has one")
        return event
    # The latest possible time is never at or below a ledger's floor.
    fields = {"counter": counter, "id": increment_id, "at": INT64_MAX if at is None else at}
    try:
        return identity_of(build(fields))
    except InvalidIncrementError as error:
        refuse(str(error))


@contextlib.contextmanager
def reading() -> Iterator[Reader]:
    """A reader of the environment's store; if it cannot read, the command ends with one line.

    An invalid name of a counter or an event is a usage error, and so is a consistent read without
    a table.
    """
    try:
        place = place_from(os.environ)
    except SettingsError as error:
        fail(f"{error}; {EXAMPLE}")
    try:
        with Reader(open_store(place)) as reader:
            yield reader
    except (InvalidIncrementError, NoTableError) as error:
        refuse(str(error))
    except SettingsError as error:
        fail(str(error))
    except ReadError as error:
        fail(str(error) if error.counter else f"{place}: {error}")
    except BrokenSetupError as error:
        fail(f"{place}: {error}")


def counts_of(reader: Reader, counters: Sequence[str], shards: int | None) -> dict[str, int | None]:
    """The count of each counter: all in one call, or one call for the shards of each."""
    read = readings_of(reader, counters, shards)
    return {counter: reading.count for counter, reading in read.items()}


def readings_of(
    reader: Reader, counters: Sequence[str], shards: int | None, *, consistent: bool = False
) -> dict[str, Reading]:
    """As `counts_of`, with where each count was read."""
    if shards is None:
        return reader.readings(counters, consistent=consistent)
    return {
        counter: reader.total_reading(counter, shards, consistent=consistent)
        for counter in counters
    }
