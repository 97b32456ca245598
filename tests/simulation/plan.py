"""What a seed means: sizes, limits, times and faults of one run; drawn, and cut down by hand."""

import dataclasses
from collections.abc import Mapping
from random import Random

import msgspec

from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tests.simulation.faults import DISASTERS, Fault, draw_rates
from tests.simulation.profiles import GROUPS, PROFILES, Bare, Home, Profile

COUNTERS = (*(1, 1, 2, 3, 5) * 5, 20, 40, 300)
"""Past 16 a batch has more than a table takes calls at once, past 256 than Momento does."""

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
COPY_TTLS_S = (1, 5, 60)
DEFAULT_MAXIMA = (INT64_MAX, INT64_MAX, INT64_MAX, 100)
MAX_CONSUMERS = 4
MAX_THREADS = 64
"""What an executor must lend: consumers, readers, and what runs beside them until it is noticed
that they were killed."""

SWITCHED_AT = 0.5
"""When consumers are switched to the other guarantee: a share of the time of the producers."""

FORGETTING = (*DISASTERS, Fault.STORE_RESTARTED)

UNIT_BYTES = 1_024
ITEM_BYTES, EXPIRES_BYTES = 58, 13
"""Of the 1,024 bytes that a write unit has: an item's without name and value, 8 of them spare, and
those of its time to live."""

MAX_ITEM_BYTES = 65_536


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
    copy_ttl_s: int = COPY_TTLS_S[-1]
    dropped: frozenset[int] = frozenset()

    @property
    def _kind(self) -> Profile:
        """What its profile says; a plan of another program's has Momento and letters."""
        return PROFILES.get(self.profile, Profile((), 0))

    @property
    def expires(self) -> bool:
        """Whether counters have a time to live."""
        return self._kind.expires

    @property
    def forgets(self) -> bool:
        """Whether what was decided may be undone: by the store, and never by a write."""
        is_lossy = not self.is_durable and not self.rates.keys().isdisjoint(FORGETTING)
        is_restored = Fault.TABLE_RESTORED in self.rates
        return self.expires or is_lossy or is_restored or self.may_be_bare

    @property
    def is_durable(self) -> bool:
        """Whether counters live in a table with a cache before it."""
        return self._kind.home is Home.TABLE

    @property
    def is_on_valkey(self) -> bool:
        """Whether counters live in Valkey."""
        return self._kind.home is Home.VALKEY

    @property
    def may_be_bare(self) -> bool:
        """Whether some consumers count at least once, at times or always."""
        return self._kind.bare is not Bare.NEVER

    def is_bare(self, now_s: float) -> bool:
        """Whether those that begin now do."""
        is_first = now_s < self.span_s * SWITCHED_AT
        return {Bare.ALWAYS: True, Bare.FIRST: is_first, Bare.LAST: not is_first}.get(
            self._kind.bare, False
        )

    @property
    def has_programs(self) -> bool:
        """Whether programs publish by themselves."""
        return self._kind.has_programs

    def limits_of(self, counter: str, limits: Limits) -> Limits:
        """How much a counter may remember: in a table what its name leaves of a write unit."""
        if not self.is_durable:
            return limits
        room = UNIT_BYTES - ITEM_BYTES - EXPIRES_BYTES * self.expires - len(counter.encode())
        return msgspec.structs.replace(
            limits,
            free_bytes=min(limits.free_bytes, room),
            max_bytes=min(limits.max_bytes, MAX_ITEM_BYTES),
        )

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that less of one thing moves no other."""
        return Random(f"{self.seed}/{purpose}")


def draw(number: int, profile: str = "") -> Plan:
    """The plan of a seed, of one profile, or of one of a group or of all that the seed draws."""
    random = Random(f"plan/{number}")
    weights = [each.weight for each in PROFILES.values()]
    drawn = random.choices(tuple(PROFILES), weights)[0]
    group = GROUPS.get(profile)
    profile = group[number % len(group)] if group else profile or drawn
    calm = profile == "calm"
    return Plan(
        seed=str(number),
        profile=profile,
        rates=draw_rates(random, PROFILES[profile].faults),
        limits=Limits() if calm else draw_limits(random),
        counters=random.choice(COUNTERS),
        producers=random.choice((1, 2, 4, 8)),
        consumers=random.randint(1, MAX_CONSUMERS),
        letters=random.choice((10, 40, 120, 120)),
        letter_events=random.choice((2, 10, 50, 300, 300)),
        batch_letters=random.choice((1, 3, 10, 25, 100)),
        span_s=random.choice(SPANS_S[:3] if calm else SPANS_S),
        timeout_s=30.0 if calm else random.choice((3.0, 10.0, 30.0)),
        visibility_s=180.0 if calm else random.choice(VISIBILITIES_S),
        max_receives=random.choice((3, 5, 20)),
        ttl_s=random.choice(TTLS_S) if PROFILES[profile].expires else LASTING_S,
        default_max=random.choice(DEFAULT_MAXIMA),
        fifo=random.random() < (0.4 if PROFILES[profile].has_programs else 0.15),
        copy_ttl_s=random.choice(COPY_TTLS_S),
    )


def draw_limits(random: Random) -> Limits:
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
