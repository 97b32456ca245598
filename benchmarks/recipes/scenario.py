"""What every recipe is given: the events, their bounds, the consumers, and the faults at a rate."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tally.counters.event import INT64_MAX, Increment, encode
from tally.counters.ledger import Limits
from tally.publishing.sequence import Sequence
from tests.simulation.facts import EPOCH_MS, Letter
from tests.simulation.faults import Fault
from tests.simulation.plan import LASTING_S, Plan

EVENTS = 1_000
"""Increments of a run, each by 1, each in a message of its own."""

COUNTERS = 20
"""Counters of a run; the one of rank k gets a share of the events proportional to 1 / k."""

PRODUCERS = 4
CONSUMERS = 4
"""Consumers at once: the MaximumConcurrency that we deploy with."""

BATCH_MESSAGES = 10
"""Lambda's default BatchSize."""

PUBLISHED_IN_S = 10.0
TIMEOUT_S = 30.0
VISIBILITY_S = 180.0
"""Six times the function's time-out, as AWS advises."""

MAX_RECEIVES = 5

SOLD_OUT_EVERY = 4
"""One counter in so many is asked for twice what its bound allows."""

AMPLE = 1_000_000
"""The bound of the others, which is never reached."""

SHARES: Mapping[Fault, float] = {
    Fault.REQUEST_LOST: 0.5,
    Fault.ANSWER_LOST: 0.5,
    Fault.ECHO: 0.5,
    Fault.GHOST: 0.5,
    Fault.DELETE_LOST: 1.0,
    Fault.KILLED: 1.0,
}
"""How much of the rate each fault has: a call fails at the rate, half of the time after its effect;
a message is delivered twice at the rate, half of the time while it is in flight; a delete is lost
at the rate; and an invocation is killed at the rate."""


class Scenario(NamedTuple):
    """One run, but for its recipe; `rates` are the faults' own."""

    seed: int
    rates: Mapping[Fault, float]
    events: int = EVENTS
    consumers: int = CONSUMERS

    @property
    def plan(self) -> Plan:
        """The run as the parts of the simulation know it."""
        return Plan(
            seed=f"recipes/{self.seed}",
            profile="recipes",
            rates=self.rates,
            limits=Limits(),
            counters=COUNTERS,
            producers=PRODUCERS,
            consumers=self.consumers,
            letters=self.events,
            letter_events=1,
            batch_letters=BATCH_MESSAGES,
            span_s=PUBLISHED_IN_S,
            timeout_s=TIMEOUT_S,
            visibility_s=VISIBILITY_S,
            max_receives=MAX_RECEIVES,
            ttl_s=LASTING_S,
            default_max=INT64_MAX,
            fifo=False,
        )


RATES = (0.0, 0.001, 0.01, 0.1)
"""The fault rates of the table."""


class Published(NamedTuple):
    """An increment, and when it is sent, in seconds on the timeline."""

    at_s: float
    increment: Increment

    @property
    def letter(self) -> Letter:
        """The message; the queue need not know what is meant by it."""
        return Letter(encode(self.increment).decode(), (), "")


def rates(rate: float) -> dict[Fault, float]:
    """The rates of all faults at a rate; at 0 there are none."""
    return {kind: share * rate for kind, share in SHARES.items() if rate}


def publish(plan: Plan) -> Iterator[Published]:
    """The increments of a run, in the order in which they are sent."""
    random = plan.random("events")
    now_s = 0.0
    sequences = [
        Sequence(clock_ms=lambda: EPOCH_MS + int(now_s * 1_000), entropy=random.randbytes)
        for _ in range(plan.producers)
    ]
    names = [f"counter-{rank:02}" for rank in range(1, plan.counters + 1)]
    weights = [1 / rank for rank in range(1, plan.counters + 1)]
    drawn = random.choices(names, weights, k=plan.letters)
    bounds = _bounds(drawn)
    for number, counter in enumerate(drawn):
        now_s = plan.span_s * number / plan.letters
        source, seq, at = random.choice(sequences).next(counter)
        yield Published(
            now_s,
            Increment(counter=counter, max=bounds[counter], source=source, seq=seq, at=at),
        )


def _bounds(drawn: list[str]) -> dict[str, int]:
    """The bound of each counter."""
    return {
        counter: (asked + 1) // 2 if place % SOLD_OUT_EVERY == 1 else AMPLE
        for place, (counter, asked) in enumerate(sorted(Counter(drawn).items()))
    }
