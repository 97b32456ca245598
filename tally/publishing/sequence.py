"""Gives every increment its identity: the source, the seq in it, and when it was published."""

import functools
import importlib
import os
import threading
import time
from collections.abc import Callable
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
        session = self._sessions.get()
        with session.lock:
            name = session.place(counter, shards)
            if name not in session.seqs and len(session.seqs) >= MAX_COUNTERS_PER_SOURCE:
                session.draw()
                name = session.place(counter, shards)
            seq = session.seqs.get(name, 0)
            session.seqs[name] = seq + 1
            return Identity(session.source, seq, self.clock_ms())

    def renew(self) -> None:
        """Draw a new source: after a virtual machine was cloned or restored from a snapshot."""
        session = self._sessions.get()
        with session.lock:
            session.draw()


class _Session:
    """One source at a time, and the next seq of each counter in it."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self.lock = threading.Lock()
        self._entropy = entropy
        self.draw()

    def draw(self) -> None:
        self.source = self._entropy(SOURCE_BYTES).hex()
        self.seqs: dict[str, int] = {}

    def place(self, counter: str, shards: int | None) -> str:
        return shard_name(counter, shards, int(self.source, 16)) if shards else counter


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
