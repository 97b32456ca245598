"""How long the function takes for a batch, and how much all consumers manage."""

from collections.abc import Sequence
from dataclasses import dataclass

from tally.cli.plan.batches import Batches, distinct
from tally.cli.plan.kinds import Kind
from tally.cli.plan.settings import Settings
from tally.settling.copies import MAX_COPIES, MAX_COPIES_BYTES
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT

BATCH_CPU_S = 0.001
MESSAGE_CPU_S = 0.000_005
EVENT_CPU_S = 0.000_002
WRITE_CPU_S = 0.000_15
SOURCE_CPU_S = 0.000_001
"""What a batch, a message, an event, a counter's write and a source in its ledger take of one
core, in seconds; measured, and rounded up: docs/planning.md, "Time"."""

CORE_MB = 1_769
"""The memory at which a function has one core (Lambda, "Configure function memory")."""


@dataclass(frozen=True)
class Function:
    """The function's time.

    Attributes:
        fold_s: the work on a batch as expected, without the calls.
        duration_s: a batch as expected.
        longest_s: a full batch, from a backlog.
        capacity_per_s: the events that all consumers manage with full batches.
    """

    fold_s: float
    duration_s: float
    longest_s: float
    capacity_per_s: float


def take_time(settings: Settings, alike: Sequence[Kind], batches: Batches) -> Function:
    """Tell the times of a batch as expected, and of a full one."""
    full_events = settings.consumers * batches.most_messages * settings.packed
    longest_s = _duration_s(settings, alike, batches.most_messages)
    return Function(
        fold_s=_fold_s(settings, alike, batches.messages),
        duration_s=_duration_s(settings, alike, batches.messages),
        longest_s=longest_s,
        capacity_per_s=full_events / longest_s,
    )


def unread_share(settings: Settings, kind: Kind) -> float:
    """How much of the writes needs a read first, because no warm copy fits.

    With several consumers another one has mostly written since, and the copies are left aside. A
    single consumer reads only what they have no room for.
    """
    if settings.consumers > 1:
        return 1.0
    room = min(MAX_COPIES, MAX_COPIES_BYTES / kind.stored_bytes)
    return max(0.0, 1.0 - room / settings.counters)


def _duration_s(settings: Settings, alike: Sequence[Kind], messages: float) -> float:
    """A read where one is needed and a swap, so many in flight at once, and the work."""
    counters = distinct(alike, messages * settings.packed)
    waves = max(1.0, counters / MAX_CALLS_IN_FLIGHT)
    trips = 1.0 + max(unread_share(settings, kind) for kind in alike)
    return waves * trips * settings.round_trip_ms / 1_000 + _fold_s(settings, alike, messages)


def _fold_s(settings: Settings, alike: Sequence[Kind], messages: float) -> float:
    events = messages * settings.packed
    core_s = BATCH_CPU_S + messages * MESSAGE_CPU_S + events * EVENT_CPU_S
    for kind in alike:
        a_write_s = WRITE_CPU_S + kind.stored_sources * SOURCE_CPU_S
        core_s += kind.counters * kind.present(events) * a_write_s
    return core_s / min(1.0, settings.memory_mb / CORE_MB)
