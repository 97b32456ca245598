"""The goals, and what was measured of each: met or not."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.speed import arena, cold, publishing
from benchmarks.speed.contention import CONSUMERS, Contest
from benchmarks.speed.run import LIVE_SOURCES, Results
from benchmarks.speed.timing import ratios, spread

THOUSAND, TEN_THOUSAND = 1_000, 10_000
"""Sizes of the batches that goals speak of."""

FEW, MANY = 8, 64
"""Consumers on one counter that goals speak of."""

PERCENT = 100


class Goal(NamedTuple):
    """A number that was measured, and how large or small it is to be.

    Attributes:
        what: was measured.
        values: of all repeats; none if it could not be measured.
        least: that the median must reach, if it must.
        most: that it may be; with neither, nothing is asked.
        unit: of all of these, with its blank.
    """

    what: str
    values: Sequence[float]
    least: float | None = None
    most: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median is as it is to be; None if nothing is asked, or was measured."""
        if not self.values or self.least is self.most is None:
            return None
        median = spread(self.values).median
        return (self.least is None or median >= self.least) and (
            self.most is None or median <= self.most
        )


def goals(results: Results) -> list[Goal]:
    """All of them, in the order in which they are shown."""
    return [*_throughput(results), *_calls(results), *_contention(results), *_footprint(results)]


def _throughput(results: Results) -> list[Goal]:
    thousand, most = results.match(THOUSAND), results.match(TEN_THOUSAND)
    cpu_us = most.cpu_us(arena.OURS)
    has_redis = arena.REDIS_PACKED in most.times
    return [
        Goal(
            "events/s against the seed's algorithm, 1,000 events on 100 counters",
            ratios(thousand.rates(arena.OURS), thousand.rates(arena.SEED)),
            least=30,
            unit=" ×",
        ),
        Goal(
            "the same, 10,000 events on 100 counters",
            ratios(most.rates(arena.OURS), most.rates(arena.SEED)),
            least=80,
            unit=" ×",
        ),
        Goal(
            "events/s against pipelined Redis Lua, 10,000 events in packed messages",
            ratios(most.rates(arena.OURS_PACKED), most.rates(arena.REDIS_PACKED))
            if has_redis
            else (),
            least=1,
            unit=" ×",
        ),
        Goal("CPU of the handler an event, 10,000 on 100 counters", cpu_us, most=3, unit=" µs"),
        Goal(
            "the same, against a bare `msgspec` parse of the bodies",
            ratios(cpu_us, most.cpu_us(arena.MSGSPEC)),
            unit=" ×",
        ),
    ]


def _calls(results: Results) -> list[Goal]:
    ours, theirs = results.cost[arena.OURS], results.cost[arena.SEED]
    return [
        Goal("reads in a warm batch of one consumer", [ours.reads], most=0),
        Goal("round trips that a warm batch is deep", [results.depth], most=1),
        Goal(
            "Momento operations an event, 1,000 on 100 counters, warm",
            [ours.operations / ours.increments],
            most=0.25,
        ),
        Goal("the same of the seed's algorithm", [theirs.operations / theirs.increments]),
    ]


def _contention(results: Results) -> list[Goal]:
    few, many = (results.busy[CONSUMERS.index(number)] for number in (FEW, MANY))
    calm = results.paused[CONSUMERS.index(FEW)]
    return [
        Goal(
            "swaps tried for each stored, 8 consumers on one counter, always busy",
            _tries(few),
            most=1.6,
        ),
        Goal("the same, each with a batch a second", _tries(calm), most=1.6),
        Goal("the same, 64 consumers, always busy", _tries(many), most=8),
        Goal(
            "messages given up in all of these",
            [sum(each.given_up for each in few + calm + many)],
            most=0,
        ),
    ]


def _tries(contests: list[Contest]) -> list[float]:
    return [contest.tries for contest in contests]


def _footprint(results: Results) -> list[Goal]:
    memory, published = results.memory, results.published
    return [
        Goal(
            f"value of a counter with {LIVE_SOURCES} live sources",
            [results.value_bytes],
            most=1_024,
            unit=" bytes",
        ),
        Goal(
            "cold start of the handler, against importing its libraries alone",
            ratios(results.starts[cold.OURS], results.starts[cold.LIBRARIES]),
            most=1.3,
            unit=" ×",
        ),
        Goal(
            f"growth of the consumer's peak memory over {memory.batches:,} batches",
            [PERCENT * (memory.peak[1] / memory.peak[0] - 1)],
            most=1,
            unit=" %",
        ),
        Goal(
            "publisher, increments/s against a `send_message` each, on moto",
            ratios(published.rates(publishing.OURS), published.rates(publishing.ONE_EACH)),
            least=50,
            unit=" ×",
        ),
    ]
