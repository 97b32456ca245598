"""Whether one value of a counter can have come of another, by what their ledgers know."""

from tally.counters import columns
from tally.counters.columns import Columns
from tally.counters.runs import unpack, within


def lacks(value: bytes, earlier: bytes) -> bool:
    """Whether a value lacks events that an earlier one has decided, and has not forgotten them.

    What was ever decided stays in the ledger until its source is dropped, and then the floor is at
    or above the time at which that source was last seen. So a value that lacks an event of a source
    last seen above its floor does not come of the earlier one: the counter was set back between.

    Args:
        value: what a counter holds.
        earlier: what it held before, for certain.

    Raises:
        UnreadableValueError: one of them is no counter.
    """
    now, then = _ledger(value), _ledger(earlier)
    decided = dict(zip(now.ids, now.decided, strict=True))
    for source, seen, before in zip(then.ids, then.seen, then.decided, strict=True):
        known = decided.get(source, 0)
        is_changed = known != before and seen > now.floor
        if is_changed and not within(unpack(before), unpack(known) if known else [0, 0]):
            return True
    return False


def _ledger(value: bytes) -> Columns:
    _, newline, stored = value.partition(b"\n")
    return columns.decode(stored) if newline else columns.empty()
