"""What became of an event: asked of the counter's value, and of nothing else."""

import enum

from tally.counters.counter import Counter
from tally.counters.decision import Decision


class Outcome(enum.Enum):
    """What a value tells of an event."""

    APPLIED = "applied"
    REJECTED = "rejected"  # it would have crossed its bound
    PENDING = "pending"  # it has not arrived, as far as this value knows
    FORGOTTEN = "forgotten"  # older than the memory: it may have been decided either way, or never


_OUTCOMES = {
    Decision.APPLIED_BEFORE: Outcome.APPLIED,
    Decision.REJECTED_BEFORE: Outcome.REJECTED,
    Decision.DECIDED_BEFORE: Outcome.FORGOTTEN,
}


def outcome(value: bytes | None, source: int, seq: int, at: int) -> Outcome:
    """What became of the event `source:seq:at`, by the stored value of its counter.

    In a counter's life applied and rejected are never told otherwise later, only forgotten, and
    forgotten stays. An absent counter answers pending: it may never have been, or it has expired
    with all that it knew; and so does a bare integer, which knows nothing, and an event that was
    never published.

    Args:
        value: the stored bytes, perhaps of a stale read; None for an absent counter.
        source: the number that the 16 hexadecimal digits write.
        seq: its number within the source and the counter.
        at: when it was published, in ms since the epoch.

    Raises:
        UnreadableValueError: the value is no counter.
    """
    ledger = Counter(value).ledger
    decided = ledger.source(source).recall(seq)
    if decided is not None:
        return _OUTCOMES[decided]
    return Outcome.FORGOTTEN if at <= ledger.floor_ms else Outcome.PENDING
