"""A table decides, a cache serves: what is set, what is read where, and a cache that fails."""

import contextlib
import json
import threading
import time

import pytest
from momento.auth import CredentialProvider

from consumer.batch import Consumer
from tally.counters.counter import fold, read_count
from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tally.environment import Valkey
from tally.local.momento.server import MomentoServer
from tally.settling.copies import Copies
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.durable import DurableStore
from tally.stores.errors import BrokenSetupError, StoreClosedError
from tally.stores.memory import Items, MemoryStore
from tally.stores.momento.mirror import CANCELLED
from tally.stores.momento.store import MomentoStore
from tally.stores.port import ABSENT, Copy, Failed, Found, LostRace, Source, Stored, Swap, Trouble
from tally.stores.secret import Key
from tally.stores.valkey.troubles import NO_ANSWER
from tests.support.clock import Clock
from tests.support.consumers import events, store_of
from tests.support.lambda_event import event, failures, increment, record
from tests.support.log import Log
from tests.support.mirrors import AWAY, REFUSED, FakeCache
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE
from tests.support.processes import wait_until
from tests.support.resp_peer import HOST, Peer
from tests.support.silent_proxy import SilentProxy
from tests.support.valkey import store_at

LONG_S = 60.0
VALUE = fold(None, events(0), Limits()).value or b""
NEWER = fold(VALUE, events(1), Limits()).value or b""


class World:
    """A store of two in memory, with its clocks."""

    def __init__(self):
        self.items = Items()
        self.cache = FakeCache()
        self.clock = Clock()
        self.table = MemoryStore(self.items)
        self.store = DurableStore(self.table, self.cache, 60, wall_clock=self.clock)

    def write(self, *swaps):
        answers = [answer for _, answer in self.store.write(swaps, time.monotonic() + LONG_S)]
        return answers, self.store.finish(time.monotonic() + LONG_S)


@pytest.fixture
def world():
    world = World()
    yield world
    world.store.close()


def test_what_the_table_has_stored_is_set_in_the_cache(world):
    [stored], failed = world.write(Swap("c", ABSENT, VALUE))
    assert (world.items.copies["c"].token, failed) == (stored.token, 0)
    assert world.cache.contents == {"c": VALUE}
    assert world.cache.ttls_s == [60]


class Doubtful(MemoryStore):
    """A table whose answers are lost, though it has stored what it was given."""

    def write(self, writes, ends_at):
        for swap, _ in super().write(writes, ends_at):
            yield swap, AWAY


def test_what_is_unknown_or_lost_is_not_set(world):
    world.items.put("c", VALUE)
    [lost], failed = world.write(Swap("c", ABSENT, NEWER))
    assert (lost, failed) == (LostRace(world.items.copies["c"]), 0)
    doubtful = DurableStore(Doubtful(world.items), world.cache, 60)
    swap = Swap("d", ABSENT, VALUE)
    assert list(doubtful.write([swap], time.monotonic() + LONG_S)) == [(swap, AWAY)]
    assert doubtful.finish(time.monotonic() + LONG_S) == 0
    assert world.items.copies["d"].value == VALUE
    assert world.cache.contents == {}


def test_the_cache_is_not_asked_what_to_decide(world):
    world.cache.contents["c"] = NEWER
    assert dict(world.store.read(["c"], time.monotonic() + LONG_S)) == {"c": ABSENT}
    assert world.cache.reads == 0


def test_its_age_is_that_of_its_put(world):
    def swaps():
        yield Swap("c", ABSENT, VALUE)
        world.clock.now_s += 2.1  # a freeze, before the answer is taken up

    class Slow(MemoryStore):
        def write(self, writes, ends_at):
            yield from list(super().write(writes, ends_at))

    store = DurableStore(Slow(world.items), world.cache, 60, wall_clock=world.clock)
    assert len(list(store.write(swaps(), time.monotonic() + LONG_S))) == 1
    assert store.finish(time.monotonic() + LONG_S) == 1
    assert world.cache.contents == {}
    store.close()


CACHED, STORED = Found(VALUE, Source.CACHE), Found(NEWER, Source.TABLE)


@pytest.mark.parametrize(
    ("contents", "failure", "found"),
    [
        ({"c": VALUE}, None, CACHED),
        ({}, None, STORED),
        ({"c": b"no counter"}, None, STORED),
        ({"c": VALUE[:-1]}, None, STORED),
        ({"c": VALUE}, AWAY, STORED),
        ({"c": VALUE}, REFUSED, STORED),
    ],
)
def test_what_the_cache_cannot_tell_the_table_does(world, contents, failure, found):
    world.items.put("c", NEWER)
    world.cache.contents.update(contents)
    world.cache.failure = failure
    assert world.store.found(["c"], LONG_S, consistent=False) == ([found], None)
    assert world.store.values(["c"], LONG_S) == ([found.value], None)
    assert world.store.found(["c"], LONG_S, consistent=True) == ([STORED], None)


def test_values_of_both_come_in_the_order_in_which_they_were_asked_for(world):
    world.items.put("b", NEWER)
    world.cache.contents["a"] = VALUE
    found, failure = world.store.found(["none", "a", "b", "a"], LONG_S, consistent=False)
    assert found == [Found(None, Source.TABLE), CACHED, STORED, CACHED]
    assert failure is None


class Away(MemoryStore):
    """A table that does not answer."""

    def values(self, _counters, _deadline_s):
        return [], AWAY


def test_where_the_table_is_away_the_first_of_them_are_told_and_why_not_all(world):
    store = DurableStore(Away(), world.cache, 60)
    world.cache.contents.update({"a": VALUE, "c": VALUE})
    assert store.values(["a", "c"], LONG_S) == ([VALUE, VALUE], None)
    assert store.values(["a", "b", "c"], LONG_S) == ([VALUE], AWAY)


def test_a_closed_store_answers_nothing(world):
    with contextlib.closing(DurableStore(world.table, FakeCache(), 60)) as store:
        pass
    with pytest.raises(StoreClosedError):
        store.values(["c"], LONG_S)


@pytest.fixture
def log():
    return Log()


def consumer(world, log, store=None):
    rounds = Rounds(
        store or world.store,
        clock=time.monotonic,
        sleep=world.clock.sleep,
        uniform=lambda low, _high: low,
    )
    return Consumer(Writer(rounds, Copies()), log.observer, INT64_MAX)


def emitted(capsys, *names):
    told = json.loads(capsys.readouterr().out)
    return {name: told[name][0] for name in names if name in told}


def test_a_cache_that_is_away_changes_no_count_and_is_told(world, log, capsys):
    world.cache.failure = world.cache.mirrored.failure = AWAY
    batch = event(record("m1", increment(0)), record("m2", increment(0, counter="b")))
    assert consumer(world, log).handle(batch, None) == failures()
    assert emitted(capsys, "CacheSetsFailed", "CountersWritten", "StoreReads") == {
        "CacheSetsFailed": 2,
        "CountersWritten": 2,
    }
    counts = {name: read_count(copy.value or b"") for name, copy in world.items.copies.items()}
    assert counts == {"page:home": 1, "b": 1}


class BreaksDown(MemoryStore):
    """A table that refuses the set-up after the first swap."""

    def write(self, writes, ends_at):
        answers = super().write(writes, ends_at)
        yield next(answers)
        swap, _ = next(answers)
        yield swap, Failed(Trouble.BROKEN_SETUP, "no")


def test_copies_are_waited_for_where_the_set_up_breaks_in_mid_batch(world, log, capsys):
    store = DurableStore(BreaksDown(world.items), world.cache, 60, wall_clock=world.clock)
    batch = event(record("m1", increment(0)), record("m2", increment(0, counter="b")))
    with pytest.raises(BrokenSetupError):
        consumer(world, log, store).handle(batch, None)
    assert list(world.cache.contents) == ["page:home"]
    assert emitted(capsys, "CountersWritten", "CacheSetsFailed") == {"CountersWritten": 1}


def test_reads_and_their_units_are_told_apart(table, log, world, capsys):
    with contextlib.closing(table.store()) as store:
        batch = event(record("m1", increment(0)))
        assert consumer(world, log, store).handle(batch, None) == failures()
    assert emitted(capsys, "StoreOperations", "StoreReads") == {
        "StoreOperations": 2,
        "StoreReads": 1,
    }


def test_new_connections_to_the_table_are_for_the_rounds_to_ask_for(world):
    renewed = []
    world.table.renew = lambda: renewed.append("table")
    world.store.renew()
    assert (renewed, world.cache.renewed) == (["table"], 0)


def test_a_cache_of_momento_that_is_not_there_takes_no_copy():
    with MomentoServer([]) as server, contextlib.closing(store_of(server)) as cache:
        [failure] = cache.mirror(60).set([("c", VALUE)], LONG_S)
        assert (failure.trouble, failure.is_missing) == (Trouble.BROKEN_SETUP, True)


def test_what_is_on_its_way_to_momento_can_be_taken_back_and_the_next_has_a_new_connection():
    with (
        MomentoServer([CACHE]) as server,
        SilentProxy(server.port) as proxy,
        contextlib.closing(store_of(proxy)) as cache,
    ):
        assert cache.values(["c"], LONG_S) == ([None], None)
        proxy.silence()
        mirror, told = cache.mirror(60), []
        setting = threading.Thread(target=lambda: told.extend(mirror.set([("c", VALUE)], LONG_S)))
        setting.start()
        assert wait_until(lambda: mirror._sent)
        mirror.cancel(is_silent=True)
        setting.join()
        assert told == [CANCELLED]
        for _ in range(2):
            assert mirror.set([("c", NEWER)], LONG_S) == [None]
            mirror.cancel(is_silent=False)
        assert proxy.connections == 2


@pytest.mark.parametrize("answer", [b":1\r\n", b"+QUEUED\r\n", b"$-1\r\n"])
def test_what_is_no_answer_to_a_set_is_no_copy(answer):
    with Peer(lambda _connection, _words: answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False)
        with contextlib.closing(store_at(address)) as cache:
            assert cache.mirror(60).set([("c", VALUE)], LONG_S) == [NO_ANSWER]


def test_after_copies_without_an_answer_there_is_a_new_connection_to_valkey():
    connections = []

    def answer(number, _words):
        connections.append(number)
        return b"+OK\r\n"

    with Peer(answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False)
        with contextlib.closing(store_at(address)) as cache:
            mirror = cache.mirror(60)
            for is_silent in (False, True):
                assert mirror.set([("c", VALUE)], LONG_S) == [None]
                mirror.cancel(is_silent=is_silent)
            assert mirror.set([("c", NEWER)], LONG_S) == [None]
    first, second, third = connections
    assert first == second != third


def test_a_key_that_is_rotated_is_fetched_by_whoever_sets_copies():
    with MomentoServer([CACHE], api_keys={"new"}) as server:
        credentials = CredentialProvider("old", HOST, HOST, HOST, server.port)
        cache = MomentoStore(CACHE, credentials, key=Key("old", lambda: "new"))
        with contextlib.closing(DurableStore(MemoryStore(), cache, 60, wait_s=LONG_S)) as store:
            swap = Swap("c", ABSENT, VALUE)
            [(_, stored)] = store.write([swap], time.monotonic() + LONG_S)
            assert store.finish(time.monotonic() + LONG_S) == 1
            assert isinstance(stored, Stored)
            swap = Swap("c", Copy(VALUE, stored.token), NEWER)
            assert len(list(store.write([swap], time.monotonic() + LONG_S))) == 1
            assert store.finish(time.monotonic() + LONG_S) == 0
            assert store.found(["c"], LONG_S, consistent=False)[0] == [Found(NEWER, Source.CACHE)]


def test_a_copy_in_momento_has_its_time_to_live():
    with MomentoServer([CACHE]) as server, contextlib.closing(store_of(server)) as cache:
        assert cache.mirror(60).set([("c", VALUE), ("d", NEWER)], LONG_S) == [None, None]
        assert cache.values(["c", "d"], LONG_S) == ([VALUE, NEWER], None)
        raw = Raw(server)
        assert 50_000 < raw.scs("ItemGetTtl", cache_key=b"c").found.remaining_ttl_millis <= 60_000


def test_a_copy_in_valkey_has_its_time_to_live(valkey):
    with contextlib.closing(store_at(valkey.address)) as cache:
        assert cache.mirror(60).set([("c", VALUE), ("d", NEWER)], LONG_S) == [None, None]
        assert cache.values(["c", "d"], LONG_S) == ([VALUE, NEWER], None)
        assert 50_000 < valkey.command("PTTL", "c") <= 60_000
