"""Whether a load fits: each limit, and where the load is against it."""

from dataclasses import dataclass

from tally.cli.plan.kinds import LIMITS
from tally.cli.plan.model import Figures, estimate
from tally.cli.plan.settings import Settings
from tally.settling.progress import MAX_THROTTLED_TRIES
from tally.settling.reserve import MAX_RESERVED_SHARE, RESERVE_PER_MESSAGE_S, RESERVE_S
from tally.stores.momento.calls import BILLED_BYTES

MAX_CONTENTION = 0.5
"""M · (round trip + fold) is at most half of the time between a consumer's batches: from there on
more and more swaps are lost to each other, and more consumers do less."""


@dataclass(frozen=True)
class Check:
    """One limit.

    Attributes:
        name: of what is limited.
        value: of the load.
        limit: what the value may be at most.
        unit: of both.
    """

    name: str
    value: float
    limit: float
    unit: str

    @property
    def fits(self) -> bool:
        """Whether the load keeps the limit."""
        return self.value <= self.limit


def check(settings: Settings, figures: Figures) -> list[Check]:
    """All limits, whether the load keeps them or not."""
    function, momento = figures.function, figures.momento
    longest_s = _usable_s(settings, figures.batches.most_messages)
    return [
        Check("operations", momento.operations_per_s, settings.quota_per_s, "/s"),
        Check("races", momento.contention, MAX_CONTENTION, "of the time"),
        Check("events", settings.events_per_s, function.capacity_per_s, "/s"),
        Check("a full batch", function.longest_s, longest_s, "s"),
        Check("value", momento.value_bytes, LIMITS.max_bytes, "bytes"),
    ]


def misfits(settings: Settings) -> list[Check]:
    """The limits that the load breaks."""
    return [each for each in check(settings, estimate(settings)) if not each.fits]


def _usable_s(settings: Settings, messages: int) -> float:
    """What the consumer allows itself of its time-out: the response needs the rest."""
    reserve_s = RESERVE_S + messages * RESERVE_PER_MESSAGE_S
    return settings.timeout_s - min(reserve_s, settings.timeout_s * MAX_RESERVED_SHARE)


def notes(settings: Settings, figures: Figures) -> list[str]:
    """What breaks no limit and is worth knowing all the same."""
    momento, told = figures.momento, []
    if momento.operations_a_batch > settings.quota_per_s:
        told.append(
            f"A batch is {momento.operations_a_batch:,.0f} operations at nearly one moment, more "
            "than the quota of a second. How much of a burst Momento lets through is not "
            f"published; what it throttles {MAX_THROTTLED_TRIES} times goes back to SQS."
        )
    if momento.value_chunks > 1:
        told.append(
            f"The longest value is billed as {momento.value_chunks:,} chunks of "
            f"{BILLED_BYTES:,} bytes, so each of its calls costs {momento.value_chunks:,} times."
        )
    return told
