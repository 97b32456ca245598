"""What a load costs at Momento: operations, bytes, and races that consumers lose."""

from collections.abc import Sequence
from dataclasses import dataclass

from tally.cli.plan.batches import Batches
from tally.cli.plan.kinds import Kind
from tally.cli.plan.settings import Settings
from tally.cli.plan.timing import Function, unread_share
from tally.stores.momento.calls import CONDITIONAL_FACTOR

MAX_LOSS_CHANCE = 0.9
"""Of one swap, as far as it is told: well past the rule that keeps races few, it feeds itself."""


@dataclass(frozen=True)
class Momento:
    """The calls to Momento and what it holds.

    Attributes:
        writes_per_s: swaps stored, one for each counter of a batch.
        reads_per_s: reads before a first swap.
        lost_races_per_s: swaps lost, each with another read.
        operations_per_s: as Momento bills all of these.
        operations_a_batch: within one batch, at nearly the same moment.
        operations_an_event: the cost figure of this design.
        contention: of the time between a consumer's batches, what all consumers together spend
            between read and swap of the hottest counter; 0 with a single consumer.
        value_bytes: the longest value, as long as its sources need it to be.
        value_chunks: what that value is billed as, if the ledger may hold it.
        stored_bytes: all values.
        transferred_bytes_per_s: the values in requests and answers.
    """

    writes_per_s: float
    reads_per_s: float
    lost_races_per_s: float
    operations_per_s: float
    operations_a_batch: float
    operations_an_event: float
    contention: float
    value_bytes: int
    value_chunks: int
    stored_bytes: int
    transferred_bytes_per_s: float


@dataclass(frozen=True)
class _Calls:
    """What the counters of one kind need."""

    kind: Kind
    writes_per_s: float
    reads_per_s: float
    lost_races_per_s: float
    contention: float

    @property
    def operations_per_s(self) -> float:
        """A swap costs twice its value's chunks, a read once; a lost race is one of each."""
        swaps = self.writes_per_s + self.lost_races_per_s
        reads = self.reads_per_s + self.lost_races_per_s
        return self.kind.chunks * (CONDITIONAL_FACTOR * swaps + reads)

    @property
    def transferred_bytes_per_s(self) -> float:
        """Each call carries the value once, the swap there and the read back."""
        calls = self.writes_per_s + self.reads_per_s + 2 * self.lost_races_per_s
        return calls * self.kind.stored_bytes


def operate(
    settings: Settings, alike: Sequence[Kind], batches: Batches, function: Function
) -> Momento:
    """Tell the calls that a load needs, and their cost."""
    calls = [_calls(settings, kind, batches, function) for kind in alike]
    longest = max(alike, key=lambda kind: kind.value_bytes)
    operations_per_s = sum(each.operations_per_s for each in calls)
    return Momento(
        writes_per_s=sum(each.writes_per_s for each in calls),
        reads_per_s=sum(each.reads_per_s for each in calls),
        lost_races_per_s=sum(each.lost_races_per_s for each in calls),
        operations_per_s=operations_per_s,
        operations_a_batch=operations_per_s / batches.batches_per_s,
        operations_an_event=operations_per_s / settings.events_per_s,
        contention=max(each.contention for each in calls),
        value_bytes=longest.value_bytes,
        value_chunks=longest.chunks,
        stored_bytes=sum(kind.counters * kind.stored_bytes for kind in alike),
        transferred_bytes_per_s=sum(each.transferred_bytes_per_s for each in calls),
    )


def lost_races(consumers: int, open_s: float, between_s: float) -> float:
    """The swaps of a counter that are lost for each that is stored.

    A try is lost if another consumer's swap falls between its read and its own, and it is made
    again until it is stored.

    Args:
        consumers: that write the counter.
        open_s: between read and swap: a round trip and the fold.
        between_s: the time between two writes of the counter by one consumer.
    """
    chance = min(MAX_LOSS_CHANCE, (consumers - 1) * open_s / between_s)
    return chance / (1.0 - chance)


def _calls(settings: Settings, kind: Kind, batches: Batches, function: Function) -> _Calls:
    present = kind.present(batches.events)
    writes_per_s = batches.batches_per_s * kind.counters * present
    open_s = settings.round_trip_ms / 1_000 + function.fold_s
    open_s *= present  # in a batch without the counter it is not open at all
    lost = lost_races(settings.consumers, open_s, batches.between_s)
    busy = settings.consumers * open_s / batches.between_s
    return _Calls(
        kind,
        writes_per_s,
        reads_per_s=writes_per_s * unread_share(settings, kind),
        lost_races_per_s=writes_per_s * lost,
        contention=busy if settings.consumers > 1 else 0.0,
    )
