"""Ours with a table of DynamoDB, and what people would use there instead: units, calls, CPU.

Not the time: moto, a process of its own, answers one request at a time, and is what is waited for.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from benchmarks.dynamodb import moto, peers
from benchmarks.speed import memory
from benchmarks.speed.consumers import Handle, MiscountedError, in_store, unread
from benchmarks.speed.matches import Entrant, check, times_counted
from benchmarks.speed.memory import Memory
from benchmarks.speed.timing import Timed, interleaved, timed
from benchmarks.speed.workload import Workload
from tally.counters.body import increments
from tally.counters.event import Increment
from tally.stores.dynamodb.items import COUNT, COUNTER
from tally.stores.dynamodb.store import (
    MAX_CALLS_IN_FLIGHT,
    MAX_KEYS,
    MAX_READS_IN_FLIGHT,
    DynamoStore,
)
from tally.stores.port import Usage

OURS = "Tally on DynamoDB"
ADD = "`UpdateItem` with `ADD` an event"
TRANSACTION = "`TransactWriteItems` an event, with its record"

COUNTERS = 100
EVENTS = {OURS: 1_000, ADD: 50, TRANSACTION: 50}
"""Of a repeat. moto copies the whole table for each transaction: more of them take minutes."""

TWICE_COUNTERS = 10
"""Of the increments that are delivered twice."""

MOST_DIGITS = "9" * 19
"""The longest count, by whose item an UpdateItem is billed here."""

MEMORY_SHARE = 0.1
"""Of the batches over which memory is watched elsewhere."""


class Place(NamedTuple):
    """The events of a batch of ours, and the counters that they are for."""

    events: int
    counters: int


PLACES = (
    Place(1_000, 1),
    Place(1_000, 10),
    Place(100, 100),
    Place(1_000, 100),
    Place(10_000, 100),
    Place(1_000, 1_000),
)

MOST_REPEATS = 3
"""Of each of these: the last takes seconds."""


class Side(msgspec.Struct, frozen=True):
    """What batches took of one who counts.

    Attributes:
        events: of a batch.
        times: of batches.
        calls: of one more …
        units: … as DynamoDB bills them, reads and writes …
        records: … and the items that are left of it beside the counters.
    """

    events: int
    times: list[Timed]
    calls: int
    units: int
    records: int

    @property
    def cpu_us(self) -> list[float]:
        """CPU an event, in µs, repeat by repeat."""
        return [each.cpu_s / self.events * 1e6 for each in self.times]

    @property
    def units_an_event(self) -> float:
        """Units an event."""
        return self.units / self.events


class Durable(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        sides: by who counts, on COUNTERS.
        counted: how often each has counted what was delivered twice.
        grown: ours, in PLACES.
        memory: of ours, over many batches.
    """

    sides: dict[str, Side]
    counted: dict[str, int]
    grown: list[Side]
    memory: Memory


class Way(NamedTuple):
    """Somebody who counts in a table.

    Attributes:
        handle: counts a batch.
        spent: the calls and the units so far.
    """

    handle: Handle
    spent: Callable[[], tuple[int, int]]


class Metered:
    """A client that counts calls, and their units by the size of items."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 (boto3's)
        self.calls = self.units = 0
        self._client = client

    def spent(self) -> tuple[int, int]:
        """The calls and the units so far."""
        return self.calls, self.units

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """One write."""
        self._bill(peers.units([_updated(request)]))
        return self._client.update_item(**request)

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401 (boto3's)
        """A record and a counter."""
        put, update = request["TransactItems"]
        items = [put["Put"]["Item"], _updated(update["Update"])]
        self._bill(peers.units(items, in_transaction=True))
        return self._client.transact_write_items(**request)

    def _bill(self, units: int) -> None:
        self.calls += 1
        self.units += units


def measure(repeats: int, batches: int, seed: int) -> Durable:
    """Measure all of it, on tables that are new.

    Args:
        repeats: of each comparison.
        batches: over which memory is watched elsewhere.
        seed: of the increments.

    Raises:
        MiscountedError: somebody has not counted everything.
    """
    with moto.tables() as endpoint_url, ways(endpoint_url) as counting, unread():
        reader = moto.client(endpoint_url)
        with contextlib.closing(reader):
            return Durable(
                counted=_counted(counting, reader, seed),
                sides=_sides(counting, reader, repeats, seed),
                grown=[
                    _grown(counting[OURS], reader, place, min(repeats, MOST_REPEATS), seed)
                    for place in PLACES
                ],
                memory=memory.measure(
                    _Opens(endpoint_url), max(5, int(batches * MEMORY_SHARE)), seed
                ),
            )


@contextlib.contextmanager
def ways(endpoint_url: str) -> Iterator[dict[str, Way]]:
    """Everybody who counts there, by name."""
    with (
        contextlib.closing(open_table(endpoint_url)) as table,
        contextlib.closing(moto.client(endpoint_url, max_attempts=3)) as client,
    ):
        adding, transacting = Metered(client), Metered(client)
        yield {
            OURS: Way(in_store(table), lambda: _spent(table.usage)),
            ADD: Way(_each(lambda event: peers.add_once(adding, event)), adding.spent),
            TRANSACTION: Way(
                _each(
                    lambda event: peers.count_once(
                        transacting, event, sleep=time.sleep, uniform=random.uniform
                    )
                ),
                transacting.spent,
            ),
        }


def open_table(endpoint_url: str) -> DynamoStore:
    """Our store of the counters, with a client like its own."""
    return DynamoStore(
        peers.COUNTERS,
        deadline_s=moto.DEADLINE_S,
        connect=lambda: moto.client(
            endpoint_url, max_pool_connections=MAX_CALLS_IN_FLIGHT + MAX_READS_IN_FLIGHT
        ),
    )


def read_counts(client: Any, counters: list[str]) -> Mapping[str, int]:  # noqa: ANN401 (boto3's)
    """The counts as they stand, anybody's."""
    found = {}
    for start in range(0, len(counters), MAX_KEYS):
        keys = [{COUNTER: {"S": counter}} for counter in counters[start : start + MAX_KEYS]]
        answer = client.batch_get_item(RequestItems={peers.COUNTERS: {"Keys": keys}})
        for item in answer["Responses"][peers.COUNTERS]:
            found[item[COUNTER]["S"]] = int(item[COUNT]["N"])
    return found


class _Opens:
    """Opens a consumer of ours in another process, which is handed this."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Handle]:
        with contextlib.closing(open_table(self._endpoint_url)) as table:
            yield in_store(table)


def _counted(counting: Mapping[str, Way], reader: Any, seed: int) -> dict[str, int]:  # noqa: ANN401 (boto3's)
    entrants = _entrants(counting, reader)
    return times_counted(entrants, seed, counters=TWICE_COUNTERS)


def _sides(counting: Mapping[str, Way], reader: Any, repeats: int, seed: int) -> dict[str, Side]:  # noqa: ANN401 (boto3's)
    """Let everybody count in turn, each on counters of its own, and then one batch more."""
    entrants = _entrants(counting, reader)
    workloads = {
        name: Workload(seed, COUNTERS, name=entrant.counters) for name, entrant in entrants.items()
    }
    counting[OURS].handle(workloads[OURS].of_each_counter().event)  # from now on it is warm

    def runner(name: str) -> Callable[[int], Timed]:
        def run(_repeat: int) -> Timed:
            event = workloads[name].batch(EVENTS[name]).event
            return timed(lambda: counting[name].handle(event))

        return run

    times = interleaved({name: runner(name) for name in counting}, range(repeats))
    sides = {
        name: _side(way, reader, workloads[name], EVENTS[name], times[name])
        for name, way in counting.items()
    }
    check(entrants, workloads)
    return sides


def _grown(way: Way, reader: Any, place: Place, repeats: int, seed: int) -> Side:  # noqa: ANN401 (boto3's)
    workload = Workload(seed, place.counters, name=f"of-{place.events}-{place.counters}")
    way.handle(workload.of_each_counter().event)
    times = []
    for _ in range(repeats):
        event = workload.batch(place.events).event
        times.append(timed(lambda event=event: way.handle(event)))  # type: ignore[misc] # mypy knows no type of a lambda's default
    side = _side(way, reader, workload, place.events, times)
    if read_counts(reader, workload.counters) != workload.published:
        raise MiscountedError(OURS)
    return side


def _side(
    way: Way,
    reader: Any,  # noqa: ANN401 (boto3's)
    workload: Workload,
    events: int,
    times: list[Timed],
) -> Side:
    """What one batch more costs."""
    records, (calls, units) = _records(reader), way.spent()
    way.handle(workload.batch(events).event)
    after = way.spent()
    return Side(events, times, after[0] - calls, after[1] - units, _records(reader) - records)


def _entrants(counting: Mapping[str, Way], reader: Any) -> dict[str, Entrant]:  # noqa: ANN401 (boto3's)
    def read(counters: list[str]) -> Mapping[str, int]:
        return read_counts(reader, counters)

    return {
        name: Entrant(way.handle, read=read, counters=f"side-{place}")
        for place, (name, way) in enumerate(counting.items())
    }


def _records(client: Any) -> int:  # noqa: ANN401 (boto3's)
    return int(client.scan(TableName=peers.RECORDS, Select="COUNT")["Count"])


def _spent(usage: Usage) -> tuple[int, int]:
    return usage.answered + usage.unanswered, usage.operations


def _each(count: Callable[[Increment], object]) -> Handle:
    def handle(event: dict[str, Any]) -> None:
        for record in event["Records"]:
            for increment in increments(record["body"]):
                count(increment)

    return handle


def _updated(update: Mapping[str, Any]) -> dict[str, Any]:
    """The item that an UpdateItem leaves, at its longest."""
    return {**update["Key"], COUNT: {"N": MOST_DIGITS}}
