"""Decides a batch on a counter that is a bare integer, without a ledger."""

from collections.abc import Sequence
from typing import NamedTuple

from tally.counters.counter import Counter
from tally.counters.decision import Decision
from tally.counters.errors import UnreadableValueError
from tally.counters.event import INT64_MAX, INT64_MIN, Event

_BEFORE = {False: Decision.APPLIED, True: Decision.APPLIED_BEFORE}


class Sum(NamedTuple):
    """Events that no bound can reject, as one amount."""

    amount: int
    decisions: Sequence[Decision]


def summed(events: Sequence[Event]) -> Sum | None:
    """The sum of a counter's events, each once; None if they must be decided one after another.

    They must if one has a bound or is a reset, or if the additions or the subtractions alone exceed
    64 bits. A sum is applied in one step. One by one, a counter near the end of 64 bits might have
    overflowed on the way; if the whole sum fits, all of it is applied.
    """
    seen: set[tuple[int, int]] = set()
    decisions = []
    up = down = 0
    for event in events:
        if event.reset is not None or _is_bounded(event):
            return None
        known_by = event.source, event.seq
        decisions.append(_BEFORE[known_by in seen])
        if known_by in seen:
            continue
        seen.add(known_by)
        if event.amount > 0:
            up += event.amount
        else:
            down += event.amount
    if up > INT64_MAX or down < INT64_MIN:
        return None
    return Sum(up + down, decisions)


def fold_bare(value: bytes | None, events: Sequence[Event]) -> tuple[bytes, list[Decision]]:
    """Decide a batch of one counter's events, in their order, on the integer that was read.

    It decides with an empty ledger, so that an event that occurs twice counts once; that ledger is
    not kept.

    Returns:
        The next value and the decisions. Write the value even if it has not changed: a rejection
        depends on the count, and only a swap shows that the read was not stale.

    Raises:
        UnreadableValueError: the value is no integer; it must not be overwritten.
    """
    if value is not None and b"\n" in value:
        msg = "it has a ledger: it was counted exactly once, and is left as it is"
        raise UnreadableValueError(msg)
    counter = Counter(value)
    decisions = [counter.decide(event, INT64_MAX) for event in events]
    return b"%d" % counter.count, decisions


def _is_bounded(event: Event) -> bool:
    """Whether the event can be rejected other than by an overflow of 64 bits."""
    if event.amount > 0:
        return event.high < INT64_MAX
    return event.amount < 0 and event.low > INT64_MIN
