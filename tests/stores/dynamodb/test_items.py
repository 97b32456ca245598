"""What a counter is in a table: attributes, conditions of its swaps, its room, and its units."""

import contextlib
import hashlib
import random
import time

import pytest

from tally.counters.counter import Counter, fold
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.reading.errors import ReadError
from tally.reading.reader import Reader
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.dynamodb.items import NO_COUNTER, Items, token_of
from tally.stores.port import ABSENT, Copy, Found, LostRace, Source, Stored, Swap
from tests.support.clock import Clock
from tests.support.dynamodb import Endpoint, stored

NOW_S = 1_790_000_000.9
VALUE = b"39\nledger"


@pytest.fixture
def store(table):
    with contextlib.closing(table.store()) as store:
        yield store


def read(store, *counters):
    return dict(store.read(counters, time.monotonic() + 60))


def swap(store, counter, seen, value):
    [(_, answer)] = store.write([Swap(counter, seen, value)], time.monotonic() + 60)
    return answer


def put(store, counter, value):
    """The copy of a counter that did not exist."""
    stored = swap(store, counter, ABSENT, value)
    return Copy(value, stored.token)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (VALUE, "39"),
        (b"-9223372036854775808\n\x95", "-9223372036854775808"),
        (b"7", "7"),
        (b"", None),
        (b"12345678901234567890\n", None),
        (b"7 \n", None),
    ],
)
def test_an_item_has_value_token_and_count(table, store, value, count):
    put(store, "c", value)
    digest = hashlib.blake2b(value, digest_size=16).digest()
    item = {"counter": {"S": "c"}, "value": {"B": value}, "token": {"B": digest}}
    assert table.item("c") == item | ({"count": {"N": count}} if count else {})


def test_with_a_time_to_live_it_says_when_it_expires(table):
    with contextlib.closing(table.store(ttl_s=3_600, wall_clock=lambda: NOW_S)) as store:
        seen = put(store, "c", VALUE)
        assert table.item("c")["expires"] == {"N": "1790003600"}
        assert swap(store, "c", seen, b"40\n") == Stored(token_of(b"40\n"))


def test_only_dynamodb_ends_a_life(table):
    with contextlib.closing(table.store(ttl_s=3_600, wall_clock=lambda: 0.0)) as store:
        seen = put(store, "c", VALUE)  # expired half a century ago, and not yet deleted
        assert read(store, "c") == {"c": seen}
        assert store.found(["c"], 60, consistent=False) == ([Found(VALUE, Source.TABLE)], None)
        assert swap(store, "c", ABSENT, b"1") == LostRace(seen)


def requested(swap):
    """The request of a swap, as it comes over HTTP."""
    with Endpoint(stored) as endpoint, contextlib.closing(endpoint.store()) as store:
        [(_, answer)] = store.write([swap], time.monotonic() + 60)
        assert answer == Stored(token_of(swap.value))
    [(_, asked)] = endpoint.asked
    return {name: asked[name] for name in asked if name.startswith(("Condition", "Expression"))}


def test_a_new_counter_needs_that_there_is_none():
    assert requested(Swap("c", ABSENT, VALUE)) == {
        "ConditionExpression": "attribute_not_exists(#counter)",
        "ExpressionAttributeNames": {"#counter": "counter"},
    }


@pytest.mark.parametrize("token", [token_of(VALUE), None], ids=["token", "value"])
def test_any_other_needs_the_token_and_nothing_else(token):
    assert requested(Swap("c", Copy(VALUE, token), b"40\n")) == {
        "ConditionExpression": "#token = :seen",
        "ExpressionAttributeNames": {"#token": "token"},
        "ExpressionAttributeValues": {":seen": {"B": "PjSP2HTjQ+RqdBWkdCjYWQ=="}},
    }


def test_a_warm_copy_does_not_raise_the_dead(table, store):
    seen = put(store, "c", VALUE)
    table.delete("c")
    assert swap(store, "c", seen, b"40\n") == LostRace(ABSENT)
    assert table.item("c") is None


def test_a_winner_is_told_whole(store):
    first = put(store, "c", b"1\n")
    stored = swap(store, "c", first, b"2\nlonger")
    assert swap(store, "c", first, b"3\n") == LostRace(Copy(b"2\nlonger", stored.token))


FOREIGN = [
    {},
    {"value": {"B": VALUE}},
    {"token": {"B": token_of(VALUE)}},
    {"value": {"B": b"40\nledger"}, "token": {"B": token_of(VALUE)}},
    {"value": {"S": "39"}, "token": {"B": token_of(VALUE)}},
]


@pytest.mark.parametrize("attributes", FOREIGN)
def test_what_other_hands_have_changed_is_refused_and_not_overwritten(table, store, attributes):
    table.put(counter={"S": "c"}, **attributes)
    assert read(store, "c", "d") == {"c": NO_COUNTER, "d": ABSENT}
    assert swap(store, "c", ABSENT, b"1\n") == NO_COUNTER
    assert table.item("c") == {"counter": {"S": "c"}, **attributes}


@pytest.mark.parametrize("attributes", FOREIGN)
def test_a_reader_is_told_the_value_and_of_none_that_it_is_no_counter(table, attributes):
    table.put(counter={"S": "c"}, **attributes)
    with Reader(table.store()) as reader:
        if count := attributes.get("value", {}).get("B"):
            assert reader.count("c") == int(count[:2])
        else:
            with pytest.raises(ReadError) as caught:
                reader.counts(["none", "c"])
            assert (caught.value.counter, caught.value.trouble) == ("c", None)


@pytest.mark.parametrize(
    ("ttl_s", "counter", "free_bytes"),
    [
        (None, "c", 965),
        (3_600, "c", 952),
        (None, "page:home", 957),
        (None, "ü" * 256, 454),
        (3_600, "ü" * 256, 441),
    ],
)
def test_a_name_takes_of_the_room_in_a_write_unit(ttl_s, counter, free_bytes):
    items = Items("t", ttl_s, Clock())
    limits = items.limits(counter)
    assert limits == Limits(free_bytes=free_bytes, max_bytes=65_536)
    assert items.write_units(counter, b"x" * free_bytes) == 1
    assert items.write_units(counter, b"x" * (free_bytes + 9)) == 2  # 8 are spare


def test_a_ledger_with_many_sources_stays_within_one_write_unit(store):
    clock = Clock()
    rounds = Rounds(store, clock=time.monotonic, sleep=clock.sleep, uniform=lambda low, _high: low)
    at = 1_790_000_000_000
    events = [Event("c", source, 0, at + source * 2_000_000) for source in range(1, 400)]
    Writer(rounds, Copies()).settle({"c": events}, time.monotonic() + 60, Activity())
    value = read(store, "c")["c"].value
    assert 900 < len(value) <= 965


@pytest.mark.parametrize(("increments", "forgets"), [(6_500, False), (6_600, True)])
def test_a_value_remembers_6500_named_increments_however_recent(increments, forgets):
    at = 1_790_000_000_000
    draws = random.Random(1)
    identities = [draws.getrandbits(64) for _ in range(increments)]
    events = [Event("c", source, 0, at) for source in identities]
    value = fold(None, events, Items("t", None, Clock()).limits("c")).value
    assert (Counter(value).ledger.floor_ms >= at) is forgets
    assert len(value or b"") <= 65_536


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [(None, 973, 1), (None, 974, 2), (974, 1, 2), (1, 974, 2), (None, 65_536, 65)],
)
def test_a_swap_costs_the_longer_of_what_was_and_what_is(store, before, after, units):
    seen = ABSENT if before is None else put(store, "c", b"1" * before)
    billed = store.usage.operations
    assert isinstance(swap(store, "c", seen, b"2" * after), Stored)
    assert (store.usage.operations - billed, store.usage.reads) == (units, 0)


@pytest.mark.parametrize(("length", "units"), [(1, 1), (2_000, 3)])
def test_a_lost_race_costs_what_stands_there(store, length, units):
    put(store, "c", b"1" * length)
    billed = store.usage.operations
    assert isinstance(swap(store, "c", ABSENT, b"2"), LostRace)
    assert (store.usage.operations - billed, store.usage.reads) == (units, 0)


@pytest.mark.parametrize(("length", "units"), [(None, 1), (4_045, 1), (4_046, 2), (65_536, 17)])
def test_a_read_costs_a_unit_for_each_4_kib_begun(store, length, units):
    if length is not None:
        put(store, "c", b"1" * length)
    billed = store.usage.operations
    read(store, "c")
    assert (store.usage.operations - billed, store.usage.reads) == (units, units)
