"""What counters ask of a store, and what it answers; nothing here knows an SDK."""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from tally.counters.ledger import Limits


class Copy(NamedTuple):
    """A counter as it was read or stored: its value, None if absent, and the store's token of it.

    Only the store looks into a token, and two values never share one. If there is a value but no
    token, the store must compare the value itself.
    """

    value: bytes | None
    token: bytes | None


class Swap(NamedTuple):
    """A write that happens only if the counter is still as `seen`."""

    counter: str
    seen: Copy
    value: bytes


class Addition(NamedTuple):
    """An increment made by the store itself: an amount to add to a bare integer, whatever it is."""

    counter: str
    amount: int


class Stored(NamedTuple):
    """The write happened; the token of the new value, None if the store does not tell it."""

    token: bytes | None


class LostRace(NamedTuple):
    """The swap did not happen: another writer was first, or `seen` was stale.

    `winner` is what the store holds now, None if the store does not tell it; its value is None if
    the counter is gone.
    """

    winner: Copy | None = None


ABSENT = Copy(None, None)
"""What a read of a counter that is not there returns."""


class Trouble(enum.Enum):
    """What to do about a failed call."""

    NOT_SENT = "no time was left to send it: what is known of the counter stays known"
    UNKNOWN_OUTCOME = "it may have happened: read again, the ledger tells"
    THROTTLED = "over a quota: wait longer, then give the messages back"
    REFUSED = "this counter cannot be written so: report its messages, its neighbours go on"
    BROKEN_SETUP = "no call can succeed: stop, and delete nothing"


class Failed(NamedTuple):
    """The call failed; `detail` is the store's status and text, for people, with no key in it.

    `is_missing` is true for a BROKEN_SETUP if the store accepts the key, but the cache or table
    does not exist.
    """

    trouble: Trouble
    detail: str
    is_missing: bool = False


class Source(enum.StrEnum):
    """Where a value was read."""

    TABLE = "table"
    CACHE = "cache"


class Found(NamedTuple):
    """A value, None if absent, and where it was read, None if no table decides."""

    value: bytes | None
    source: Source | None = None


NOT_SENT = Failed(Trouble.NOT_SENT, "no time was left")

Write = TypeVar("Write", bound=Swap | Addition)
"""The type of the writes asked for, which the answers keep."""


@dataclasses.dataclass
class Usage:
    """What a store's calls have cost since it was made.

    Attributes:
        operations: as the store bills them.
        reads: the reads among them, if reads have another price.
        answered: calls that had an answer, even an error.
        unanswered: calls that ran into their deadline.
    """

    operations: int = 0
    reads: int = 0
    answered: int = 0
    unanswered: int = 0


class Store(Protocol):
    """Where counters live. docs/stores.md says how to write one, and what it must promise.

    One thread calls `read` and `write`; any number may call `values` and `close`. If a call fails,
    no method raises: it returns or yields Failed.

    Attributes:
        usage: what its calls have cost.
        max_calls_in_flight: how many reads, and how many writes, are on their way at once.
        deadline_s: how long one call may take, in seconds.
    """

    usage: Usage
    max_calls_in_flight: int
    deadline_s: float

    def limits(self, counter: str) -> Limits:
        """How much a counter may remember; a long name may leave less room."""

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters, in the order given; a stale answer is harmless.

        Args:
            counters: their names, none twice; each is taken when there is room to send it.
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.
        """

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap, in the order given; each is taken when there is room to send it.

        Args:
            writes: at most one for each counter.
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.
        """

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters, in one call; None for an absent counter.

        Returns:
            The values of the first counters, in their order; and, if some are missing, why.

        Raises:
            StoreClosedError: close() was called.
        """

    def renew(self) -> None:
        """Use new connections from now on: the present ones have gone silent."""

    def finish(self, ends_at: float) -> int:
        """The rounds of a batch are over: end the work that ran beside them.

        Args:
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.

        Returns:
            How many parts of that work failed; none of them changes what was stored.
        """

    def close(self) -> None:
        """Close all connections; a second call does nothing."""


@runtime_checkable
class TableStore(Store, Protocol):
    """A store with a table that decides; there may be a cache before it, which may be older."""

    def found(
        self, counters: Sequence[str], deadline_s: float, *, consistent: bool
    ) -> tuple[list[Found], Failed | None]:
        """As `values`, with where each was read.

        Args:
            counters: their names.
            deadline_s: how long one call may take, in seconds.
            consistent: whether to ask only the table.
        """


class AddingStore(Store, Protocol):
    """A store that also adds to a bare integer natively, as at-least-once counting needs it."""

    def write(
        self, writes: Iterable[Write], ends_at: float
    ) -> Iterator[tuple[Write, Stored | LostRace | Failed]]:
        """Swap and add, in the order given; each is taken when there is room to send it."""
