"""How the cost of our consumer grows with the counters of a batch and with their live sources."""

from collections.abc import Iterable

import msgspec

from benchmarks.speed.arena import CURVES, Arena
from benchmarks.speed.consumers import Handle, tally, unread, warm_up
from benchmarks.speed.peers import read_value
from benchmarks.speed.timing import Timed, timed
from benchmarks.speed.workload import EPOCH_MS, Workload
from tally.counters.counter import fold
from tally.counters.event import Event
from tally.counters.ledger import Limits

COUNTERS = (1, 10, 100, 1_000, 10_000)
COUNTERS_BATCH = 10_000
"""Increments in a batch of the curve over counters."""

SOURCES = (1, 10, 100, 1_000, 10_000)
SOURCES_BATCH = 100
"""Increments in a batch of the curve over live sources, all for one counter."""

DAY_MS = 86_400_000
READS = ("Get", "GetWithHash")


class Cost(msgspec.Struct, frozen=True):
    """What the embedded Momento saw of one batch; `operations` as Momento bills them."""

    increments: int
    reads: int
    calls: int
    operations: int


class Point(msgspec.Struct, frozen=True):
    """One place of a curve: how many there are of what grows, and what batches took then.

    Attributes:
        many: how many there are.
        increments: of a batch.
        times: of the batches.
        cost: of one more.
        value_bytes: the length of the counter's value, where there is one counter.
    """

    many: int
    increments: int
    times: list[Timed]
    cost: Cost
    value_bytes: int = 0

    @property
    def rates(self) -> list[float]:
        """Increments a second, repeat by repeat."""
        return [self.increments / each.wall_s for each in self.times]

    @property
    def cpu_us(self) -> list[float]:
        """CPU an increment, in µs, repeat by repeat."""
        return [each.cpu_s / self.increments * 1e6 for each in self.times]


def cost(arena: Arena, handle: Handle, workload: Workload, increments: int) -> Cost:
    """What one more batch costs at Momento; nobody else may be at work."""
    before = arena.stats()
    with unread():
        handle(workload.batch(increments).event)
    after = arena.stats()
    calls = {name: after.calls[name] - before.calls.get(name, 0) for name in after.calls}
    billed = sum(after.operations.values()) - sum(before.operations.values())
    reads = sum(calls.get(name, 0) for name in READS)
    return Cost(increments, reads, sum(calls.values()), billed)


def over_counters(arena: Arena, many: Iterable[int], *, repeats: int, seed: int) -> list[Point]:
    """Batches of one size on more and more counters, by a warm consumer."""
    points = []
    for counters in many:
        workload = Workload(seed, counters, name=f"of-{counters}")
        with tally(arena.endpoint, CURVES) as handle, unread():
            warm_up(handle, workload)
            times = [_batch(handle, workload, COUNTERS_BATCH) for _ in range(repeats)]
            costs = cost(arena, handle, workload, COUNTERS_BATCH)
        points.append(Point(counters, COUNTERS_BATCH, times, costs))
    return points


def over_sources(arena: Arena, many: Iterable[int], *, repeats: int, seed: int) -> list[Point]:
    """Batches of one size for one counter with more and more live sources, by a warm consumer."""
    points = []
    for sources in many:
        workload = Workload(seed, 1, sources=sources, name=f"from-{sources}")
        with tally(arena.endpoint, CURVES) as handle, unread():
            handle(workload.of_each_source(DAY_MS // sources).event)
            warm_up(handle, workload)
            times = [_batch(handle, workload, SOURCES_BATCH) for _ in range(repeats)]
            costs = cost(arena, handle, workload, SOURCES_BATCH)
        length = len(read_value(arena.endpoint, CURVES, workload.counters[0]))
        points.append(Point(sources, SOURCES_BATCH, times, costs, length))
    return points


def value_bytes(sources: int, increments_each: int = 1_000) -> int:
    """How long the value is of a counter that so many sources publish to, spread over a day."""
    step_ms = DAY_MS // sources
    events = [
        Event("page:home", number * 0x0123_4567_89AB_CDEF % 2**64, seq, EPOCH_MS + number * step_ms)
        for number in range(1, sources + 1)
        for seq in range(increments_each)
    ]
    return len(fold(None, events, Limits()).value or b"")


def _batch(handle: Handle, workload: Workload, increments: int) -> Timed:
    event = workload.batch(increments).event
    return timed(lambda: handle(event))
