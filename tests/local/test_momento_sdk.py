"""What Momento promises, asked over its SDK, its asyncio SDK and the bare protocol."""

import json

import pytest

from tally.local.momento import MomentoServer
from tally.local.momento.control_calls import SigningKeys
from tests.local.sdk import AsyncSdk, Sdk
from tests.support.momento import CACHE, HandClock, Raw, RefusalError

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
NOW_S = 1_790_000_000
MAX_VALUE_BYTES = 4_883 * 1024 - len(b"key")


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def server(clock):
    keys = SigningKeys(now_s=lambda: NOW_S + clock.ns // 10**9 - 10**9, new_id=iter("ab").__next__)
    with MomentoServer([CACHE], now_ns=clock, signing_keys=keys) as server:
        yield server


@pytest.fixture(params=[Sdk, AsyncSdk, Raw])
def client(request, server):
    client = request.param(server)
    yield client
    client.close()


def refused(status, call, *args):
    """The refusal of a call, whose status must be this."""
    with pytest.raises(RefusalError) as caught:
        call(*args)
    assert caught.value == RefusalError(status)
    return caught.value


def test_a_value_is_set_replaced_and_deleted(client):
    answers = [client.get(b"key")]
    client.set(b"key", b"one")
    answers.append(client.get(b"key"))
    client.set(b"key", b"two")
    answers.append(client.get(b"key"))
    client.delete(b"key")
    answers.append(client.get(b"key"))
    assert answers == [None, b"one", b"two", None]


def test_deleting_what_is_not_there_is_a_success(client):
    assert client.delete(b"key") is None


def test_an_empty_value_is_a_value(client):
    client.set(b"key", b"")
    assert client.get(b"key") == b""


def test_set_if_not_exists_stores_once(client):
    stored = [client.set_if_not_exists(b"key", b"one"), client.set_if_not_exists(b"key", b"two")]
    assert (stored, client.get(b"key")) == ([True, False], b"one")


def test_an_increment_creates_a_decimal_string_and_adds_to_it(client):
    totals = [client.increment(b"key", 5), client.increment(b"key"), client.increment(b"key", -8)]
    assert (totals, client.get(b"key")) == ([5, 6, -2], b"-2")


@pytest.mark.parametrize(
    ("value", "total"), [(b"+5", 6), (b"007", 8), (b"-0", 1), (b"0" * 5_000 + b"1", 2)]
)
def test_what_a_base_10_parser_reads_is_incremented(client, value, total):
    client.set(b"key", value)
    assert (client.increment(b"key"), client.get(b"key")) == (total, b"%d" % total)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" 5",
        b"5\n",
        b"1_0",
        "\N{FULLWIDTH DIGIT ONE}".encode(),
        b"1.0",
        b"0x1",
        b"+",
        b"abc",
        b"\xff",
        b"%d" % (INT64_MAX + 1),
    ],
)
def test_what_is_no_integer_is_not_incremented_and_stays(client, value):
    client.set(b"key", value)
    refused("FAILED_PRECONDITION", client.increment, b"key", -1)
    assert client.get(b"key") == value


@pytest.mark.parametrize(("edge", "amount"), [(INT64_MAX, 1), (INT64_MIN, -1)])
def test_an_increment_reaches_the_edge_of_int64_and_not_past_it(client, edge, amount):
    client.set(b"key", b"%d" % (edge - amount))
    assert client.increment(b"key", amount) == edge
    refused("FAILED_PRECONDITION", client.increment, b"key", amount)
    assert client.get(b"key") == b"%d" % edge


def test_an_item_is_absent_to_the_millisecond_from_its_time_on(client, clock):
    client.set(b"key", b"value", 2_000)
    clock.advance_ms(1_999.999)
    before = client.get(b"key")
    clock.advance_ms(0.001)
    assert (before, client.get(b"key")) == (b"value", None)


def test_a_new_value_has_a_new_time_to_live(client, clock):
    client.set(b"key", b"one", 1_000)
    client.set(b"key", b"two", 3_000)
    clock.advance_ms(2_999)
    before = client.get(b"key")
    clock.advance_ms(1)
    assert (before, client.get(b"key")) == (b"two", None)


def test_an_increment_overwrites_the_time_to_live_also_with_a_shorter_one(client, clock):
    client.set(b"key", b"10", 1_111_000)
    client.increment(b"key", 1, 1_000)
    clock.advance_ms(1_000)
    assert client.get(b"key") is None


def test_an_expired_item_is_absent_for_every_call(client, clock):
    client.set(b"key", b"5", 1_000)
    clock.advance_ms(1_000)
    assert client.increment(b"key", 1, 1_000) == 1
    clock.advance_ms(1_000)
    assert client.set_if_not_exists(b"key", b"new")


def test_a_time_to_live_over_a_day_is_cut_to_a_day(client, clock):
    client.set(b"key", b"value", 30 * 86_400_000)
    clock.advance_ms(86_399_999)
    before = client.get(b"key")
    clock.advance_ms(1)
    assert (before, client.get(b"key")) == (b"value", None)


def test_a_time_to_live_under_a_millisecond_is_none(client):
    below = 0 if isinstance(client, Raw) else 0.5  # which is how a timedelta arrives
    refused("INVALID_ARGUMENT", client.set, b"key", b"value", below)


def test_five_million_bytes_fit_in_an_item(client):
    client.set(b"key", b"x" * 5_000_000)
    assert client.get(b"key") == b"x" * 5_000_000


def test_an_item_is_limited_with_its_key(client):
    client.set(b"key", b"x" * MAX_VALUE_BYTES)
    refusal = refused("RESOURCE_EXHAUSTED", client.set, b"key", b"y" * (MAX_VALUE_BYTES + 1))
    assert refusal.err == "item_size_limit_exceeded"
    assert "item size limit exceeded" in refusal.details.lower()
    assert client.get(b"key") == b"x" * MAX_VALUE_BYTES


def test_a_call_on_an_unknown_cache_is_not_found(client):
    refusal = refused("NOT_FOUND", client.get, b"key", "nowhere")
    assert "cache not found: nowhere" in refusal.details
    assert ("Store with name:" in refusal.details, refusal.err) == (False, None)


def test_caches_are_created_listed_and_deleted(client):
    created = [client.create_cache("b"), client.create_cache("a"), client.create_cache("b")]
    listed = client.list_caches()
    client.delete_cache("b")
    assert (created, listed) == ([True, True, False], [CACHE, "b", "a"])
    assert client.list_caches() == [CACHE, "a"]


def test_a_cache_that_is_created_again_is_empty(client):
    client.set(b"key", b"value")
    client.delete_cache(CACHE)
    client.create_cache(CACHE)
    assert client.get(b"key") is None


def test_a_flushed_cache_is_empty_and_stays(client):
    client.set(b"key", b"value")
    client.flush(CACHE)
    assert (client.get(b"key"), client.list_caches()) == (None, [CACHE])


def test_an_unknown_cache_is_neither_deleted_nor_flushed(client):
    refused("NOT_FOUND", client.delete_cache, "nowhere")
    refused("NOT_FOUND", client.flush, "nowhere")


def test_signing_keys_are_created_listed_and_revoked(client):
    first, _ = client.create_signing_key(30), client.create_signing_key(60)
    assert (json.loads(first[0]), first[1]) == ({"kid": "a"}, NOW_S + 1_800)
    assert client.list_signing_keys() == [("a", NOW_S + 1_800), ("b", NOW_S + 3_600)]
    client.revoke_signing_key("a")
    assert client.list_signing_keys() == [("b", NOW_S + 3_600)]
    refused("NOT_FOUND", client.revoke_signing_key, "a")


def test_a_signing_key_expires(client, clock):
    client.create_signing_key(1)
    clock.advance_ms(60_000)
    assert client.list_signing_keys() == []
