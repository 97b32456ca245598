"""What a counter can answer about an event."""

import enum


class Decision(enum.Enum):
    """The answer to one event; the first two are new, and only they change a counter."""

    APPLIED = "applied"
    REJECTED = "rejected"  # it would have crossed its bound
    APPLIED_BEFORE = "applied before"
    REJECTED_BEFORE = "rejected before"
    DECIDED_BEFORE = "decided before"  # the ledger has forgotten which way
    UNDECIDABLE = "undecidable"  # too old: it may have been decided before; nothing is guessed
    FULL = "full"  # the source has left too many gaps; decidable once they close

    @property
    def is_settled(self) -> bool:
        """Whether the event is decided, so that its message may be deleted."""
        return self not in _REPORTED


_REPORTED = frozenset({Decision.UNDECIDABLE, Decision.FULL})
