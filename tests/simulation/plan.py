"""What a seed means: sizes, limits, times and faults of one run; drawn, and cut down by hand."""

import dataclasses
from collections.abc import Mapping
from random import Random

from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tests.simulation.faults import (
    CONSUMERS,
    DISASTERS,
    NETWORK,
    PRODUCERS,
    QUEUE,
    Fault,
    draw_rates,
)

PROFILES: Mapping[str, tuple[Fault, ...]] = {
    "calm": (),
    "network": NETWORK,
    "queue": QUEUE,
    "consumers": CONSUMERS,
    "producers": PRODUCERS,
    "swarm": NETWORK + QUEUE + CONSUMERS + PRODUCERS,
    "expiry": NETWORK + QUEUE + CONSUMERS + PRODUCERS,
    "valkey": NETWORK + QUEUE + CONSUMERS + PRODUCERS,
    "disasters": NETWORK + QUEUE + CONSUMERS + PRODUCERS + DISASTERS,
}
"""The faults that each profile may have. In `calm` all must be decided; in `expiry` counters have
a time to live, so that an event may be decided once in each life. In the last two they are in
Valkey, which in `disasters` evicts, and fails over to states that it had before."""

WEIGHTS = {"calm": 1, "network": 2, "queue": 1, "consumers": 1, "producers": 1, "swarm": 12}
WEIGHTS |= {"expiry": 2, "valkey": 4, "disasters": 4}

SPANS_S = (1.0, 20.0, 600.0, 300_000.0)
"""How long producers publish: a burst, … three and a half days, well past the horizon of one."""

HORIZONS_S = (0, 1, 60, 86_400)
FREE_BYTES = (60, 150, 1_024)
MAX_BYTES = (120, 400, 1_048_576)
MAX_RUNS = (4, 16, 65_536)
MAX_REJECTED = (2, 8, 1_024)
VISIBILITIES_S = (0.3, 3.0, 30.0)
TTLS_S = (1, 10, 60)
LASTING_S = 86_400
MAX_CONSUMERS = 4


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run, but for its letters and its dice, which `seed` gives. Times are in seconds.

    `dropped` are the numbers of letters that are not sent, of `producers` so many publish.
    """

    seed: str
    profile: str
    rates: Mapping[Fault, float]
    limits: Limits
    counters: int
    producers: int
    consumers: int
    letters: int
    letter_events: int
    batch_letters: int
    span_s: float
    timeout_s: float
    visibility_s: float
    max_receives: int
    ttl_s: int
    default_max: int
    fifo: bool
    dropped: frozenset[int] = frozenset()

    @property
    def expires(self) -> bool:
        """Whether counters have a time to live."""
        return self.profile == "expiry"

    @property
    def forgets(self) -> bool:
        """Whether what was decided may be undone: by the store, and never by a write."""
        return self.expires or not self.rates.keys().isdisjoint(DISASTERS)

    @property
    def is_on_valkey(self) -> bool:
        """Whether counters live in Valkey, and otherwise in Momento."""
        return self.profile in {"valkey", "disasters"}

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that less of one thing moves no other."""
        return Random(f"{self.seed}/{purpose}")


def draw(number: int, profile: str = "") -> Plan:
    """The plan of a seed, of one profile or of the one that the seed draws."""
    random = Random(f"plan/{number}")
    drawn = random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
    profile = profile or drawn
    calm = profile == "calm"
    return Plan(
        seed=str(number),
        profile=profile,
        rates=draw_rates(random, PROFILES[profile]),
        limits=Limits() if calm else _limits(random),
        counters=random.choice((1, 1, 2, 3, 5)),
        producers=random.choice((1, 2, 4, 8)),
        consumers=random.randint(1, MAX_CONSUMERS),
        letters=random.choice((10, 40, 120)),
        letter_events=random.choice((2, 10, 50, 300)),
        batch_letters=random.choice((1, 3, 10, 25)),
        span_s=random.choice(SPANS_S[:3] if calm else SPANS_S),
        timeout_s=30.0 if calm else random.choice((3.0, 10.0, 30.0)),
        visibility_s=180.0 if calm else random.choice(VISIBILITIES_S),
        max_receives=random.choice((3, 5, 20)),
        ttl_s=random.choice(TTLS_S) if profile == "expiry" else LASTING_S,
        default_max=random.choice((INT64_MAX, INT64_MAX, INT64_MAX, 100)),
        fifo=random.random() < 0.15,
    )


def _limits(random: Random) -> Limits:
    """A third as deployed; the others hostile in some or all ways."""
    if random.random() < 0.3:
        return Limits()
    return Limits(
        horizon_s=random.choice(HORIZONS_S),
        free_bytes=random.choice(FREE_BYTES),
        max_bytes=random.choice(MAX_BYTES),
        max_runs=random.choice(MAX_RUNS),
        max_rejected=random.choice(MAX_REJECTED),
    )
