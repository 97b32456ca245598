"""Moves counters from a cache into a table: each is read, confirmed, and put once."""

import dataclasses
import enum
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from tally.counters.counter import Counter, read_count
from tally.counters.errors import UnreadableValueError
from tally.counters.ledger import Limits
from tally.counters.lineage import lacks
from tally.stores.errors import BrokenSetupError
from tally.stores.port import (
    ABSENT,
    Failed,
    LostRace,
    Store,
    Stored,
    Swap,
    Trouble,
)

AT_ONCE = 50
"""Counters copied together, unless told otherwise; memory holds their values meanwhile."""

MAX_AT_ONCE = 256
"""The most calls that Momento's store has in flight."""

MAX_TRIES = 8
"""For a counter whose calls fail, or are throttled."""

STEP_S = 10.0
"""How long the reads of one group of counters may take, then its swaps, then its puts, in seconds.
"""

MAX_WAIT_S = 8.0
"""The longest wait before a repeat, in seconds; the first is at most half a second, and each may be
twice as long as the one before. Together they are half a minute, in which a quota of 100 operations
a second gives 3,000."""

FIRST_WAIT_S = 0.5

NOTHING = b"0"
"""Set only if there is no counter, which confirms that; as a counter it means the same as none."""

NOTHING_TTL_S = 1
"""How long NOTHING stays, in seconds."""

LACKS = (
    "the table's counter lacks events that the cache's knows: it was begun before the copy, "
    "or the cache was written after it"
)
CHANGED = Failed(
    Trouble.UNKNOWN_OUTCOME, "it changes while it is copied: somebody still writes to the cache"
)
GONE = Failed(Trouble.UNKNOWN_OUTCOME, "it was deleted from the table meanwhile")


class Result(enum.StrEnum):
    """What became of a counter."""

    COPIED = "copied"
    """It is in the table now, as it was in the cache; in a rehearsal, it would be."""
    THERE = "there"
    """The table has it, with all of the cache's events: an earlier copy, counted on since."""
    ABSENT = "absent"
    """It is not in the cache."""
    FAILED = "failed"
    """The outcome is unknown, or a copy would be wrong."""


@dataclasses.dataclass(frozen=True)
class Moved:
    """What became of a counter, the count that the cache has, and why it failed."""

    counter: str
    result: Result
    count: int | None = None
    why: str = ""


class Tried(NamedTuple):
    """What came of a try, and whether that is final."""

    moved: Moved
    is_final: bool = True


class Move:
    """Copies from a cache to a table, in one thread. It is safe to repeat, and to break off.

    The consumers must have been paused for their timeout and 15 minutes: a swap that happens after
    its counter was copied is not in the table.

    Args:
        cache: holds the counters.
        marking: the same cache, with a time to live of NOTHING_TTL_S.
        table: will hold them.
        rehearse: whether only to look, and write to neither.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(  # noqa: PLR0913 (three stores, and all that a test wants to be otherwise)
        self,
        cache: Store,
        marking: Store,
        table: Store,
        *,
        rehearse: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._cache = cache
        self._marking = marking
        self._table = table
        self._rehearse = rehearse
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform

    def all(self, counters: Iterable[str], at_once: int = AT_ONCE) -> Iterator[Moved]:
        """Copy counters, `at_once` together; yields what became of each.

        Raises:
            BrokenSetupError: no call to the cache, or to the table, can succeed.
        """
        asked = iter(counters)
        while chunk := list(dict.fromkeys(islice(asked, at_once))):
            yield from self._chunk(chunk)

    def _chunk(self, counters: Sequence[str]) -> Iterator[Moved]:
        """Try until each counter is settled, or MAX_TRIES times."""
        left = {name: Moved(name, Result.FAILED) for name in counters}
        for tried in range(MAX_TRIES):
            if tried:
                most_s = min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** (tried - 1))
                self._sleep(self._uniform(most_s / 2, most_s))
            for tried_one in self._tried(list(left)):
                left[tried_one.moved.counter] = tried_one.moved
                if tried_one.is_final:
                    yield left.pop(tried_one.moved.counter)
            if not left:
                return
        yield from left.values()

    def _tried(self, counters: Sequence[str]) -> Iterator[Tried]:
        """What came of one try for each."""
        found: dict[str, bytes] = {}
        for counter, answer in self._confirmed(counters):
            if isinstance(answer, Failed):
                yield _failed(counter, answer)
            elif answer is None or answer == NOTHING:
                yield Tried(Moved(counter, Result.ABSENT))
            elif why := _unreadable(answer):
                yield Tried(Moved(counter, Result.FAILED, why=why))
            else:
                found[counter] = answer
        yield from self._compared(found) if self._rehearse else self._put(found)

    def _confirmed(self, counters: Sequence[str]) -> Iterator[tuple[str, bytes | Failed | None]]:
        """What the cache holds: since a read may be stale, a swap of the same value confirms it.

        If there is no counter, setting NOTHING confirms that.
        """
        swaps: list[Swap] = []
        marks: list[Swap] = []
        for counter, copy in self._cache.read(counters, self._ends_at()):
            if isinstance(copy, Failed):
                yield counter, copy
            elif self._rehearse:
                yield counter, copy.value
            elif copy.value is None:
                marks.append(Swap(counter, copy, NOTHING))
            else:
                swaps.append(Swap(counter, copy, copy.value))
        for store, wanted in ((self._cache, swaps), (self._marking, marks)):
            for swap, answer in store.write(wanted, self._ends_at()):
                if isinstance(answer, LostRace):
                    yield swap.counter, CHANGED
                else:
                    yield swap.counter, answer if isinstance(answer, Failed) else swap.seen.value

    def _put(self, found: Mapping[str, bytes]) -> Iterator[Tried]:
        """Put what the table lacks; what it has counted since an earlier copy must stay."""
        swaps = [
            Swap(counter, ABSENT, fitted(value, self._table.limits(counter)))
            for counter, value in found.items()
        ]
        for swap, answer in self._table.write(swaps, self._ends_at()):
            counter, value = swap.counter, found[swap.counter]
            if isinstance(answer, Failed):
                yield _failed(counter, answer)
            elif isinstance(answer, Stored):
                yield Tried(Moved(counter, Result.COPIED, read_count(value)))
            elif answer.winner is None or answer.winner.value is None:
                yield _failed(counter, GONE)
            else:
                yield _compared(counter, value, answer.winner.value)

    def _compared(self, found: Mapping[str, bytes]) -> Iterator[Tried]:
        """What a put would come to."""
        for counter, there in self._table.read(found, self._ends_at()):
            value = found[counter]
            if isinstance(there, Failed):
                yield _failed(counter, there)
            elif there.value is None:
                yield Tried(Moved(counter, Result.COPIED, read_count(value)))
            else:
                yield _compared(counter, value, there.value)

    def _ends_at(self) -> float:
        return self._clock() + STEP_S


def fitted(value: bytes, limits: Limits) -> bytes:
    """A value that fits into a table: byte for byte, or shortened by forgetting.

    A cache's value may be longer. An event that is forgotten is reported if it comes again, and not
    counted.
    """
    return value if len(value) <= limits.max_bytes else Counter(value).encode(limits)


def _compared(counter: str, value: bytes, there: bytes) -> Tried:
    """Whether the table's counter has all events of the cache's."""
    if why := _unreadable(there):
        why = f"in the table: {why}"
    elif lacks(there, value):
        why = LACKS
    return Tried(Moved(counter, Result.FAILED if why else Result.THERE, read_count(value), why))


def _failed(counter: str, failed: Failed) -> Tried:
    """The result of a failed call, and whether another try is worth it.

    Raises:
        BrokenSetupError: no call can succeed.
    """
    if failed.trouble is Trouble.BROKEN_SETUP:
        raise BrokenSetupError(failed.detail, is_missing=failed.is_missing)
    is_final = failed.trouble is Trouble.REFUSED
    return Tried(Moved(counter, Result.FAILED, why=failed.detail), is_final=is_final)


def _unreadable(value: bytes) -> str:
    """Why a value is no counter; empty if it is one."""
    try:
        Counter(value)
    except UnreadableValueError as error:
        return str(error)
    return ""
