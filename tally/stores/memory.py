"""Counters in this process, for tests: a peer of every other store, under one contract."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from tally.counters.ledger import Limits
from tally.stores.errors import StoreClosedError
from tally.stores.port import (
    ABSENT,
    NOT_SENT,
    Copy,
    Failed,
    Found,
    LostRace,
    Source,
    Stored,
    Swap,
    Usage,
)

MAX_CALLS_IN_FLIGHT = 256
DEADLINE_S = 1.0
TOKEN_BYTES = 8


class Items:
    """What stores in memory share: each counter's value, with a token that is never used again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.copies: dict[str, Copy] = {}
        self.numbers = itertools.count()

    def put(self, counter: str, value: bytes) -> Copy:
        """Store a value, whatever was there."""
        copy = Copy(value, next(self.numbers).to_bytes(TOKEN_BYTES))
        self.copies[counter] = copy
        return copy


class MemoryStore:
    """One client of some items; a call takes no time, and costs an operation.

    Args:
        items: shared with other stores; new ones by default.
        limits: how much a counter may remember.
        clock: monotonic, in seconds.
    """

    max_calls_in_flight = MAX_CALLS_IN_FLIGHT
    deadline_s = DEADLINE_S

    def __init__(
        self,
        items: Items | None = None,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.items = items or Items()
        self.usage = Usage()
        self._limits = limits or Limits()
        self._clock = clock
        self._closed = False

    def limits(self, _counter: str) -> Limits:
        """How much a counter may remember, whatever its name."""
        return self._limits

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters, in the order given."""
        for counter in counters:
            yield counter, self._read(counter) if self._begins(ends_at) else NOT_SENT

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap, in the order given; a lost race tells what the winner stored."""
        for swap in writes:
            yield swap, self._swap(swap) if self._begins(ends_at) else NOT_SENT

    def values(
        self, counters: Sequence[str], _deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters, None where there is none.

        Raises:
            StoreClosedError: close() was called.
        """
        self._count()
        return [self._read(counter).value for counter in counters], None

    def found(
        self, counters: Sequence[str], deadline_s: float, *, consistent: bool = True
    ) -> tuple[list[Found], Failed | None]:
        """As `values`; here every read is consistent."""
        del consistent
        values, failure = self.values(counters, deadline_s)
        return [Found(value, Source.TABLE) for value in values], failure

    def renew(self) -> None:
        """Nothing is connected."""

    def finish(self, _ends_at: float) -> int:
        """No work runs beside the rounds."""
        return 0

    def close(self) -> None:
        """Answer no more; the items stay."""
        self._closed = True

    def _begins(self, ends_at: float) -> bool:
        """Whether there is time for a call; if so, count it."""
        if self._clock() >= ends_at:
            return False
        self._count()
        return True

    def _count(self) -> None:
        if self._closed:
            raise StoreClosedError
        self.usage.operations += 1
        self.usage.answered += 1

    def _read(self, counter: str) -> Copy:
        return self.items.copies.get(counter, ABSENT)

    def _swap(self, swap: Swap) -> Stored | LostRace:
        with self.items.lock:
            found = self._read(swap.counter)
            same_token = swap.seen.token is None or swap.seen.token == found.token
            if swap.seen.value == found.value and same_token:
                return Stored(self.items.put(swap.counter, swap.value).token)
            return LostRace(found)
