"""What became of an event, read from the counter's value alone."""

import enum

from tally.counters.counter import Counter
from tally.counters.decision import Decision


class Outcome(enum.Enum):
    """What a value says about an event.

    Attributes:
        APPLIED: it is in the count.
        REJECTED: it would have crossed its bound, and never counts, however often it is sent.
        PENDING: it has not arrived, as far as this value knows.
        FORGOTTEN: older than the memory: applied, rejected or never decided.
    """

    APPLIED = "applied"
    REJECTED = "rejected"
    PENDING = "pending"
    FORGOTTEN = "forgotten"


_OUTCOMES = {
    Decision.APPLIED_BEFORE: Outcome.APPLIED,
    Decision.REJECTED_BEFORE: Outcome.REJECTED,
    Decision.DECIDED_BEFORE: Outcome.FORGOTTEN,
}


def outcome(value: bytes | None, source: int, seq: int, at: int) -> Outcome:
    """What became of the event `source:seq:at`, by the stored value of its counter.

    During a counter's life, applied and rejected can only become forgotten, and forgotten stays.
    The answer is pending for an absent counter, which may never have been or has expired with its
    ledger; for a bare integer, which has no ledger; and for an event that was never published.

    Args:
        value: the stored bytes, perhaps of a stale read; None for an absent counter.
        source: the number of the 16 hexadecimal digits.
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
