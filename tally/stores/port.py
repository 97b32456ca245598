"""What settles counters asks of the store that holds them, and what a store answers."""

import enum
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar


class Store(Protocol):
    """Where counters live; Momento's store is one.

    Attributes:
        operations: what its calls have cost so far, as the store bills them.
        max_calls_in_flight: how many reads, and as many writes, are on their way at once.
    """

    operations: int
    max_calls_in_flight: int

    def read(
        self, counters: Iterable[str], ends_at: float
    ) -> "Iterator[tuple[str, Copy | Failed]]":
        """Read counters, in the order given.

        Args:
            counters: their names.
            ends_at: the clock's time, in seconds, by which no call may be in flight any more.
        """

    def write(
        self, writes: "Iterable[Write]", ends_at: float
    ) -> "Iterator[tuple[Write, Stored | LostRace | Failed]]":
        """Swap and add, in the order given; each is pulled when there is room to send it."""


class Copy(NamedTuple):
    """A counter as it was read or stored: its value, None if absent, and Momento's hash of it."""

    value: bytes | None
    hash: bytes | None


class Swap(NamedTuple):
    """A write that is to happen only if the counter is still as `seen`.

    Compared is the hash; of a copy without one, the value.
    """

    counter: str
    seen: Copy
    value: bytes


class Addition(NamedTuple):
    """A native increment: an amount to add to a bare integer, whatever that is."""

    counter: str
    amount: int


class Stored(NamedTuple):
    """The write happened; a hash is told only of what was swapped by its hash."""

    hash: bytes | None


class LostRace(NamedTuple):
    """The swap did not happen: another writer was first, or `seen` was stale."""


ABSENT = Copy(None, None)
"""What a read of a counter that is not there tells."""

Write = TypeVar("Write", bound=Swap | Addition)
"""A write in the type in which it was asked for."""


class Trouble(enum.Enum):
    """What is to be done about a call that failed."""

    NOT_SENT = "no time was left to send it: what is known of the counter stays known"
    UNKNOWN_OUTCOME = "it may have happened: read again, the ledger tells"
    THROTTLED = "over a quota: wait longer, then give the messages back"
    REFUSED = "this counter cannot be written so: report its messages, its neighbours go on"
    BROKEN_SETUP = "no call can succeed: stop, and delete nothing"


class Failed(NamedTuple):
    """The call failed; `detail` is Momento's status and text, for people."""

    trouble: Trouble
    detail: str


NOT_SENT = Failed(Trouble.NOT_SENT, "no time was left")
