"""Reading where a table decides: where a count comes from, and outcomes that miss nothing."""

import pytest

from tally.counters.counter import fold
from tally.counters.ledger import Limits
from tally.counters.outcome import Outcome
from tally.reading.errors import NoTableError, ReadError
from tally.reading.reader import MAX_TRIES, Reader, Reading, Values
from tally.reading.waiting import MIN_CALL_S
from tally.stores.durable import DurableStore
from tally.stores.memory import Items, MemoryStore
from tally.stores.port import Source
from tally.testing import Counters
from tests.support.clock import Clock
from tests.support.consumers import AT_MS, Draws, events, make_reader
from tests.support.mirrors import AWAY, FakeCache
from tests.support.momento_channel import ReadChannel

BOUND = {"amount": 1, "high": 1}
FIRST, SECOND, THIRD = (f"0000000000000001:{seq}:{AT_MS}" for seq in range(3))
OLD = fold(None, events(0, **BOUND), Limits()).value or b""
NEW = fold(OLD, events(1, **BOUND), Limits()).value or b""


class Table(MemoryStore):
    """A table that counts what it is asked, and may be away."""

    def __init__(self):
        super().__init__(Items())
        self.asked = []
        self.deadlines_s = []
        self.failure = None

    def values(self, counters, deadline_s):
        self.asked.append(list(counters))
        self.deadlines_s.append(deadline_s)
        return ([], self.failure) if self.failure else super().values(counters, deadline_s)


class World:
    def __init__(self):
        self.clock = Clock()
        self.table, self.cache = Table(), FakeCache()
        store = DurableStore(self.table, self.cache, 60, clock=self.clock)
        self.reader = Reader(store, clock=self.clock, sleep=self.clock.sleep, uniform=Draws())

    def put(self, counter, stored=None, cached=None):
        if stored is not None:
            self.table.items.put(counter, stored)
        if cached is not None:
            self.cache.contents[counter] = cached


@pytest.fixture
def world():
    return World()


def test_a_count_comes_from_the_cache_and_from_the_table_what_that_lacks(world):
    world.put("a", b"2\n", b"1")
    world.put("b", b"3")
    assert world.reader.readings(["a", "b", "c"]) == {
        "a": Reading(1, Source.CACHE),
        "b": Reading(3, Source.TABLE),
        "c": Reading(None, Source.TABLE),
    }
    assert world.table.asked == [["b", "c"]]
    assert world.reader.counts(["a", "b"]) == {"a": 1, "b": 3}


def test_the_table_may_be_asked_itself(world):
    world.put("a", b"2", b"1")
    assert world.reader.count("a", consistent=True) == 2
    assert world.reader.counts(["a"], consistent=True) == {"a": 2}
    assert world.reader.readings(["a"], consistent=True) == {"a": Reading(2, Source.TABLE)}
    assert world.cache.reads == 0


def test_the_sum_of_shards_is_as_old_as_the_oldest_may_be(world):
    world.put("hot#0", b"5", b"1")
    world.put("hot#1", b"2")
    assert world.reader.total_reading("hot", 2) == Reading(3, Source.CACHE)
    assert world.reader.total_reading("hot", 2, consistent=True) == Reading(7, Source.TABLE)
    assert world.reader.total("hot", 2, consistent=True) == 7
    assert world.reader.total_reading("cold", 2) == Reading(None, Source.TABLE)


def test_while_the_table_is_away_the_cache_serves(world):
    world.table.failure = AWAY
    world.put("a", cached=b"1")
    assert world.reader.count("a") == 1
    with pytest.raises(ReadError, match=r"^nobody is there$"):
        world.reader.count("a", consistent=True)
    assert len(world.table.asked) == MAX_TRIES


@pytest.mark.parametrize(
    ("event", "outcome"), [(FIRST, Outcome.APPLIED), (SECOND, Outcome.REJECTED)]
)
def test_what_the_cache_calls_decided_is_so(world, event, outcome):
    world.put("c", NEW, NEW)
    assert world.reader.outcome("c", event) is outcome
    assert world.table.asked == []


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [(NEW, Outcome.REJECTED), (OLD, Outcome.PENDING), (None, Outcome.PENDING)],
)
def test_what_the_cache_calls_pending_the_table_is_asked(world, stored, outcome):
    world.put("c", stored, OLD)
    assert world.reader.outcome("c", SECOND) is outcome
    assert world.table.asked == [["c"]]


@pytest.mark.parametrize(("cache_s", "left_s"), [(0.25, 0.75), (5.0, MIN_CALL_S)])
def test_an_outcome_asked_of_both_takes_no_longer_than_one_of_them_may(cache_s, left_s):
    world = World()
    world.put("c", NEW, OLD)

    class Slow(FakeCache):
        def values(self, counters, deadline_s):
            world.clock.now_s += cache_s
            return super().values(counters, deadline_s)

    cache = Slow()
    cache.contents.update(world.cache.contents)
    store = DurableStore(world.table, cache, 60, clock=world.clock)
    reader = Reader(store, deadline_s=1.0, clock=world.clock, uniform=Draws())
    assert reader.outcome("c", SECOND) is Outcome.REJECTED
    assert world.table.deadlines_s == [pytest.approx(left_s)]


def test_what_the_cache_lacks_the_table_is_asked_once(world):
    world.put("c", OLD)
    assert world.reader.outcome("c", THIRD) is Outcome.PENDING
    assert world.table.asked == [["c"]]


def test_a_wait_ends_when_the_table_knows_though_the_cache_never_does(world):
    world.put("c", OLD, OLD)

    def sleep(seconds):
        world.clock.sleep(seconds)
        world.put("c", NEW)

    reader = Reader(world.reader._store, clock=world.clock, sleep=sleep, uniform=Draws())
    assert reader.wait_for_outcome("c", SECOND, timeout_s=5) is Outcome.REJECTED
    assert len(world.clock.slept_s) == 1


def test_a_dead_letter_is_judged_by_the_table(world):
    world.put("c", NEW, OLD)
    values = Values(world.reader._store, sleep=world.clock.sleep, uniform=Draws())
    assert values.latest(["c"], 1.0) == [NEW]


def test_where_no_table_decides_there_is_no_consistent_read():
    channel = ReadChannel(values={"c": b"1"})
    reader = make_reader(channel)
    with pytest.raises(NoTableError, match="COUNTER_TABLE is not set"):
        reader.count("c", consistent=True)
    assert channel.keys == []
    assert reader.readings(["c"]) == {"c": Reading(1, None)}
    assert reader.total_reading("hot", 2) == Reading(None, None)


def test_counters_in_a_test_of_a_program_are_consistent():
    counters = Counters()
    with counters.publisher() as publisher:
        publisher.publish("c")
    with counters.reader() as reader:
        assert reader.count("c", consistent=True) == 1
