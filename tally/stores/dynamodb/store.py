"""Counters in a table of DynamoDB: a swap is a conditional PutItem, and reads are consistent."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from tally.counters.ledger import Limits
from tally.stores.dynamodb.asking import Batch, Put, get, put
from tally.stores.dynamodb.calls import Calls, MakeThreads, connector
from tally.stores.dynamodb.flights import Ask, Flights
from tally.stores.dynamodb.items import Item, Items, copy_of, token_of, value_of
from tally.stores.dynamodb.troubles import UNSENT
from tally.stores.port import (
    Copy,
    Failed,
    Found,
    LostRace,
    Source,
    Stored,
    Swap,
    Trouble,
    Usage,
)
from tally.stores.threads import Threads

DEADLINE_S = 1.0
"""How long a call may take, in seconds; as a rule it takes some milliseconds."""

MAX_CALLS_IN_FLIGHT = 16
"""Swaps on their way at once. Each takes some 5 ms, of which half a millisecond is the processor's:
from ten on, the processor is the bottleneck."""

MAX_READS_IN_FLIGHT = 4
"""Reads on their way at once, each of up to MAX_KEYS counters."""

MAX_KEYS = 100
"""How many items one BatchGetItem may ask for."""


class DynamoStore:
    """The calls that counters need, each in a thread of its own.

    Args:
        table: its name.
        ttl_s: how long a counter lives after its last swap, in seconds; for ever by default.
        deadline_s: how long one call may take, in seconds.
        connect: makes a client of boto3's that sends nothing twice.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        make_threads: makes the threads.
    """

    max_calls_in_flight = MAX_CALLS_IN_FLIGHT

    def __init__(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
        self,
        table: str,
        *,
        ttl_s: int | None = None,
        deadline_s: float = DEADLINE_S,
        connect: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        make_threads: MakeThreads = Threads,
    ) -> None:
        self.usage = Usage()
        self.deadline_s = deadline_s
        self._items = Items(table, ttl_s, wall_clock)
        threads = MAX_CALLS_IN_FLIGHT + MAX_READS_IN_FLIGHT
        connect = connect or connector(deadline_s, threads)
        self._calls = Calls(connect, threads, clock, wall_clock, make_threads)
        self._flights = Flights(self._calls, self.usage, clock, deadline_s)
        self._clock = clock

    def limits(self, counter: str) -> Limits:
        """How much a counter may remember: its name takes room in a write unit."""
        return self._items.limits(counter)

    def renew(self) -> None:
        """Use new connections from now on."""
        self._calls.renew()

    def finish(self, _ends_at: float) -> int:
        """No work runs beside the rounds."""
        return 0

    def close(self) -> None:
        """Close the connections, and open no more."""
        self._calls.close()

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters, in the order given, MAX_KEYS in one call."""
        asked = iter(counters)
        chunks = iter(lambda: list(islice(asked, MAX_KEYS)), [])
        for chunk, answer in self._flights.all(chunks, self._get, MAX_READS_IN_FLIGHT, ends_at):
            for counter, item in self._items_of(chunk, answer):
                yield counter, item if isinstance(item, Failed) else copy_of(item)

    def write(
        self, writes: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Swap, in the order given; a lost race tells what the winner stored."""
        for swap, answer in self._flights.all(writes, self._put, MAX_CALLS_IN_FLIGHT, ends_at):
            yield swap, self._written(swap, answer)

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters in one call, as consistent as a writer's.

        Raises:
            StoreClosedError: close() was called.
        """
        answer = self._flights.one(counters, self._get, deadline_s)
        values: list[bytes | None] = []
        for _, item in self._items_of(counters, answer):
            if isinstance(item, Failed):
                return values, item
            values.append(value_of(item))
        return values, None

    def found(
        self, counters: Sequence[str], deadline_s: float, *, consistent: bool = True
    ) -> tuple[list[Found], Failed | None]:
        """As `values`; here every read is consistent."""
        del consistent
        values, failure = self.values(counters, deadline_s)
        return [Found(value, Source.TABLE) for value in values], failure

    def _get(self, counters: Sequence[str], ends_at: float) -> Ask:
        def is_late() -> bool:
            return self._clock() >= ends_at

        return partial(get, items=self._items, counters=counters, is_late=is_late)

    def _put(self, swap: Swap, _ends_at: float) -> Ask:
        return partial(put, items=self._items, swap=swap)

    def _items_of(
        self, counters: Sequence[str], answer: Batch | Failed
    ) -> Iterator[tuple[str, Item | Failed | None]]:
        """What an answer says of each counter asked for; its units are counted."""
        batch = Batch({}, counters, answer) if isinstance(answer, Failed) else answer
        left = set(batch.left)
        for counter in counters:
            if counter in left and isinstance(batch.error, Failed):
                self._bill_read(counter, None, batch.error)
                yield counter, batch.error
                continue
            item = batch.items.get(counter)
            self._bill_read(counter, value_of(item))
            yield counter, item

    def _written(self, swap: Swap, answer: Put | Failed) -> Stored | LostRace | Failed:
        """What became of a swap; its units are counted, of a lost race by the present item."""
        error = answer if isinstance(answer, Failed) else answer.error
        winner = None if isinstance(answer, Failed) else answer.winner
        if isinstance(error, Failed):
            if _is_billed(error):
                self._bill_write(swap.counter, swap.seen.value, swap.value)
            return error
        if winner is None:
            self._bill_write(swap.counter, swap.seen.value, swap.value)
            return Stored(token_of(swap.value))
        self._bill_write(swap.counter, None if isinstance(winner, Failed) else winner.value)
        return winner if isinstance(winner, Failed) else LostRace(winner)

    def _bill_read(self, counter: str, value: bytes | None, error: Failed | None = None) -> None:
        if error is None or _is_billed(error):
            units = self._items.read_units(counter, value)
            self.usage.operations += units
            self.usage.reads += units

    def _bill_write(self, counter: str, *values: bytes | None) -> None:
        self.usage.operations += self._items.write_units(counter, *values)


def _is_billed(error: Failed) -> bool:
    """Whether a failed call may have cost units: not if it was refused or not sent."""
    return error.trouble is Trouble.UNKNOWN_OUTCOME and error is not UNSENT
