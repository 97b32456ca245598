"""How a reader's time is shared by a cache and the table behind it, and how both are closed."""

import threading

import pytest

from tally.stores.durable import CACHE_DEADLINE_S, DurableStore
from tally.stores.memory import MemoryStore
from tally.stores.mirroring import WAIT_S
from tests.support.clock import Clock
from tests.support.mirrors import AWAY, FakeCache

LATE_S = 0.125


class Timed(MemoryStore):
    """A table that notes how long it may take."""

    def __init__(self):
        super().__init__()
        self.deadlines_s = []

    def values(self, counters, deadline_s):
        self.deadlines_s.append(deadline_s)
        return super().values(counters, deadline_s)


class Slow(FakeCache):
    """A cache that takes all the time it is given, and some more, and does not answer."""

    def __init__(self, clock, late_s):
        super().__init__()
        self.clock, self.late_s = clock, late_s
        self.deadlines_s = []
        self.is_closed = False

    def values(self, _counters, deadline_s):
        self.deadlines_s.append(deadline_s)
        self.clock.now_s += deadline_s + self.late_s
        return [], AWAY

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize(
    ("deadline_s", "late_s", "of_cache_s", "of_table_s"),
    [
        (4.0, 0.0, CACHE_DEADLINE_S, 4.0 - CACHE_DEADLINE_S),
        (4.0, LATE_S, CACHE_DEADLINE_S, 4.0 - CACHE_DEADLINE_S - LATE_S),
        (0.5, 0.0, 0.25, 0.25),
        (0.5, LATE_S, 0.25, 0.25),
    ],
)
def test_a_slow_cache_leaves_the_table_half_of_the_time_at_least(
    deadline_s, late_s, of_cache_s, of_table_s
):
    clock, table = Clock(), Timed()
    cache = Slow(clock, late_s)
    store = DurableStore(table, cache, 60, clock=clock)
    assert store.values(["c"], deadline_s) == ([None], None)
    assert (cache.deadlines_s, table.deadlines_s) == ([of_cache_s], [of_table_s])


def test_where_only_the_table_is_asked_it_has_all_of_the_time():
    clock, table = Clock(), Timed()
    store = DurableStore(table, Slow(clock, 0.0), 60, clock=clock)
    store.found(["c"], 0.5, consistent=True)
    assert table.deadlines_s == [0.5]


class Waits(threading.Condition):
    """Notes how long the end of a batch would wait, and does not."""

    def __init__(self):
        super().__init__()
        self.told_s = []

    def wait_for(self, predicate, timeout=None):
        self.told_s.append(timeout)
        return predicate()


@pytest.mark.parametrize(
    ("left_s", "waits_s"), [(WAIT_S / 2, WAIT_S / 2), (9.0, WAIT_S), (-1.0, 0.0)]
)
def test_copies_are_waited_for_no_longer_than_the_batch_has_time(left_s, waits_s):
    clock, waits = Clock(), Waits()
    store = DurableStore(MemoryStore(), FakeCache(), 60, clock=clock, condition=lambda: waits)
    store.finish(clock() + left_s)
    assert waits.told_s == [waits_s]


def test_a_store_that_is_closed_closes_its_cache_too():
    cache = Slow(Clock(), 0.0)
    DurableStore(MemoryStore(), cache, 60).close()
    assert cache.is_closed
