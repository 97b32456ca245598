"""A counter: a count and its ledger, decided and written together.

The value of a counter is the count in decimal, a newline, and its ledger in MessagePack. One
compare-and-swap writes both, so no event is counted without being remembered, or the reverse.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tally.counters import columns
from tally.counters.columns import Columns
from tally.counters.decision import Decision
from tally.counters.errors import UnreadableValueError, shown
from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Ledger, Limits, forget
from tally.counters.runs import add

# Looked up once: in Python 3.11 a member of an enum takes longer to get than a decision to make.
_APPLIED = Decision.APPLIED

_DECIMAL = re.compile(rb"0|-?[1-9][0-9]{0,18}")


class Fold(NamedTuple):
    """What a batch makes of a value.

    `value` replaces the one that was read. None means that there is nothing to write; the events
    may then be acknowledged even after a stale read, since what is decided stays decided.
    """

    value: bytes | None
    decisions: list[Decision]


def fold(value: bytes | None, events: Sequence[Event], limits: Limits) -> Fold:
    """Decide a batch of one counter's events, in their order, on the value that was read.

    Args:
        value: the stored bytes; None for an absent counter. A bare integer becomes the count.
        events: of this counter; one event may occur more than once.
        limits: how much the ledger remembers.

    Raises:
        UnreadableValueError: the value is no counter; it must not be overwritten.
    """
    counter, max_runs = Counter(value), limits.max_runs
    decisions = [counter.decide(event, max_runs) for event in events]
    return Fold(counter.encode(limits) if counter.ledger.changed else None, decisions)


class Counter:
    """A count and its ledger, while a batch of events is decided on them."""

    def __init__(self, value: bytes | None) -> None:
        head, newline, stored = (b"0", b"", b"") if value is None else value.partition(b"\n")
        self.count = _count(head)
        self.ledger = Ledger(columns.decode(stored) if newline else columns.empty())

    def decide(self, event: Event, max_runs: int) -> Decision:
        """Decide one event; an event in the ledger stays as it was decided."""
        seq, amount = event.seq, event.amount
        source = self.ledger.source(event.source)
        # The usual case: the event follows the last run, so it was not decided.
        before = None if seq == source.decided[-1] else source.recall(seq)
        if before is not None:
            return before
        if event.at <= self.ledger.floor_ms:
            return Decision.UNDECIDABLE
        if len(source.decided) > max_runs and source.opens_gap(seq):
            return Decision.FULL
        self.ledger.record(event.source, source, seq, event.at)
        if event.reset is not None:
            self.count = event.reset
            return _APPLIED
        count = self.count + amount
        # A + checks only max and a - only min, so that a count outside its bounds can come back.
        if count > event.high if amount > 0 else amount < 0 and count < event.low:
            if seq >= source.rejected[0]:
                add(source.rejected, seq)
            return Decision.REJECTED
        self.count = count
        return _APPLIED

    def encode(self, limits: Limits) -> bytes:
        """The bytes to store, with as much of the ledger as the limits allow."""
        head = b"%d\n" % self.count
        whole = self.ledger.columns(limits.max_rejected)
        stored = columns.encode(whole)
        if len(head) + len(stored) <= limits.free_bytes:
            return head + stored

        def size(kept: Columns) -> int:
            return len(head) + len(stored if kept is whole else columns.encode(kept))

        kept = forget(whole, limits, size)
        return head + (stored if kept is whole else columns.encode(kept))


def read_count(value: bytes) -> int:
    """The count of a stored value, for readers that do not need its ledger.

    Raises:
        UnreadableValueError: the first line is no 64-bit integer.
    """
    return _count(value.partition(b"\n")[0])


def _count(head: bytes) -> int:
    if _DECIMAL.fullmatch(head) and INT64_MIN <= (count := int(head)) <= INT64_MAX:
        return count
    msg = f"the count cannot be read: {shown(head)}"
    raise UnreadableValueError(msg)
