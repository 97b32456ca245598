"""Whether one value of a counter can descend from another, as their ledgers show."""

from tally.counters import columns
from tally.counters.columns import Columns
from tally.counters.runs import unpack, within


def lacks(value: bytes, earlier: bytes) -> bool:
    """Whether a value lacks events that an earlier value has, without having forgotten them.

    A decided event stays in the ledger until its source is dropped, and then the floor is at or
    above the time when that source was last seen. So if a value lacks an event of a source last
    seen above its floor, it does not descend from the earlier one: the counter was set back.

    Args:
        value: what a counter holds.
        earlier: what it certainly held before.

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
