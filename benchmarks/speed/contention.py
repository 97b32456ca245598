"""Many consumers on one hot counter: how often a swap is tried until it is stored."""

from collections.abc import Iterable

import msgspec

from benchmarks.speed.consumers import warm_up
from benchmarks.speed.virtual import Context, Land, Pace
from benchmarks.speed.workload import Workload
from tests.simulation.timeline import Actor

CONSUMERS = (1, 2, 4, 8, 16, 32, 64)

PACE = Pace(round_trip_s=0.005, fold_s=0.002, jitter=0.5)
"""2 ms is what folding and encoding one or two thousand events of a counter takes."""

WINDOW_S = 1.0
"""Between two batches of a consumer where the queue is empty now and then: our batching window."""

TIMEOUT_S = 30.0
"""The function's, as deployed."""

BATCH_INCREMENTS = 5
"""What is in a batch matters to the fold alone, and its time is stated."""


class Contest(msgspec.Struct, frozen=True):
    """What came of some consumers in some time.

    Attributes:
        consumers: how many.
        tried: swaps sent.
        stored: swaps stored, each of them a batch.
        given_up: messages that went back to the queue.
        longest_s: the longest that a batch took.
        lasted_s: how long all of it lasted.
    """

    consumers: int
    tried: int
    stored: int
    given_up: int
    longest_s: float
    lasted_s: float

    @property
    def tries(self) -> float:
        """Swaps tried for each that was stored."""
        return self.tried / self.stored

    @property
    def stored_per_s(self) -> float:
        """Batches that the counter takes in a second."""
        return self.stored / self.lasted_s


def contend(consumers: int, seed: int, *, duration_s: float, pause_s: float = 0.0) -> Contest:
    """Let consumers take batches of one counter, one after the other, for some time.

    Args:
        consumers: how many.
        seed: the same seed gives the same contest.
        duration_s: no batch begins later than this.
        pause_s: between two batches of a consumer, on average; at 0 there is always a next one.
    """
    land = Land(PACE, seed)
    workload = Workload(seed, counters=1)
    timeline, uniform = land.timeline, land.random.uniform
    given_up, longest_s = 0, 0.0

    def live(actor: Actor) -> None:
        nonlocal given_up, longest_s
        consumer = land.consumer(actor)
        actor.sleep_until(uniform(0.0, pause_s))
        while (began_at_s := timeline.now_s) < duration_s:
            event = workload.batch(BATCH_INCREMENTS).event
            answer = consumer.handle(event, Context(timeline, TIMEOUT_S))
            given_up += len(answer["batchItemFailures"])
            longest_s = max(longest_s, timeline.now_s - began_at_s)
            actor.sleep_until(timeline.now_s + pause_s * uniform(0.5, 1.5))

    land.play(live, consumers)
    return Contest(consumers, land.tried, land.stored, given_up, longest_s, timeline.now_s)


def curve(seeds: Iterable[int], *, duration_s: float, pause_s: float = 0.0) -> list[list[Contest]]:
    """For each number of consumers its contests, one for each seed."""
    repeats = list(seeds)
    return [
        [contend(many, seed, duration_s=duration_s, pause_s=pause_s) for seed in repeats]
        for many in CONSUMERS
    ]


def depth(counters: int) -> float:
    """How many round trips deep a warm batch of so many counters is, all else taking no time."""
    land = Land(Pace(round_trip_s=1.0, fold_s=0.0, jitter=0.0), seed=0)
    workload = Workload(0, counters)
    round_trips = 0.0

    def live(actor: Actor) -> None:
        nonlocal round_trips
        consumer = land.consumer(actor)

        def handle(event: dict[str, object]) -> None:
            consumer.handle(event, Context(land.timeline, TIMEOUT_S))

        warm_up(handle, workload)
        began_at_s = land.timeline.now_s
        handle(workload.of_each_counter().event)
        round_trips = land.timeline.now_s - began_at_s

    land.play(live, actors=1)
    return round_trips
