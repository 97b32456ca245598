"""Who loses a race and is told what won it swaps at once over that, without a read."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.counters.counter import fold, read_count
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.memory import Items, MemoryStore
from tests.support.clock import Clock
from tests.support.consumers import AT_MS, Draws

SETTLE_S = 60.0
THREADS, EVENTS, BATCH = 4, 400, 10


class Watched(MemoryStore):
    """A store that says what was read; before its first writes, another writer is faster."""

    def __init__(self, items, clock, rivals=()):
        super().__init__(items, clock=clock)
        self.reads = []
        self.rivals = list(rivals)

    def read(self, counters, ends_at):
        for counter, copy in super().read(counters, ends_at):
            self.reads.append(counter)
            yield counter, copy

    def _swap(self, swap):
        if self.rivals:
            self.items.put("c", count(self.items, self.rivals.pop(0)))
        return super()._swap(swap)


def event(seq):
    return Event("c", 1, seq, AT_MS)


def count(items, seq):
    """The next value of the counter, as another writer makes it."""
    copy = items.copies.get("c")
    value = fold(copy and copy.value, [event(seq)], Limits()).value
    assert value is not None
    return value


@pytest.fixture
def clock():
    return Clock()


def settle(store, clock, *seqs):
    draws = Draws(0.5)
    rounds = Rounds(store, clock=clock, sleep=clock.sleep, uniform=draws)
    progress = Writer(rounds, Copies()).settle(
        {"c": [event(seq) for seq in seqs]}, clock() + SETTLE_S, activity := Activity()
    )
    assert progress.open == {}
    return activity


def test_the_repeat_that_follows_at_once_needs_no_read(clock):
    items = Items()
    store = Watched(items, clock, rivals=[100])
    activity = settle(store, clock, 0, 1)
    assert store.reads == ["c"]
    assert (activity.swaps_lost, activity.swaps_stored, clock.slept_s) == (1, 1, [])
    assert read_count(items.copies["c"].value or b"") == 3


def test_after_a_pause_the_counter_is_read_anew(clock):
    items = Items()
    store = Watched(items, clock, rivals=[100, 101, 102])
    activity = settle(store, clock, 0)
    assert store.reads == ["c"] * 3
    assert (activity.swaps_lost, len(clock.slept_s)) == (3, 2)
    assert read_count(items.copies["c"].value or b"") == 4


def test_what_the_winner_counted_is_not_counted_again(clock):
    items = Items()
    store = Watched(items, clock, rivals=[0])
    activity = settle(store, clock, 0)
    assert store.reads == ["c"]
    assert (activity.swaps_lost, activity.swaps_stored) == (1, 0)
    assert read_count(items.copies["c"].value or b"") == 1


class Rivals(MemoryStore):
    """A store in which another writer is faster, so often for each counter."""

    def __init__(self, clock, **times):
        super().__init__(clock=clock)
        self.times = times

    def _swap(self, swap):
        if self.times[swap.counter]:
            self.times[swap.counter] -= 1
            self.items.put(swap.counter, b"%d" % self.times[swap.counter])
        return super()._swap(swap)


def test_a_winner_is_swapped_over_once_however_soon_the_next_round_follows(clock):
    store = Rivals(clock, c=1, d=3)
    rounds = Rounds(store, clock=clock, sleep=clock.sleep, uniform=Draws(0.0))
    groups = {name: [Event(name, 1, 0, AT_MS)] for name in "cd"}
    progress = Writer(rounds, Copies()).settle(groups, clock() + SETTLE_S, activity := Activity())
    assert progress.losses == {"c": 1, "d": 3}
    assert (activity.swaps_lost, activity.swaps_stored, clock.slept_s) == (4, 2, [])


def test_a_winner_that_is_gone_is_written_anew(clock):
    items = Items()

    class Forgetful(Watched):
        def _swap(self, swap):
            if self.rivals:
                self.rivals.pop()
                self.items.copies.clear()
            return super()._swap(swap)

    items.put("c", count(items, 100))
    store = Forgetful(items, clock, rivals=[None])
    activity = settle(store, clock, 0)
    assert store.reads == ["c"]
    assert (activity.counters_created, activity.counters_vanished) == (1, 1)
    assert read_count(items.copies["c"].value or b"") == 1


def test_a_winner_that_is_told_and_lacks_what_was_known_was_rolled_back(clock):
    items = Items()
    store = MemoryStore(items, clock=clock)
    rounds = Rounds(store, clock=clock, sleep=clock.sleep, uniform=Draws(0.5))
    writer, found = Writer(rounds, Copies()), []
    older = b""
    for seq in range(4):
        if seq == 3:
            items.put("c", older)
        elif seq == 2:
            older = items.copies["c"].value or b""
        activity = Activity()
        writer.settle({"c": [event(seq)]}, clock() + SETTLE_S, activity)
        found.append((activity.swaps_lost, activity.counters_rolled_back))
    assert found == [(0, 0), (0, 0), (0, 0), (1, 1)]
    assert read_count(items.copies["c"].value or b"") == 3


def test_writers_of_many_threads_count_each_event_once():
    items = Items()
    counters = ("a", "b", "c")

    def work(_worker):
        store = MemoryStore(items)
        rounds = Rounds(store, clock=time.monotonic, sleep=lambda _s: None, uniform=Draws(0.0))
        writer = Writer(rounds, Copies())
        for batch in range(0, EVENTS, BATCH):
            seqs = range(batch, batch + BATCH)
            groups = {name: [Event(name, 1, seq, AT_MS) for seq in seqs] for name in counters}
            assert writer.settle(groups, time.monotonic() + SETTLE_S, Activity()).open == {}

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert {
        name: read_count(items.copies[name].value or b"") for name in counters
    } == dict.fromkeys(counters, EVENTS)
