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
"""Counters that one call reads. Each costs at least one operation, and Momento's default quota is
100 operations a second."""

MAX_TRIES = 4
"""How often a call is made, the first time included: as often as by Momento's SDK."""

BACKOFF_S = 0.05
"""The k-th repeat waits for U(0, BACKOFF_S · 2^k): a lost connection is soon back."""

THROTTLED_BACKOFF_S = 0.25
"""The same while the store throttles, which Momento does by the second."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """A count and where it was read.

    Attributes:
        count: None if there is no such counter.
        source: None if no table decides.
    """

    count: int | None
    source: Source | None


class Reader:
    """Reads counters and outcomes, from any number of threads.

        with Reader.from_environment(os.environ) as reader:
            reader.count("page:home")

    Nothing connects before the first call: a server that forks workers may make a reader before the
    fork, but only the workers may call it, since gRPC does not survive a fork. A failed call is
    repeated, up to MAX_TRIES calls in all. Besides its own errors, each read raises:

        InvalidIncrementError: a counter or event name is invalid; `field` says which.
        ReadError: the store does not answer, or the value under the name is no counter.
        BrokenSetupError: the store refuses the key, or has no such cache; repeating does not help.
        ReaderClosedError: the reader is closed.

    If a table decides and there is a cache before it, a count comes from the cache, and may be
    older than the table's by as long as copies live there. `consistent` asks the table instead, and
    raises NoTableError if there is none. An outcome always includes what the table knows.
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
        """Nothing connects yet.

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
        """A reader of the store that the `MOMENTO_*`, `VALKEY_*` or `COUNTER_*` variables name.

        If the key or password is in Secrets Manager, it is fetched now.

        Raises:
            SettingsError: variables are missing or wrong; it names each.
        """
        return cls(open_store(place_from(variables)))

    def count(self, counter: str, *, consistent: bool = False) -> int | None:
        """The count of a counter; None if there is none: it never was, or it has expired."""
        return self.counts([counter], consistent=consistent)[counter]

    def counts(self, counters: Iterable[str], *, consistent: bool = False) -> dict[str, int | None]:
        """The counts of many counters, in their order; None for a counter that is not there.

        One call to the store reads up to MAX_COUNTERS_PER_CALL of them.
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
        """The sum of a hot counter's shards, `hot#0` and on, read in one call; None if none exist.

        Raises:
            ArgumentError: `shards` is not 1 to MAX_SHARDS.
        """
        return self.total_reading(counter, shards, consistent=consistent).count

    def total_reading(self, counter: str, shards: int, *, consistent: bool = False) -> Reading:
        """As `total`, with where it was read: in the cache if any shard was.

        Raises:
            ArgumentError: `shards` is not 1 to MAX_SHARDS.
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
            event: its name, `source:seq:at`; leave it out if you give the increment itself.
        """
        return self._look(*_named(counter, event), self._deadline_s, MAX_TRIES)

    def wait_for_outcome(
        self,
        counter: str | Increment,
        event: str = "",
        timeout_s: float = WAIT_S,
        poll_s: float = POLL_S,
    ) -> Outcome:
        """Ask until the increment is decided; PENDING if it is not when the time is up.

        What was not sent is not decided: flush the publisher first, or rely on its sending after
        `linger_s`, where several threads share it. A failed call is repeated while there is time;
        if none succeeds, ReadError is raised. The default time is enough for a consumer with a
        batching window of at most 20 s and no backlog.

        Args:
            counter: its counter; or the increment itself, as `Publisher.publish` returned it.
            event: its name, `source:seq:at`; leave it out if you give the increment itself.
            timeout_s: how long to wait, 0 to 900 seconds; the last call may take 0.1 s longer.
            poll_s: the longest first pause, 0.001 to 2 seconds; the pauses double up to 2 s.

        Raises:
            ArgumentError: `timeout_s` or `poll_s` is out of its range.
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
        """The cache's answer, since all of it was in the table; if pending, the table's answer."""
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
"""One call of a store: the counters' names, and how many seconds it may take."""


class Values:
    """The values of counters, from any number of threads.

    Args:
        store: holds them; the caller closes it.
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
        """The values of at most MAX_COUNTERS_PER_CALL counters; None for an absent counter.

        If a table decides, they are the table's, whatever its cache shows.

        Raises:
            ReadError: and the other errors of `found`.
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
        """The values and where each was read: first in the cache, or `consistent` in the table.

        Each try may take `deadline_s`, and asks only for what is still missing: many large values
        may take more than one try.

        Raises:
            BrokenSetupError: the store refuses the key, or has no such cache or table.
            NoTableError: `consistent` was asked for, but there is no table.
            ReadError: it did not answer in any try.
            ReaderClosedError: it was closed, before or during this call.
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
    """The counter's name, if the contract allows it; else InvalidIncrementError."""
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
