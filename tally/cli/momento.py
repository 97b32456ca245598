"""How commands ask Momento: the reader of the environment, and every way in which it fails."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tally.cli.output import EXAMPLE, fail
from tally.counters.errors import InvalidIncrementError
from tally.counters.shards import MAX_SHARDS
from tally.environment import Cache, SettingsError, Valkey, cache_from
from tally.reading.errors import ReadError
from tally.reading.reader import Reader
from tally.stores.errors import BrokenSetupError
from tally.stores.opening import open_store

MOMENTO_ERRORS = (ReadError, BrokenSetupError, SettingsError)
"""Why Momento cannot be asked; no key is in any of their texts."""

Counters = Annotated[list[str], typer.Argument(help="The counters' names.")]
Counter = Annotated[str, typer.Argument(help="The counter's name.")]
Shards = Annotated[
    int | None,
    typer.Option(
        min=1, max=MAX_SHARDS, help="Each counter is hot, and published with so many shards."
    ),
]


@contextlib.contextmanager
def reading() -> Iterator[Reader]:
    """The reader that the environment means; what it cannot read ends the command, in one line.

    Raises:
        BadParameter: a name is none of a counter or an event.
    """
    try:
        with Reader(open_store(_cache())) as reader:
            yield reader
    except InvalidIncrementError as error:
        raise typer.BadParameter(str(error)) from None
    except MOMENTO_ERRORS as error:
        fail(str(error))


def _cache() -> Cache | Valkey:
    """The cache that the environment means; that it means none ends the command, in one line."""
    try:
        return cache_from(os.environ)
    except SettingsError as error:
        fail(f"{error}; {EXAMPLE}")


def counts_of(reader: Reader, counters: Sequence[str], shards: int | None) -> dict[str, int | None]:
    """The count of each counter: all in one call, or the shards of each in one."""
    if shards is None:
        return reader.counts(counters)
    return {counter: reader.total(counter, shards) for counter in counters}
