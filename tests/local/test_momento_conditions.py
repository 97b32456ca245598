"""SetIf and SetIfHash: when they store, what a hash is, and that nothing comes in between."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.local.momento.data_calls import value_hash
from tests.support.momento import TTL_MS, HandClock, RefusalError, raw_server

MANY = 70_000
"""More values than hashes of two bytes can tell apart."""

ON_VALUE = {
    "absent": (True, False, False),
    "present": (False, True, True),
    "equal": (False, True, False),
    "not_equal": (True, False, True),
    "present_and_not_equal": (False, False, True),
    "absent_or_equal": (True, True, False),
}
ON_HASH = {
    "present_and_hash_equal": (False, True, False),
    "present_and_not_hash_equal": (False, False, True),
    "absent_or_hash_equal": (True, True, False),
    "absent_or_not_hash_equal": (True, False, True),
    "unconditional": (True, True, True),
}
PRESENCES = [(0, None), (1, b"old"), (2, b"different")]


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def raw(clock):
    with raw_server(now_ns=clock) as raw:
        yield raw


def set_if(raw, condition, key=b"key", value=b"new", call="SetIf", ttl_ms=TTL_MS):
    fields = {"cache_key": key, "cache_body": value, "ttl_milliseconds": ttl_ms}
    return raw.scs(call, **fields, **condition)


def value_and_hash(raw, key=b"key"):
    found = raw.scs("GetWithHash", cache_key=key).found
    return found.value, found.hash


@pytest.mark.parametrize(("nth", "current"), PRESENCES, ids=["absent", "equal", "different"])
class TestConditions:
    """Each against nothing, the value that it names, and another value."""

    @pytest.mark.parametrize("name", ON_VALUE)
    def test_set_if_stores_as_its_condition_says(self, raw, name, nth, current):
        if current is not None:
            raw.set(b"key", current)
        operand = {} if name in {"absent", "present"} else {"value_to_check": b"old"}
        answer = set_if(raw, {name: operand})
        stored = ON_VALUE[name][nth]
        assert answer.WhichOneof("result") == ("stored" if stored else "not_stored")
        assert raw.get(b"key") == (b"new" if stored else current)

    @pytest.mark.parametrize("name", ON_HASH)
    def test_set_if_hash_stores_as_its_condition_says(self, raw, name, nth, current):
        raw.set(b"another key", b"old")
        operand = {"hash_to_check": value_and_hash(raw, b"another key")[1]}
        if current is not None:
            raw.set(b"key", current)
        condition = {name: {} if name == "unconditional" else operand}
        answer = set_if(raw, condition, call="SetIfHash")
        stored = ON_HASH[name][nth]
        assert answer.WhichOneof("result") == ("stored" if stored else "not_stored")
        assert raw.get(b"key") == (b"new" if stored else current)


@pytest.mark.parametrize("call", ["SetIf", "SetIfHash"])
def test_a_conditional_call_without_a_condition_is_invalid(raw, call):
    with pytest.raises(RefusalError, match="a condition is required") as caught:
        set_if(raw, {}, call=call)
    assert caught.value == RefusalError("INVALID_ARGUMENT")


@pytest.mark.parametrize(("there", "operand"), [(b"07", b"7"), (b"7", b"07"), (b"7", b"7 ")])
def test_values_are_compared_as_bytes(raw, there, operand):
    raw.set(b"key", there)
    assert set_if(raw, {"equal": {"value_to_check": operand}}).HasField("not_stored")


def test_nothing_is_not_equal_to_an_empty_value(raw):
    assert set_if(raw, {"equal": {"value_to_check": b""}}).HasField("not_stored")
    raw.set(b"key", b"")
    assert set_if(raw, {"equal": {"value_to_check": b""}}).HasField("stored")


def test_what_is_not_stored_leaves_the_time_to_live_as_it_was(raw, clock):
    raw.set(b"key", b"old", 1_000)
    set_if(raw, {"absent": {}}, ttl_ms=5_000)
    clock.advance_ms(1_000)
    assert raw.get(b"key") is None


def test_what_is_stored_has_the_time_to_live_of_the_request(raw, clock):
    raw.set(b"key", b"old", 1_000)
    set_if(raw, {"present": {}}, ttl_ms=5_000)
    clock.advance_ms(4_999)
    assert raw.get(b"key") == b"new"


def test_an_expired_item_is_absent_for_a_condition(raw, clock):
    raw.set(b"key", b"old", 1_000)
    clock.advance_ms(1_000)
    assert set_if(raw, {"present": {}}).HasField("not_stored")
    assert raw.scs("GetWithHash", cache_key=b"key").HasField("missing")


def test_a_swap_tells_the_hash_of_what_it_stored(raw):
    answer = set_if(raw, {"unconditional": {}}, call="SetIfHash")
    assert value_and_hash(raw) == (b"new", answer.stored.new_hash)


def test_equal_values_have_equal_hashes_however_they_came(raw):
    raw.set(b"set", b"7")
    raw.increment(b"incremented", 7)
    set_if(raw, {"absent": {}}, b"conditional", b"7")
    hashes = {value_and_hash(raw, key) for key in (b"set", b"incremented", b"conditional")}
    raw.set(b"set", b"8")
    assert len(hashes) == 1
    assert value_and_hash(raw, b"set") not in hashes


def test_no_two_values_have_one_hash():
    values = [b"1\n%d" % number for number in range(MANY)]
    assert len({value_hash(value) for value in values}) == MANY


def test_a_value_that_returns_brings_its_hash_back(raw):
    raw.set(b"key", b"A")
    _, before = value_and_hash(raw)
    raw.set(b"key", b"B")
    raw.set(b"key", b"A")
    condition = {"present_and_hash_equal": {"hash_to_check": before}}
    assert set_if(raw, condition, call="SetIfHash").HasField("stored")


def test_nothing_comes_between_the_reading_and_the_writing_of_an_increment():
    never = threading.Event()
    # A clock that lets other threads on, whenever a call has read an item and not yet written it.
    with raw_server(now_ns=lambda: never.wait(0.0001) * 1) as raw, ThreadPoolExecutor(16) as pool:
        totals = list(pool.map(lambda _: raw.increment(b"key"), range(160)))
    assert sorted(totals) == list(range(1, 161))


def test_of_many_swaps_on_one_hash_one_is_stored(raw):
    raw.set(b"key", b"old")
    condition = {"present_and_hash_equal": {"hash_to_check": value_and_hash(raw)[1]}}
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: set_if(raw, condition, value=b"%d" % n, call="SetIfHash"), range(64))
        )
    assert [answer.HasField("stored") for answer in answers].count(True) == 1
