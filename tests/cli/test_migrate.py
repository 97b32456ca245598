"""What becomes of each counter that is copied from a cache to a table, whatever a call meets."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.cli.migrate.moving import (
    AT_ONCE,
    CHANGED,
    GONE,
    LACKS,
    MAX_TRIES,
    NOTHING,
    Move,
    Moved,
    Result,
    fitted,
)
from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.stores.errors import BrokenSetupError
from tally.stores.memory import Items, MemoryStore
from tally.stores.port import ABSENT, Failed, LostRace, Stored, Swap, Trouble
from tests.support.clock import Clock
from tests.support.consumers import AT_MS, Draws, events

LOST = Failed(Trouble.UNKNOWN_OUTCOME, "no answer in time")
THROTTLED = Failed(Trouble.THROTTLED, "over the quota")
REFUSED = Failed(Trouble.REFUSED, "not this one")
BROKEN = Failed(Trouble.BROKEN_SETUP, "no such key")
WAITS_S = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def counted(*seqs, on=None):
    """The value of a counter that has counted so many events, each 1."""
    return fold(on, events(*seqs), Limits()).value


class Faulty(MemoryStore):
    """A store whose calls are answered otherwise at times.

    Args:
        items: what it holds.
        reads: for each read of a counter in turn, what is made of the answer, or None.
        writes: the same of swaps.
    """

    def __init__(self, items, clock, reads=(), writes=()):
        super().__init__(items, clock=clock)
        self.asked = []
        self._reads = itertools.chain(reads, itertools.repeat(None))
        self._writes = itertools.chain(writes, itertools.repeat(None))

    def read(self, counters, ends_at):
        self.asked.append(list(counters))
        for (counter, answer), fault in zip(
            super().read(self.asked[-1], ends_at), self._reads, strict=False
        ):
            yield counter, fault or answer

    def write(self, writes, ends_at):
        for (swap, answer), fault in zip(
            super().write(writes, ends_at), self._writes, strict=False
        ):
            yield swap, fault or answer


class World:
    """A cache and a table in memory, and what copies."""

    def __init__(self, **cached):
        self.cached, self.tabled, self.clock = Items(), Items(), Clock()
        for counter, value in cached.items():
            self.cached.put(counter, value)

    def move(self, *counters, reads=(), writes=(), puts=(), at_once=AT_ONCE, **options):
        self.cache = Faulty(self.cached, self.clock, reads, writes)
        move = Move(
            self.cache,
            MemoryStore(self.cached, clock=self.clock),
            Faulty(self.tabled, self.clock, (), puts),
            clock=self.clock,
            sleep=self.clock.sleep,
            uniform=Draws(),
            **options,
        )
        return list(move.all(counters, at_once))

    @property
    def table(self):
        return {counter: copy.value for counter, copy in self.tabled.copies.items()}


def test_a_counter_is_copied_byte_for_byte_and_what_is_not_there_is_absent():
    world = World(a=counted(0, 1), b=b"7", c=NOTHING)
    assert world.move("a", "b", "c", "d") == [
        Moved("c", Result.ABSENT),
        Moved("d", Result.ABSENT),
        Moved("a", Result.COPIED, 2),
        Moved("b", Result.COPIED, 7),
    ]
    assert world.table == {"a": counted(0, 1), "b": b"7"}
    assert world.cached.copies["a"].value == counted(0, 1)
    assert world.clock.slept_s == []


def test_a_name_that_stands_twice_is_copied_once_and_so_many_at_once():
    world = World(a=b"1", b=b"2", c=b"3")
    found = world.move("a", "a", "b", "c", "a", at_once=2)
    assert [(moved.counter, moved.result.value) for moved in found] == [
        *(("a", "copied"), ("b", "copied"), ("c", "copied"), ("a", "there")),
    ]
    assert world.cache.asked == [["a"], ["b", "c"], ["a"]]


def test_a_repeat_leaves_what_the_table_has_counted_since():
    world = World(a=counted(0))
    world.move("a")
    world.tabled.put("a", counted(1, on=counted(0)))
    assert world.move("a") == [Moved("a", Result.THERE, 1)]
    assert world.table == {"a": counted(0, 1)}


def test_a_counter_that_was_begun_before_the_copy_is_told_and_left():
    world = World(a=counted(0))
    world.tabled.put("a", counted(1))
    assert world.move("a") == [Moved("a", Result.FAILED, 1, LACKS)]
    assert world.table == {"a": counted(1)}


def test_a_repeat_tells_what_was_counted_in_the_cache_after_the_copy():
    world = World(a=counted(0), b=counted(0))
    world.move("a", "b")
    world.cached.put("a", counted(1, on=counted(0)))
    assert world.move("a", "b") == [
        Moved("a", Result.FAILED, 2, LACKS),
        Moved("b", Result.THERE, 1),
    ]


@pytest.mark.parametrize("before", [None, counted(0)], ids=["nothing", "an older value"])
def test_a_stale_read_is_not_copied(before):
    world = World()
    stale = ABSENT if before is None else world.cached.put("a", before)
    world.cached.put("a", counted(0, 1))
    assert world.move("a", reads=[stale]) == [Moved("a", Result.COPIED, 2)]
    assert world.table == {"a": counted(0, 1)}
    assert world.clock.slept_s == WAITS_S[:1]


@pytest.mark.parametrize("failed", [LOST, THROTTLED])
@pytest.mark.parametrize("call", ["reads", "writes", "puts"])
def test_what_fails_is_tried_again_and_never_taken_for_absent(call, failed):
    world = World(a=counted(0))
    result = Result.THERE if call == "puts" else Result.COPIED  # the put has happened
    assert world.move("a", **{call: [failed]}) == [Moved("a", result, 1)]
    assert world.clock.slept_s == WAITS_S[:1]
    assert world.table == {"a": counted(0)}


def test_what_goes_on_failing_has_failed():
    world = World(a=counted(0), b=counted(0))
    found = world.move("a", "b", reads=[THROTTLED, None, *[THROTTLED] * MAX_TRIES])
    assert found == [
        Moved("b", Result.COPIED, 1),
        Moved("a", Result.FAILED, why="over the quota"),
    ]
    assert world.clock.slept_s == WAITS_S
    assert world.cache.asked == [["a", "b"], *[["a"]] * (MAX_TRIES - 1)]


def test_a_counter_that_goes_on_changing_has_failed():
    world = World(a=counted(0))
    found = world.move("a", writes=[LostRace()] * MAX_TRIES)
    assert found == [Moved("a", Result.FAILED, why=CHANGED.detail)]
    assert world.table == {}


def test_a_counter_that_is_gone_from_the_table_meanwhile_is_put_again():
    world = World(a=counted(0))
    gone = world.move("a", puts=[LostRace(ABSENT)] * MAX_TRIES)
    assert gone == [Moved("a", Result.FAILED, why=GONE.detail)]
    assert world.clock.slept_s == WAITS_S


@pytest.mark.parametrize("call", ["reads", "writes", "puts"])
def test_what_is_refused_is_not_tried_again(call):
    world = World(a=counted(0))
    assert world.move("a", **{call: [REFUSED]}) == [
        Moved("a", Result.FAILED, why="not this one"),
    ]
    assert world.clock.slept_s == []


@pytest.mark.parametrize("call", ["reads", "writes", "puts"])
def test_where_no_call_can_succeed_it_stops(call):
    with pytest.raises(BrokenSetupError, match=r"^no such key$"):
        World(a=counted(0)).move("a", **{call: [BROKEN]})


def test_a_value_that_is_no_counter_is_not_copied_nor_compared():
    world = World(a=b"text", b=counted(0))
    world.tabled.put("b", b"text")
    why = "the count cannot be read: b'text'"
    assert world.move("a", "b") == [
        Moved("a", Result.FAILED, why=why),
        Moved("b", Result.FAILED, 1, f"in the table: {why}"),
    ]
    assert world.table == {"b": b"text"}


def test_a_rehearsal_tells_what_would_happen_and_writes_nothing():
    world = World(a=counted(0), b=counted(0), c=counted(0))
    world.tabled.put("b", counted(0, 1))
    world.tabled.put("c", counted(1))
    before = dict(world.cached.copies), dict(world.tabled.copies)
    assert world.move("a", "b", "c", "d", rehearse=True) == [
        Moved("d", Result.ABSENT),
        Moved("a", Result.COPIED, 1),
        Moved("b", Result.THERE, 1),
        Moved("c", Result.FAILED, 1, LACKS),
    ]
    assert (world.cached.copies, world.tabled.copies) == before


def test_a_value_too_long_for_the_table_forgets_and_counts_nothing_twice():
    limits = Limits(free_bytes=200, max_bytes=300)
    sources = [Event("c", source, 0, AT_MS + source * 1_000, 1) for source in range(1, 100)]
    value = fold(None, sources, Limits()).value or b""
    short = fitted(value, limits)
    assert (len(short) <= 300, read_count(short)) == (True, 99)
    told = fold(short, sources, limits)
    assert told.value is None
    assert {*told.decisions} == {Decision.UNDECIDABLE, Decision.APPLIED_BEFORE}


STEPS = st.lists(
    st.tuples(st.sampled_from(["cache", "table"]), st.lists(st.integers(0, 9), max_size=4))
    | st.just(("move", [])),
    max_size=12,
)
"""Batches of events that a consumer of the cache or of the table counts, and copies in between."""


def count(store, seqs):
    """Have a consumer of a store count a batch."""
    [(_, seen)] = store.read(["a"], math.inf)
    value = fold(seen.value, events(*seqs, counter="a"), Limits()).value
    if value is not None:
        [(_, answer)] = store.write([Swap("a", seen, value)], math.inf)
        assert isinstance(answer, Stored)


def known(world):
    """The events that the table's counter has counted, and its count."""
    value = world.table.get("a")
    found = fold(value, events(*range(10), counter="a"), Limits()).decisions
    seqs = {seq for seq, decision in enumerate(found) if decision is Decision.APPLIED_BEFORE}
    return seqs, 0 if value is None else read_count(value)


@given(STEPS)
def test_in_whatever_order_no_event_counts_twice_in_the_table(steps):
    world = World()
    for step, seqs in steps:
        if step == "move":
            world.move("a")
        else:
            count(MemoryStore(world.cached if step == "cache" else world.tabled), seqs)
    seqs, counted_there = known(world)
    assert counted_there == len(seqs)


@given(st.lists(st.lists(st.integers(0, 9))), st.lists(st.lists(st.integers(0, 9))))
def test_in_the_order_of_the_steps_every_event_counts_once(before, after):
    world = World()
    for seqs in before:
        count(MemoryStore(world.cached), seqs)
    world.move("a")
    for seqs in after:
        count(MemoryStore(world.tabled), seqs)
    everything = {seq for batch in (*before, *after) for seq in batch}
    assert known(world) == (everything, len(everything))
    assert {moved.result for moved in world.move("a")} <= {Result.THERE, Result.ABSENT}
