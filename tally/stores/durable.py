"""Durable counters: a table decides, and a cache serves what the table has stored."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from tally.counters.counter import Counter
from tally.counters.errors import UnreadableValueError
from tally.counters.ledger import Limits
from tally.stores.mirroring import Mirror, Mirroring
from tally.stores.port import (
    Copy,
    Failed,
    Found,
    LostRace,
    Source,
    Store,
    Stored,
    Swap,
)

CACHE_DEADLINE_S = 0.5
"""How long a reader may wait for the cache before it asks the table, in seconds."""


class MirroredStore(Store, Protocol):
    """A cache that can also take copies of what a table has stored."""

    def mirror(self, ttl_s: int) -> Mirror:
        """A mirror that sets copies in this cache, for `ttl_s` seconds."""


class DurableStore:
    """Swaps in a table, beside a cache from which nothing is ever decided.

    Whatever becomes of the cache changes no count, fails no message and delays no round.

    Args:
        table: decides.
        cache: serves readers; closing this store closes both.
        copy_ttl_s: how long a copy stays in it, in seconds.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        options: of Mirroring.
    """

    def __init__(
        self,
        table: Store,
        cache: MirroredStore,
        copy_ttl_s: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        **options: Any,  # noqa: ANN401 (those of Mirroring, handed through)
    ) -> None:
        self.usage = table.usage
        self.max_calls_in_flight = table.max_calls_in_flight
        self.deadline_s = table.deadline_s
        self._table = table
        self._cache = cache
        self._mirroring = Mirroring(cache.mirror(copy_ttl_s), wall_clock=wall_clock, **options)
        self._clock = clock
        self._wall_clock = wall_clock

    def limits(self, counter: str) -> Limits:
        """How much a counter may remember in the table."""
        return self._table.limits(counter)

    def renew(self) -> None:
        """Use new connections to the table from now on; the cache sees to its own."""
        self._table.renew()

    def finish(self, ends_at: float) -> int:
        """Wait for the copies, once; returns how many the cache is not known to have taken."""
        return self._mirroring.finish(ends_at - self._clock())

    def close(self) -> None:
        """Close table and cache."""
        self._mirroring.close()
        self._cache.close()
        self._table.close()

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters in the table."""
        return self._table.read(counters, ends_at)

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap in the table, and set a copy of what it has stored.

        Nothing else is copied: every value in the cache was in the table, so an outcome read there
        holds.
        """
        put_at: dict[str, float] = {}
        for swap, answer in self._table.write(self._timed(writes, put_at), ends_at):
            if isinstance(answer, Stored):
                self._mirroring.begin(swap.counter, swap.value, put_at[swap.counter])
            yield swap, answer

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters, from the cache if it has them.

        Raises:
            StoreClosedError: close() was called.
        """
        found, failure = self.found(counters, deadline_s, consistent=False)
        return [each.value for each in found], failure

    def found(
        self, counters: Sequence[str], deadline_s: float, *, consistent: bool
    ) -> tuple[list[Found], Failed | None]:
        """The values of counters, from the cache; those that it lacks, from the table.

        The table is also asked for values that are no counter, for all if the cache does not
        answer, and for all with `consistent`.

        Raises:
            StoreClosedError: close() was called.
        """
        began_at = self._clock()
        found: dict[str, Found] = {}
        if not consistent:
            # Why the cache does not answer does not matter: the table is asked.
            copies, _ = self._cache.values(counters, min(deadline_s / 2, CACHE_DEADLINE_S))
            told = zip(counters, copies, strict=False)
            found |= {
                counter: Found(value, Source.CACHE)
                for counter, value in told
                if value is not None and _holds(value)
            }
        lacking = [counter for counter in counters if counter not in found]
        failure = None
        if lacking:
            left_s = deadline_s - (self._clock() - began_at)
            values, failure = self._table.values(lacking, max(left_s, deadline_s / 2))
            stored = zip(lacking, values, strict=False)
            found |= {counter: Found(value, Source.TABLE) for counter, value in stored}
        answers: list[Found] = []
        for counter in counters:
            if counter not in found:
                return answers, failure
            answers.append(found[counter])
        return answers, None

    def _timed(self, writes: Iterable[Swap], put_at: dict[str, float]) -> Iterator[Swap]:
        for swap in writes:
            put_at[swap.counter] = self._wall_clock()
            yield swap


def _holds(value: bytes) -> bool:
    """Whether a value is a counter."""
    try:
        Counter(value)
    except UnreadableValueError:
        return False
    return True
