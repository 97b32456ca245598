"""The ledger: which events of which source are decided, and how the oldest are forgotten."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable

import msgspec

from tally.counters.columns import Columns
from tally.counters.decision import Decision
from tally.counters.runs import Runs, add, contains, pack, touches, unpack, upper_half

MS = 1_000
"""Milliseconds in a second: an event's `at` is in ms, a source's `seen` in s, rounded up."""


class Limits(msgspec.Struct, frozen=True):
    """How much a counter remembers."""

    horizon_s: int = 86_400
    """How far behind the newest event a source may be and still be kept past free_bytes."""
    free_bytes: int = 1_024
    """Up to this size nothing is forgotten: one chunk as Momento bills it."""
    max_bytes: int = 1_048_576
    """Past this even recent sources are forgotten: a fifth of Momento's largest item."""
    max_runs: int = 65_536
    """A source whose decided runs have more bounds than this opens no further gap."""
    max_rejected: int = 1_024
    """A source whose rejected runs have more bounds than this forgets their lower half."""


class Source:
    """What is known of one source while its events are decided."""

    __slots__ = ("decided", "rejected", "seen")

    def __init__(self, seen: int, decided: Runs, rejected: Runs) -> None:
        self.seen = seen
        self.decided = decided
        self.rejected = rejected

    def recall(self, seq: int) -> Decision | None:
        """How an event was decided before; None if it was not, as far as the ledger knows."""
        if seq >= self.decided[-1] or not contains(self.decided, seq):
            return None
        if seq < self.rejected[0]:
            return Decision.DECIDED_BEFORE
        rejected = contains(self.rejected, seq)
        return Decision.REJECTED_BEFORE if rejected else Decision.APPLIED_BEFORE

    def opens_gap(self, seq: int) -> bool:
        """Whether an event makes a run of its own."""
        return not touches(self.decided, seq)


class Ledger:
    """The sources of one counter: opened for the current events, all others as stored."""

    def __init__(self, columns: Columns) -> None:
        self.floor_ms = columns.floor * MS
        self.changed = False
        self._columns = columns
        self._places = dict(zip(columns.ids, range(len(columns.ids)), strict=True))
        self._open: dict[int, Source] = {}

    def source(self, number: int) -> Source:
        """What is known of a source; a new source is kept only once it records an event."""
        known = self._open.get(number)
        if known is not None:
            return known
        place = self._places.get(number)
        if place is None:
            return Source(0, [0, 0], [0, 0])
        stored = self._columns
        rejected = stored.rejected.get(place)
        opened = Source(
            stored.seen[place],
            unpack(stored.decided[place]),
            [0, 0] if rejected is None else unpack(rejected),
        )
        self._open[number] = opened
        return opened

    def record(self, number: int, source: Source, seq: int, at: int) -> None:
        """Record an event as decided. `seen` follows the event's own time, never a consumer's."""
        if at > source.seen * MS:
            source.seen = -(-at // MS)
        decided = source.decided
        if seq == decided[-1]:  # the usual case, without a call
            decided[-1] = seq + 1
        else:
            add(decided, seq)
        self._open[number] = source
        self.changed = True

    def columns(self, max_rejected: int) -> Columns:
        """The ledger as it is stored, sorted by `seen`; sources of one second keep their order."""
        stored = self._columns
        ids, seen, decided = stored.ids.copy(), stored.seen.copy(), stored.decided.copy()
        rejected = stored.rejected.copy()
        for number, source in self._open.items():
            place = self._places.get(number)
            if place is None:
                place = len(ids)
                ids.append(number)
                seen.append(source.seen)
                decided.append(0)
            seen[place], decided[place] = source.seen, pack(source.decided)
            if len(source.rejected) > max_rejected:
                source.rejected = upper_half(source.rejected)
            if source.rejected[-1]:
                rejected[place] = pack(source.rejected)
        order = sorted(range(len(ids)), key=seen.__getitem__)
        return Columns(
            stored.floor,
            [ids[place] for place in order],
            [seen[place] for place in order],
            [decided[place] for place in order],
            {new: rejected[old] for new, old in enumerate(order) if old in rejected},
        )


def forget(columns: Columns, limits: Limits, size: Callable[[Columns], int]) -> Columns:
    """Drop the oldest sources until the value fits; event time decides, there is no wall clock.

    Sources last seen before the horizon are dropped until the value fits free_bytes, others only
    until it fits max_bytes. Each dropped source shrinks the value, so bisection finds the number.
    """

    def fits(limit_bytes: int) -> Callable[[int], bool]:
        return lambda dropped: size(columns.without(dropped)) <= limit_bytes

    seen = columns.seen
    expired = dropped = bisect_right(seen, seen[-1] - limits.horizon_s)
    # First the usual case, without a search: a large value is large because of recent sources.
    if fits(limits.free_bytes)(expired):
        dropped = bisect_left(range(expired), True, key=fits(limits.free_bytes))  # noqa: FBT003 (the key sought)
    elif not fits(limits.max_bytes)(expired):
        recent = range(expired, len(seen))
        dropped += bisect_left(recent, True, key=fits(limits.max_bytes))  # noqa: FBT003 (as above)
    return columns.without(dropped)
