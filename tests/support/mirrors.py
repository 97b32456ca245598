"""Caches beside a table, in memory, which fail as they are told."""

import threading

from tally.stores.memory import Items, MemoryStore
from tally.stores.port import Failed, Trouble

AWAY = Failed(Trouble.UNKNOWN_OUTCOME, "nobody is there")
REFUSED = Failed(Trouble.BROKEN_SETUP, "the key is refused")


class FakeMirror:
    """Takes copies, as soon as it may.

    Attributes:
        may_answer: cleared, no call comes back.
        asked: set once there was a call.
        calls: the values of each.
        failure: what becomes of all, if anything.
        cancelled: each time that what was on its way was taken back, whether all was silent.
    """

    def __init__(self, values=None):
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        self.calls = []
        self.failure = None
        self.cancelled = []
        self._values = {} if values is None else values

    def set(self, values, _deadline_s):
        self.calls.append(values)
        self.asked.set()
        assert self.may_answer.wait(60)
        if self.failure is None:
            self._values.update(values)
        return [self.failure] * len(values)

    def cancel(self, *, is_silent):
        self.cancelled.append(is_silent)


class FakeCache(MemoryStore):
    """A cache of plain values, with its mirror.

    Attributes:
        contents: what it holds, by counter.
        failure: what becomes of all reads, if anything.
        reads: how often it was read.
        renewed: how often it got new connections.
    """

    def __init__(self):
        super().__init__(Items())
        self.contents: dict[str, bytes] = {}
        self.failure = None
        self.reads = 0
        self.renewed = 0
        self.mirrored = FakeMirror(self.contents)
        self.ttls_s = []

    def mirror(self, ttl_s):
        self.ttls_s.append(ttl_s)
        return self.mirrored

    def values(self, counters, _deadline_s):
        self.reads += 1
        if self.failure:
            return [], self.failure
        return [self.contents.get(counter) for counter in counters], None

    def renew(self):
        self.renewed += 1
