"""Counters that are alike: how often one is in a batch, and what its value has come to."""

import functools
import math
from dataclasses import dataclass

from tally.cli.plan.settings import Identity, Settings
from tally.cli.plan.value import Ledger, value_bytes
from tally.counters.ledger import Limits
from tally.stores.momento.calls import BILLED_BYTES

LIMITS = Limits()
"""How much a ledger remembers, as the consumer has it."""


@dataclass(frozen=True)
class Kind:
    """Some counters of one sort.

    Attributes:
        counters: how many.
        share: of all events, what each gets.
        ledger: what each has to remember: the sources within the horizon.
    """

    counters: int
    share: float
    ledger: Ledger

    @functools.cached_property
    def value_bytes(self) -> int:
        """The value as long as its sources need it to be."""
        return value_bytes(self.ledger)

    @property
    def stored_bytes(self) -> int:
        """The value as long as the ledger lets it become, by forgetting."""
        return min(self.value_bytes, LIMITS.max_bytes)

    @property
    def stored_sources(self) -> int:
        """The sources that stay when the value must be shorter than they need."""
        return math.ceil(self.ledger.sources * self.stored_bytes / self.value_bytes)

    @property
    def chunks(self) -> int:
        """What Momento bills the value as: each 1,024 bytes begun."""
        return -(-self.stored_bytes // BILLED_BYTES)

    def present(self, events: float) -> float:
        """The chance that one of these counters is in a batch of so many events."""
        return 1.0 - math.pow(1.0 - self.share, events)


def kinds(settings: Settings) -> list[Kind]:
    """The counters by kind: the hot one first, if there is one, then the even others."""
    even = (1.0 - settings.hot_share) / settings.counters
    if not settings.hot_share or settings.counters == 1:
        share = 1.0 / settings.counters
        return [Kind(settings.counters, share, _ledger(settings, share))]
    hot = even + settings.hot_share
    return [
        Kind(1, hot, _ledger(settings, hot)),
        Kind(settings.counters - 1, even, _ledger(settings, even)),
    ]


def _ledger(settings: Settings, share: float) -> Ledger:
    """What a counter of this share has seen within the horizon, its sources spread over it."""
    events = max(1, math.ceil(settings.events_per_s * share * LIMITS.horizon_s))
    if settings.identity is Identity.NAMED:
        return Ledger(events, seqs=1, spacing_s=LIMITS.horizon_s // events)
    sources = min(settings.sources, events)
    seqs = math.ceil(events / sources)
    return Ledger(sources, seqs, settings.gaps, spacing_s=LIMITS.horizon_s // sources)
