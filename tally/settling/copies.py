"""Warm copies: what this environment last wrote, so that its next swap needs no read."""

from collections import OrderedDict
from collections.abc import Iterable

from tally.stores.port import Copy

MAX_COPIES = 10_000
"""The most counters remembered; the least recently used is forgotten first."""

MAX_COPIES_BYTES = 33_554_432
"""The most bytes of values remembered, 32 MiB: a fraction of the smallest useful Lambda."""

MAX_SKIPPED_BATCHES = 63
"""After misses a counter's copies are left out of 1, 3, 7 … up to this many batches."""


class _Entry:
    """A counter's copy, if any, and how well its copies have done."""

    __slots__ = ("copy", "penalty", "skips")

    def __init__(self) -> None:
        self.copy: Copy | None = None
        self.penalty = 0
        self.skips = 0


class Copies:
    """The copies by counter. A copy helps if this environment wrote last; a miss costs a round.

    With one consumer a copy always helps, with eight rarely. So after a miss the counter's copies
    are left out of the next 1, 3, 7 … batches, until a hit resets that.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    def take(self, counter: str) -> Copy | None:
        """Remove and return the copy to try in this batch; None if none is worth trying."""
        entry = self._entries.get(counter)
        if entry is None:
            return None
        copy = self._remove(entry)
        if entry.skips:
            entry.skips -= 1
            return None
        return copy

    def of(self, counters: Iterable[str]) -> dict[str, Copy]:
        """The copies to try in this batch, for the counters that have one worth trying."""
        taken = ((counter, self.take(counter)) for counter in counters)
        return {counter: copy for counter, copy in taken if copy is not None}

    def put(self, counter: str, copy: Copy) -> None:
        """Remember a value that a read returned or a swap stored, and nothing less certain."""
        entry = self._entries.setdefault(counter, _Entry())
        self._entries.move_to_end(counter)
        self._remove(entry)
        entry.copy = copy
        self._bytes += _size(copy)
        while len(self._entries) > MAX_COPIES or self._bytes > MAX_COPIES_BYTES:
            _, oldest = self._entries.popitem(last=False)
            self._remove(oldest)

    def hit(self, counter: str) -> None:
        """The copy was right: trust the next one."""
        if entry := self._entries.get(counter):
            entry.penalty = 0

    def missed(self, counter: str) -> None:
        """Another environment had written since: leave its copies out of more batches."""
        if entry := self._entries.get(counter):
            entry.penalty = min(2 * entry.penalty + 1, MAX_SKIPPED_BATCHES)
            entry.skips = entry.penalty

    def _remove(self, entry: _Entry) -> Copy | None:
        copy, entry.copy = entry.copy, None
        self._bytes -= _size(copy)
        return copy


def _size(copy: Copy | None) -> int:
    return len(copy.value) if copy and copy.value else 0
