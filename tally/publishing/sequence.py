"""Gives every increment its identity: the source, the seq in it, and when it was published."""

import functools
import importlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tally.counters.shards import shard_name
from tally.publishing.process import PerProcess

SOURCE_BYTES = 8
"""A source is 64 random bits: among a million sources two are the same with 3 chances in 10^8."""

MAX_COUNTERS_PER_SOURCE = 65_536
"""How many counters one source counts (some 10 MB); then a new source is drawn."""

RESTORE_HOOKS_MODULE = "snapshot_restore_py"
"""Where Lambda's Python runtime, and nothing else, has the hooks of SnapStart."""


class Identity(NamedTuple):
    """Who an increment is; `at` is in ms since the epoch."""

    source: str
    seq: int
    at: int


def now_ms() -> int:
    """The time by the system's clock, in ms since the epoch."""
    return time.time_ns() // 1_000_000


class Sequence:
    """Counts 0, 1, 2, … within (source, counter), so that the ledger keeps one run for each.

    The source is drawn from the operating system at first use, and again after a fork, after
    `renew`, and when it has MAX_COUNTERS_PER_SOURCE counters. A new source is always safe;
    to forget a counter of the old one would give a seq twice, and lose an increment silently.

    There is no lock: a signal handler may ask in the midst of another's asking. What must be one
    step, to take a number and to have one counter of numbers for each name, C does in one.
    """

    def __init__(
        self,
        *,
        clock_ms: Callable[[], int] = now_ms,
        entropy: Callable[[int], bytes] = os.urandom,
        getpid: Callable[[], int] = os.getpid,
    ) -> None:
        self.clock_ms = clock_ms
        self._sessions = PerProcess(lambda: _Session(entropy), getpid)

    def next(self, counter: str, shards: int | None = None) -> Identity:
        """The identity of the next increment of this counter; any number of threads may ask.

        With shards it is that of the source's own shard, which is a counter like any other: who
        publishes to `hot#3` by its name must not be given the same seq.
        """
        at = self.clock_ms()
        source = self._sessions.get().source
        name = source.name_of(counter, shards)
        if not source.has_room_for(name):
            source = self._sessions.get().draw()
            name = source.name_of(counter, shards)
        return Identity(source.digits, source.take(name), at)

    def renew(self) -> None:
        """Draw a new source: after a virtual machine was cloned or restored from a snapshot."""
        self._sessions.get().draw()


class _Session:
    """One source at a time."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self.draw()

    def draw(self) -> "_Source":
        """Have a new one; who is in the midst of asking for a number goes on with the old."""
        self.source = source = _Source(self._entropy(SOURCE_BYTES).hex())
        return source


class _Source:
    """The numbers of a source, for each of its counters."""

    def __init__(self, digits: str) -> None:
        self.digits = digits
        self._numbers: dict[str, Iterator[int]] = {}

    def name_of(self, counter: str, shards: int | None) -> str:
        """The counter, or this source's shard of it."""
        return shard_name(counter, shards, int(self.digits, 16)) if shards else counter

    def has_room_for(self, name: str) -> bool:
        return name in self._numbers or len(self._numbers) < MAX_COUNTERS_PER_SOURCE

    def take(self, name: str) -> int:
        """The next number of a counter."""
        numbers = self._numbers.get(name)
        if numbers is None:
            numbers = self._numbers.setdefault(name, itertools.count())
        return next(numbers)


@functools.cache
def process_sequence() -> Sequence:
    """The sequence that all publishers of a process share.

    One source, not one for each publisher: a ledger keeps every source for a day, and a program
    that opens a publisher for each request would fill it.
    """
    sequence = Sequence()
    renew_after_restore(sequence)
    return sequence


def renew_after_restore(
    sequence: Sequence, load: Callable[[str], object] = importlib.import_module
) -> None:
    """Have SnapStart draw a new source in each restored copy; elsewhere there is nothing to do."""
    try:
        hooks = load(RESTORE_HOOKS_MODULE)
    except ImportError:
        return
    hooks.register_after_restore(sequence.renew)  # type: ignore[attr-defined] # only in Lambda
