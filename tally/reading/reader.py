"""Reads counters: their counts, and what became of an increment."""

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Self

from tally.counters.counter import read_count
from tally.counters.errors import InvalidIncrementError, UnreadableValueError, shown
from tally.counters.event import EventName, Increment, build
from tally.counters.identity import name_of
from tally.counters.outcome import Outcome, outcome
from tally.counters.shards import check_shards, shard_names
from tally.environment import place_from
from tally.reading.errors import PASSING, NoTableError, ReaderClosedError, ReadError
from tally.reading.waiting import MIN_CALL_S, POLL_S, WAIT_S, Pace, wait
from tally.stores.errors import BrokenSetupError, StoreClosedError
from tally.stores.opening import open_store
from tally.stores.port import Failed, Found, Source, Store, TableStore, Trouble

MAX_COUNTERS_PER_CALL = 100
"""Counters that one call reads. It costs an operation for each, at least; and 100 operations a
second are Momento's default quota."""

MAX_TRIES = 4
"""How often a call is made, the first time included, as often as Momento's SDK makes a read."""

BACKOFF_S = 0.05
"""The k-th repeat waits for U(0, BACKOFF_S · 2^k): a lost connection is there again at once."""

THROTTLED_BACKOFF_S = 0.25
"""The same while the store throttles, which Momento does by the second."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """A count, None where there is none, and where it was read, None where no table decides."""

    count: int | None
    source: Source | None


class Reader:
    """Reads counters and outcomes, from any number of threads.

        with Reader.from_environment(os.environ) as reader:
            reader.count("page:home")

    Nothing connects before the first call: gRPC survives no fork, so a server that forks its
    workers may make a reader before, and must use it only in them. A failed call is made again, at
    most MAX_TRIES times. Each read raises, beside what it says itself:

        InvalidIncrementError: a counter or event name is invalid; `field` says which.
        ReadError: the store does not answer, or what is under the name is no counter.
        BrokenSetupError: the store refuses the key, or has no such cache; no repeat would help.
        ReaderClosedError: the reader is closed.

    Where counters are in a table with a cache before it, a count comes from the cache, and may be
    older than the table's by as long as copies live there. With `consistent` the table is asked;
    where there is none, that raises NoTableError. An outcome never misses what the table knows.
    """

    def __init__(
        self,
        store: Store,
        *,
        deadline_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Nothing is connected here.

        Args:
            store: holds the counters; closing the reader closes it.
            deadline_s: how long one call may take, in seconds; by default the store's own.
            clock: monotonic, in seconds.
            sleep: waits the seconds given.
            uniform: draws between two numbers.
        """
        self._store = store
        self._values = Values(store, sleep=sleep, uniform=uniform)
        self._deadline_s = store.deadline_s if deadline_s is None else deadline_s
        self._pace = Pace(clock, sleep, uniform)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """The reader that the `MOMENTO_*`, `VALKEY_*` or `COUNTER_*` variables mean.

        A key or password in Secrets Manager is fetched here.

        Raises:
            SettingsError: naming each variable that is missing or wrong.
        """
        return cls(open_store(place_from(variables)))

    def count(self, counter: str, *, consistent: bool = False) -> int | None:
        """The count of a counter; None if there is none: it never was, or it has expired."""
        return self.counts([counter], consistent=consistent)[counter]

    def counts(self, counters: Iterable[str], *, consistent: bool = False) -> dict[str, int | None]:
        """The counts of many counters in their order, None where there is none.

        One call reads up to MAX_COUNTERS_PER_CALL of them.
        """
        read = self.readings(counters, consistent=consistent)
        return {counter: reading.count for counter, reading in read.items()}

    def readings(self, counters: Iterable[str], *, consistent: bool = False) -> dict[str, Reading]:
        """The same, and of each count where it comes from."""
        if isinstance(counters, str):  # each letter of it would be a counter
            raise InvalidIncrementError("counter", "must be in a list", shown(counters))
        names = list(dict.fromkeys(map(_checked, counters)))
        read: dict[str, Reading] = {}
        for start in range(0, len(names), MAX_COUNTERS_PER_CALL):
            keys = names[start : start + MAX_COUNTERS_PER_CALL]
            found = self._values.found(keys, self._deadline_s, consistent=consistent)
            for key, (value, source) in zip(keys, found, strict=True):
                read[key] = Reading(_count(key, value), source)
        return read

    def total(self, counter: str, shards: int, *, consistent: bool = False) -> int | None:
        """The sum of a hot counter's shards, `hot#0` and on, read in one call; None without any.

        Raises:
            ValueError: `shards` is not 1 to MAX_SHARDS.
        """
        return self.total_reading(counter, shards, consistent=consistent).count

    def total_reading(self, counter: str, shards: int, *, consistent: bool = False) -> Reading:
        """The same, and where it comes from: from the cache if any shard does.

        Raises:
            ValueError: `shards` is not 1 to MAX_SHARDS.
        """
        check_shards(shards)
        read = self.readings(shard_names(counter, shards), consistent=consistent).values()
        counts = [reading.count for reading in read if reading.count is not None]
        sources = {reading.source for reading in read}
        source = Source.CACHE if Source.CACHE in sources else sources.pop()
        return Reading(sum(counts) if counts else None, source)

    def outcome(self, counter: str | Increment, event: str = "") -> Outcome:
        """What became of an increment, from the counter's own ledger.

        Args:
            counter: its counter; or the increment itself, as `Publisher.publish` returned it.
            event: its name, `source:seq:at`; none beside an increment, which has it.
        """
        return self._look(*_named(counter, event), self._deadline_s, MAX_TRIES)

    def wait_for_outcome(
        self,
        counter: str | Increment,
        event: str = "",
        timeout_s: float = WAIT_S,
        poll_s: float = POLL_S,
    ) -> Outcome:
        """Look until the increment is decided or the time is up; it is PENDING then.

        Flush the publisher before: what was not sent is not decided. A call that fails is made
        again while there is time; ReadError is raised if none succeeded. The default is enough for
        a consumer whose batching window is at most 20 s and that has no backlog.

        Args:
            counter: its counter; or the increment itself, as `Publisher.publish` returned it.
            event: its name, `source:seq:at`; none beside an increment, which has it.
            timeout_s: how long to wait, 0 to 900 seconds; the last call may take 0.1 s longer.
            poll_s: the first pause at most, in seconds; the pauses double up to 2 s.

        Raises:
            ValueError: `timeout_s` or `poll_s` is out of its range.
        """
        name, named_event = _named(counter, event)

        def look(left_s: float) -> Outcome:
            return self._look(name, named_event, min(self._deadline_s, left_s), tries=1)

        return wait(look, self._pace, timeout_s, poll_s)

    def close(self) -> None:
        """Read no more, and close the store."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _look(self, counter: str, event: EventName, deadline_s: float, tries: int) -> Outcome:
        """What the cache says, as all of it was in the table; of pending, what the table says."""
        ends_at = self._pace.clock() + deadline_s
        [found] = self._values.found([counter], deadline_s, tries)
        seen = _outcome(counter, found.value, event)
        if seen is not Outcome.PENDING or found.source is not Source.CACHE:
            return seen
        left_s = max(ends_at - self._pace.clock(), MIN_CALL_S)
        [found] = self._values.found([counter], left_s, tries, consistent=True)
        return _outcome(counter, found.value, event)


Answer = tuple[list[Found], Failed | None]
Ask = Callable[[Sequence[str], float], Answer]
"""One call of a store, for counters, that may take so many seconds."""


class Values:
    """The values of counters, from any number of threads.

    Args:
        store: holds them; it stays the caller's to close.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(
        self,
        store: Store,
        *,
        sleep: Callable[[float], object],
        uniform: Callable[[float, float], float],
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._uniform = uniform

    def latest(self, counters: Sequence[str], deadline_s: float) -> list[bytes | None]:
        """The values of at most MAX_COUNTERS_PER_CALL counters, None where there is none.

        They are those of the table where there is one, whatever its cache shows.

        Raises:
            ReadError: and all else that `found` raises.
        """
        consistent = isinstance(self._store, TableStore)
        found = self.found(counters, deadline_s, consistent=consistent)
        return [each.value for each in found]

    def found(
        self,
        counters: Sequence[str],
        deadline_s: float,
        tries: int = MAX_TRIES,
        *,
        consistent: bool = False,
    ) -> list[Found]:
        """The same and where each was read: in a cache before a table, unless `consistent`.

        Each try may take `deadline_s`, and asks for what the tries before it did not bring: many
        large values may take longer than one.

        Raises:
            BrokenSetupError: the store refuses the key, or has no such cache or table.
            NoTableError: `consistent`, and there is no table.
            ReadError: it did not answer, however often it was asked.
            ReaderClosedError: it was closed, be it meanwhile.
        """
        ask = self._asking(consistent=consistent)
        try:
            values, failure = ask(counters, deadline_s)
            for repeat in range(1, tries):
                if failure is None or failure.trouble not in PASSING:
                    break
                self._back_off(failure.trouble, repeat)
                more, failure = ask(counters[len(values) :], deadline_s)
                values += more
        except StoreClosedError:
            raise ReaderClosedError from None
        if failure is None:
            return values
        if failure.trouble is Trouble.BROKEN_SETUP:
            raise BrokenSetupError(failure.detail, is_missing=failure.is_missing)
        raise ReadError(failure.detail, failure.trouble)

    def _asking(self, *, consistent: bool) -> Ask:
        store = self._store
        if isinstance(store, TableStore):
            return partial(store.found, consistent=consistent)
        if consistent:
            raise NoTableError

        def ask(counters: Sequence[str], deadline_s: float) -> Answer:
            values, failure = store.values(counters, deadline_s)
            return [Found(value) for value in values], failure

        return ask

    def _back_off(self, trouble: Trouble, repeat: int) -> None:
        base_s = THROTTLED_BACKOFF_S if trouble is Trouble.THROTTLED else BACKOFF_S
        self._sleep(self._uniform(0, base_s * 2**repeat))


def _checked(counter: str) -> str:
    """The name of a counter, if it is one as the contract has it."""
    return build({"counter": counter}).counter


def _named(counter: str | Increment, event: str) -> tuple[str, EventName]:
    if isinstance(counter, Increment):
        if event:
            raise InvalidIncrementError("event", "is that of the increment itself", shown(event))
        return counter.counter, name_of(counter)
    return _checked(counter), EventName.parse(event)


def _outcome(counter: str, value: bytes | None, event: EventName) -> Outcome:
    try:
        return outcome(value, *event)
    except UnreadableValueError as error:
        raise _no_counter(counter, error) from error


def _count(counter: str, value: bytes | None) -> int | None:
    try:
        return None if value is None else read_count(value)
    except UnreadableValueError as error:
        raise _no_counter(counter, error) from error


def _no_counter(counter: str, error: UnreadableValueError) -> ReadError:
    return ReadError(f"{counter}: {error}", counter=counter)
