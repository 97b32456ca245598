"""One contract for every store: memory, Momento fake and over gRPC, Valkey, DynamoDB, durable."""

import contextlib
import dataclasses
import time

import pytest

from tally.counters.counter import read_count
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.local.momento.server import MomentoServer
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore
from tally.stores.errors import StoreClosedError
from tally.stores.memory import Items, MemoryStore
from tally.stores.port import ABSENT, NOT_SENT, Copy, LostRace, Stored, Swap
from tally.stores.valkey.commands import SWAP
from tests.support.clock import Clock
from tests.support.consumers import make_momento, store_of
from tests.support.dynamodb import durable
from tests.support.momento_channel import CACHE, FakeChannel, FakeStore
from tests.support.valkey import store_at

WAIT_S = 60.0
MANY = 300
NAMES = [f"c{number}" for number in range(MANY)]


@contextlib.contextmanager
def memory(_request):
    items = Items()
    yield lambda: MemoryStore(items), time.monotonic


@contextlib.contextmanager
def momento(_request):
    clock = Clock()
    items = FakeStore(clock)
    yield lambda: make_momento(FakeChannel(clock, items)), clock


@contextlib.contextmanager
def momento_over_grpc(_request):
    with MomentoServer([CACHE]) as server:
        yield lambda: store_of(server), time.monotonic


@contextlib.contextmanager
def valkey(request):
    server = request.getfixturevalue("valkey")
    server.command("SCRIPT", "LOAD", SWAP)  # else the first swap of all tests takes two calls
    yield lambda: store_at(server.address, deadline_s=WAIT_S), time.monotonic


@contextlib.contextmanager
def dynamodb(request):
    table = request.getfixturevalue("table")
    yield table.store, time.monotonic


@contextlib.contextmanager
def dynamodb_and_momento(request):
    table = request.getfixturevalue("table")
    with MomentoServer([CACHE]) as server:
        yield lambda: durable(table, store_of(server)), time.monotonic


@contextlib.contextmanager
def dynamodb_and_valkey(request):
    table = request.getfixturevalue("table")
    server = request.getfixturevalue("valkey")
    yield lambda: durable(table, store_at(server.address)), time.monotonic


KINDS = [
    *(memory, momento, momento_over_grpc, valkey),
    *(dynamodb, dynamodb_and_momento, dynamodb_and_valkey),
]


class Kind:
    """Makes clients of the same items; tells the time that they go by."""

    def __init__(self, make, clock):
        self.make, self.clock = make, clock

    def read(self, store, *counters):
        return dict(store.read(counters, self.clock() + WAIT_S))

    def write(self, store, *swaps):
        return [answer for _, answer in store.write(swaps, self.clock() + WAIT_S)]


@pytest.fixture(params=KINDS, ids=lambda made: made.__name__)
def kind(request):
    with request.param(request) as (make, clock), contextlib.ExitStack() as made:

        def closed_in_the_end():
            return made.enter_context(contextlib.closing(make()))

        yield Kind(closed_in_the_end, clock)


@pytest.fixture
def store(kind):
    return kind.make()


def put(kind, store, counter, value):
    """The copy of a counter that holds a value."""
    [answer] = kind.write(store, Swap(counter, kind.read(store, counter)[counter], value))
    assert isinstance(answer, Stored)
    copy = kind.read(store, counter)[counter]
    assert copy.value == value
    assert answer.token in {None, copy.token}
    return copy


def test_what_is_not_there_reads_as_absent(kind, store):
    assert kind.read(store, "c") == {"c": ABSENT}


def test_what_another_client_stored_is_read_with_a_token(kind, store):
    seen = put(kind, kind.make(), "c", b"1\nledger")
    assert kind.read(store, "c") == {"c": seen}
    assert seen.token


def test_a_counter_is_created_once(kind, store):
    seen = put(kind, store, "c", b"1")
    [lost] = kind.write(store, Swap("c", ABSENT, b"2"))
    assert lost in (LostRace(), LostRace(seen))
    assert kind.read(store, "c") == {"c": seen}


def test_a_swap_happens_only_on_what_was_seen(kind, store):
    first = put(kind, store, "c", b"1")
    second = put(kind, store, "c", b"2")
    [lost] = kind.write(store, Swap("c", first, b"3"))
    assert lost in (LostRace(), LostRace(second))
    assert kind.read(store, "c") == {"c": second}


def test_a_swap_of_what_is_gone_is_lost(kind, store):
    [lost] = kind.write(store, Swap("c", put(kind, store, "d", b"1"), b"2"))
    assert lost in (LostRace(), LostRace(ABSENT))
    assert kind.read(store, "c") == {"c": ABSENT}


def test_two_values_never_share_a_token(kind, store):
    copies = [put(kind, store, "c", value) for value in (b"1", b"2", b"3", b"1\n", b"")]
    assert len({copy.token for copy in copies}) == len(copies)


def test_an_empty_value_is_not_an_absent_one(kind, store):
    empty = put(kind, store, "c", b"")
    [created] = kind.write(store, Swap("c", ABSENT, b"1"))
    assert created in (LostRace(), LostRace(empty))
    [swapped] = kind.write(store, Swap("d", empty, b"1"))
    assert swapped in (LostRace(), LostRace(ABSENT))
    assert kind.read(store, "c", "d") == {"c": empty, "d": ABSENT}
    assert isinstance(kind.write(store, Swap("c", empty, b"2"))[0], Stored)


def test_answers_come_in_the_order_in_which_they_were_asked_for(kind, store):
    swaps = [Swap(name, ABSENT, name.encode()) for name in NAMES]
    told = list(store.write(swaps, kind.clock() + WAIT_S))
    assert [swap for swap, _ in told] == swaps
    assert all(isinstance(answer, Stored) for _, answer in told)
    read = list(store.read(NAMES, kind.clock() + WAIT_S))
    assert [(name, copy.value) for name, copy in read] == [(n, n.encode()) for n in NAMES]


def test_a_round_that_ends_early_leaves_nothing_for_the_next(kind, store):
    for name in NAMES[:10]:
        put(kind, store, name, name.encode())
    cut_off = store.read(NAMES[:10], kind.clock() + WAIT_S)
    assert next(cut_off)[0] == "c0"
    cut_off.close()
    swaps = store.write([Swap(name, ABSENT, b"x") for name in NAMES[:10]], kind.clock() + WAIT_S)
    next(swaps)
    swaps.close()
    found = kind.read(store, *NAMES[:10])
    assert {name: copy.value for name, copy in found.items()} == {
        name: name.encode() for name in NAMES[:10]
    }


def test_what_has_no_time_is_not_sent(kind, store):
    before = store.usage.operations
    assert dict(store.read(["c"], kind.clock() - 1)) == {"c": NOT_SENT}
    [(_, answer)] = store.write([Swap("c", ABSENT, b"1")], kind.clock() - 1)
    assert answer is NOT_SENT
    assert store.usage.operations == before
    assert kind.read(store, "c") == {"c": ABSENT}


def test_usage_tells_what_calls_came_to(kind, store):
    put(kind, store, "a", b"1")  # a Valkey server that lacks the script is asked once more
    before = dataclasses.replace(store.usage)
    put(kind, store, "c", b"1")
    assert store.usage.answered - before.answered == 3
    assert store.usage.unanswered == 0
    assert store.usage.operations - before.operations >= 3


def test_limits_are_what_the_store_has_room_for(store):
    is_table = isinstance(store, DynamoStore | DurableStore)
    limits = Limits(free_bytes=965, max_bytes=65_536) if is_table else Limits()
    assert store.limits("c") == limits


def test_new_connections_find_the_same_counters(kind, store):
    seen = put(kind, store, "c", b"1")
    store.renew()
    assert kind.read(store, "c") == {"c": seen}


def test_a_copy_outlives_its_client(kind, store):
    seen = put(kind, kind.make(), "c", b"1")
    assert isinstance(kind.write(store, Swap("c", seen, b"2"))[0], Stored)


def settled(kind, store, events):
    """The decisions of a writer on a store."""
    rounds = Rounds(store, clock=kind.clock, sleep=lambda _s: None, uniform=lambda low, _high: low)
    progress = Writer(rounds, Copies()).settle({"c": events}, kind.clock() + WAIT_S, Activity())
    return progress.settlements()["c"]


def test_writers_count_each_event_once(kind, store):
    events = [Event("c", 1, seq, 1_790_000_000_000) for seq in range(10)]
    first = settled(kind, store, events[:7])
    second = settled(kind, kind.make(), events)
    assert [len(first), len(second)] == [7, 10]
    assert read_count(kind.read(store, "c")["c"].value or b"") == 10


def test_a_closed_store_answers_nothing(kind):
    store = kind.make()
    store.close()
    store.close()
    with pytest.raises(StoreClosedError, match=r"^the store is closed$"):
        store.values(["c"], WAIT_S)


@pytest.mark.parametrize(
    "made", [made for made in KINDS if made is not momento], ids=lambda made: made.__name__
)
def test_values_come_in_the_order_of_their_counters(made, request):
    with made(request) as (make, clock), contextlib.closing(make()) as store:
        kind = Kind(make, clock)
        put(kind, store, "a", b"1")
        put(kind, store, "b", b"2\nledger")
        put(kind, store, "c", b"")
        names = ["b", "none", "a", "c"]
        assert store.values(names, WAIT_S) == ([b"2\nledger", None, b"1", b""], None)


def test_a_token_is_opaque_to_all_but_its_store(kind, store):
    [lost] = kind.write(store, Swap("c", Copy(b"1", b"not of this store"), b"2"))
    assert isinstance(lost, LostRace)
