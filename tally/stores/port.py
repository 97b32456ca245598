"""What counters ask of the store that holds them, and what it answers; no SDK is known here."""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from tally.counters.ledger import Limits


class Copy(NamedTuple):
    """A counter as it was read or stored: its value, None if absent, and the store's token of it.

    A token is opaque to all but its store, and two values never share one. None of a value that is
    there means that the store is to compare the value itself.
    """

    value: bytes | None
    token: bytes | None


class Swap(NamedTuple):
    """A write that is to happen only if the counter is still as `seen`."""

    counter: str
    seen: Copy
    value: bytes


class Addition(NamedTuple):
    """A native increment: an amount to add to a bare integer, whatever that is."""

    counter: str
    amount: int


class Stored(NamedTuple):
    """The write happened; the token of what was written, where the store tells it."""

    token: bytes | None


class LostRace(NamedTuple):
    """The swap did not happen: another writer was first, or `seen` was stale.

    What the winner wrote comes with it if the store tells that; its value is None if there is no
    counter any more.
    """

    winner: Copy | None = None


ABSENT = Copy(None, None)
"""What a read of a counter that is not there tells."""


class Trouble(enum.Enum):
    """What is to be done about a call that failed."""

    NOT_SENT = "no time was left to send it: what is known of the counter stays known"
    UNKNOWN_OUTCOME = "it may have happened: read again, the ledger tells"
    THROTTLED = "over a quota: wait longer, then give the messages back"
    REFUSED = "this counter cannot be written so: report its messages, its neighbours go on"
    BROKEN_SETUP = "no call can succeed: stop, and delete nothing"


class Failed(NamedTuple):
    """The call failed; `detail` is the store's status and text, for people, with no key in it.

    `is_missing` is true of a BROKEN_SETUP where the store takes the key, and what is to hold the
    counters is not there.
    """

    trouble: Trouble
    detail: str
    is_missing: bool = False


class Source(enum.StrEnum):
    """Where a value was read."""

    TABLE = "table"
    CACHE = "cache"


class Found(NamedTuple):
    """A value, None where there is none, and where it was read, None where no table decides."""

    value: bytes | None
    source: Source | None = None


NOT_SENT = Failed(Trouble.NOT_SENT, "no time was left")

Write = TypeVar("Write", bound=Swap | Addition)
"""A write in the type in which it was asked for."""


@dataclasses.dataclass
class Usage:
    """What a store's calls came to since it was made.

    Attributes:
        operations: as the store bills them.
        reads: those of them that are reads, where these have another price.
        answered: calls that had an answer, be it an error.
        unanswered: calls that ran into their deadline.
    """

    operations: int = 0
    reads: int = 0
    answered: int = 0
    unanswered: int = 0


class Store(Protocol):
    """Where counters live. docs/stores.md tells how to write one, and what it must keep.

    `read` and `write` are for one thread, `values` and `close` for any number. No method raises for
    what a call may meet: each answers Failed.

    Attributes:
        usage: what its calls came to.
        max_calls_in_flight: how many reads, and as many writes, are on their way at once.
        deadline_s: how long one call may take, in seconds.
    """

    usage: Usage
    max_calls_in_flight: int
    deadline_s: float

    def limits(self, counter: str) -> Limits:
        """How much a counter may remember; its name may take of the room."""

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters, in the order given; a stale answer is harmless.

        Args:
            counters: their names, none twice; each is pulled when there is room to send it.
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.
        """

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap, in the order given; each is pulled when there is room to send it.

        Args:
            writes: of counters, none twice.
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.
        """

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters, in one call, None where there is none.

        Returns:
            Those of the first of them, in their order, and why not of all.

        Raises:
            StoreClosedError: close() was called.
        """

    def renew(self) -> None:
        """Use new connections from now on: those that there are have gone silent."""

    def finish(self, ends_at: float) -> int:
        """The rounds of a batch are over: end what was begun beside them.

        Args:
            ends_at: the clock's time by which nothing may be in flight any more.

        Returns:
            How much of it failed; none of it changes what was stored.
        """

    def close(self) -> None:
        """Close all connections; a second call does nothing."""


@runtime_checkable
class TableStore(Store, Protocol):
    """A store with a table that decides, before which there may be a cache that is older."""

    def found(
        self, counters: Sequence[str], deadline_s: float, *, consistent: bool
    ) -> tuple[list[Found], Failed | None]:
        """The values of counters, and where each was read; else as `values`.

        Args:
            counters: their names.
            deadline_s: how long one call may take, in seconds.
            consistent: whether only the table is asked.
        """


class AddingStore(Store, Protocol):
    """A store that also adds to a bare integer natively, as at-least-once counting needs it."""

    def write(
        self, writes: Iterable[Write], ends_at: float
    ) -> Iterator[tuple[Write, Stored | LostRace | Failed]]:
        """Swap and add, in the order given; each is pulled when there is room to send it."""
