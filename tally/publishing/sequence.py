"""Gives every increment its identity: source, seq, and the time when it was published."""

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
"""A source is 64 random bits: the chance of two equal ones among a million is 3 in 10^8."""

MAX_COUNTERS_PER_SOURCE = 65_536
"""How many counters one source may have (some 10 MB); then a new source is drawn."""

RESTORE_HOOKS_MODULE = "snapshot_restore_py"
"""The module with the hooks of SnapStart; only Lambda's Python runtime has it."""


class Identity(NamedTuple):
    """Who an increment is; `at` is in ms since the epoch."""

    source: str
    seq: int
    at: int


def now_ms() -> int:
    """The time by the system's clock, in ms since the epoch."""
    return time.time_ns() // 1_000_000


class Sequence:
    """Counts 0, 1, 2, … for each source and counter, so that the ledger keeps one run for each.

    The source is drawn from the operating system at first use, and again after a fork, after
    `renew`, and when it has MAX_COUNTERS_PER_SOURCE counters. A new source is always safe. If the
    old source forgot a counter instead, it would give a seq twice, and lose an increment silently.

    There is no lock, since a signal handler may call next() in the middle of another call. Taking a
    number, and making the counter of numbers for a name, are each one step of C.
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

        With shards, the seq is that of the source's own shard, which is a counter like any other:
        an increment published to `hot#3` by name must not get the same seq.
        """
        at = self.clock_ms()
        session = self._sessions.get()
        source = session.source
        name = source.name_of(counter, shards)
        if not source.has_room_for(name):
            source = session.draw()
            name = source.name_of(counter, shards)
        seq = source.take(name)
        if self._sessions.get() is not session:  # a signal handler has forked in between
            return self.next(counter, shards)
        return Identity(source.digits, seq, at)

    def renew(self) -> None:
        """Draw a new source; call it after a machine was cloned or restored from a snapshot."""
        self._sessions.get().draw()


class _Session:
    """One source at a time."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self.draw()

    def draw(self) -> "_Source":
        """Draw a new source; a call that is taking a number goes on with the old one."""
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

    Publishers share one source, since a ledger keeps every source for a day: a program that opens
    a publisher for each request would fill it.
    """
    sequence = Sequence()
    renew_after_restore(sequence)
    return sequence


def renew_after_restore(
    sequence: Sequence, load: Callable[[str], object] = importlib.import_module
) -> None:
    """Make SnapStart draw a new source in each restored copy; elsewhere nothing is needed."""
    try:
        hooks = load(RESTORE_HOOKS_MODULE)
    except ImportError:
        return
    hooks.register_after_restore(sequence.renew)  # type: ignore[attr-defined] # only in Lambda
