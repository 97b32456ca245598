"""Exactly-once counters for queues: publish increments to SQS, and read what came of them.

A program may rely on `__version__` and the names in `__all__`; any other may change. A name is
imported on its first use, since boto3 takes longer to import than most programs can wait.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tally.counters.errors import (
        ArgumentError,
        InvalidIncrementError,
        TallyError,
        UnreadableValueError,
    )
    from tally.counters.event import Increment, encode
    from tally.counters.identity import identity_of
    from tally.counters.outcome import Outcome
    from tally.environment import SettingsError
    from tally.publishing.errors import (
        PublisherClosedError,
        QueueUrlError,
        UnsentError,
        WaitsForItselfError,
    )
    from tally.publishing.publisher import Publisher
    from tally.publishing.sending import Pacer, Stats
    from tally.publishing.sequence import Sequence, process_sequence
    from tally.reading.errors import NoTableError, ReaderClosedError, ReadError
    from tally.reading.reader import Reader
    from tally.stores.errors import BrokenSetupError
    from tally.stores.port import Trouble

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BrokenSetupError",
    "Increment",
    "InvalidIncrementError",
    "NoTableError",
    "Outcome",
    "Pacer",
    "Publisher",
    "PublisherClosedError",
    "QueueUrlError",
    "ReadError",
    "Reader",
    "ReaderClosedError",
    "Sequence",
    "SettingsError",
    "Stats",
    "TallyError",
    "Trouble",
    "UnreadableValueError",
    "UnsentError",
    "WaitsForItselfError",
    "encode",
    "identity_of",
    "process_sequence",
]

_HOMES = {
    "ArgumentError": "counters.errors",
    "BrokenSetupError": "stores.errors",
    "Increment": "counters.event",
    "InvalidIncrementError": "counters.errors",
    "NoTableError": "reading.errors",
    "Outcome": "counters.outcome",
    "Pacer": "publishing.sending",
    "Publisher": "publishing.publisher",
    "PublisherClosedError": "publishing.errors",
    "QueueUrlError": "publishing.errors",
    "ReadError": "reading.errors",
    "Reader": "reading.reader",
    "ReaderClosedError": "reading.errors",
    "Sequence": "publishing.sequence",
    "SettingsError": "environment",
    "Stats": "publishing.sending",
    "TallyError": "counters.errors",
    "Trouble": "stores.port",
    "UnreadableValueError": "counters.errors",
    "UnsentError": "publishing.errors",
    "WaitsForItselfError": "publishing.errors",
    "encode": "counters.event",
    "identity_of": "counters.identity",
    "process_sequence": "publishing.sequence",
}

if not TYPE_CHECKING:  # else a type checker would accept any name

    def __getattr__(name: str) -> object:
        """The object of a name in `__all__`, imported now.

        Raises:
            AttributeError: there is no such name.
        """
        if name not in _HOMES:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        found = globals()[name] = getattr(module, name)
        return found


def __dir__() -> list[str]:
    """The public names, and those that every module has."""
    return sorted({*globals(), *__all__})
