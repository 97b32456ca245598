"""What the SDK for Python has no call for: batches, times to live, and what is not served."""

import pytest
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc
from momento_wire_types import controlclient_pb2 as control_pb

from tally.local.momento import MomentoStats
from tests.support.momento import (
    CACHE,
    DEADLINE_S,
    TTL_MS,
    HandClock,
    RefusalError,
    raw_server,
)

SERVED = {
    *("Get", "GetWithHash", "GetBatch", "Set", "SetBatch", "SetIf", "SetIfHash", "SetIfNotExists"),
    *("Increment", "Delete", "KeysExist", "UpdateTtl", "ItemGetTtl", "ItemGetType"),
}
UNSERVED = sorted(name for name in vars(rpc.ScsServicer) if name[0] != "_" and name not in SERVED)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def raw(clock):
    with raw_server(now_ns=clock) as raw:
        yield raw


def test_a_batch_is_answered_item_by_item_in_order(raw):
    raw.set(b"b", b"2")
    items = [{"cache_key": key} for key in (b"a", b"b", b"a", b"b")]
    answers = [(answer.result, answer.cache_body) for answer in raw.scs("GetBatch", items=items)]
    assert answers == [(pb.Miss, b""), (pb.Hit, b"2"), (pb.Miss, b""), (pb.Hit, b"2")]


def test_a_batch_is_stored_item_by_item_each_with_its_time(raw, clock):
    items = [
        {"cache_key": key, "cache_body": key * 2, "ttl_milliseconds": ttl_ms}
        for key, ttl_ms in ((b"a", 1_000), (b"b", 2_000))
    ]
    assert [answer.result for answer in raw.scs("SetBatch", items=items)] == [pb.Ok, pb.Ok]
    clock.advance_ms(1_000)
    assert (raw.get(b"a"), raw.get(b"b")) == (None, b"bb")


@pytest.mark.parametrize(
    ("sizes_bytes", "limit"),
    [
        ((1, 5_000_192), "item_size_limit_exceeded"),
        ((1, 5_300_000), "request_size_limit_exceeded"),
        ((2_650_000, 2_650_000), "request_size_limit_exceeded"),
    ],
)
def test_a_batch_that_is_too_large_stores_nothing(raw, sizes_bytes, limit):
    items = [
        {"cache_key": b"a", "cache_body": b"x" * size_bytes, "ttl_milliseconds": TTL_MS}
        for size_bytes in sizes_bytes
    ]
    with pytest.raises(RefusalError) as caught:
        raw.scs("SetBatch", items=items)
    assert (caught.value, caught.value.err) == (RefusalError("RESOURCE_EXHAUSTED"), limit)
    assert raw.get(b"a") is None


def test_an_item_of_5_000_192_bytes_with_its_key_is_stored(raw):
    raw.set(b"key", b"x" * 5_000_189)
    assert len(raw.get(b"key")) == 5_000_189


def test_keys_exist_is_answered_in_order(raw):
    raw.set(b"b", b"2")
    assert list(raw.scs("KeysExist", cache_keys=[b"b", b"a", b"b"]).exists) == [True, False, True]
    assert list(raw.scs("KeysExist").exists) == []


def test_the_time_left_is_below_what_was_set_in_whole_milliseconds(raw, clock):
    raw.set(b"key", b"value", 1_000)
    left = []
    for pause_ms in (0, 0.5, 0.5, 998.5):
        clock.advance_ms(pause_ms)
        left.append(raw.scs("ItemGetTtl", cache_key=b"key").found.remaining_ttl_millis)
    clock.advance_ms(0.5)
    assert left == [999, 999, 998, 0]
    assert raw.scs("ItemGetTtl", cache_key=b"key").HasField("missing")


@pytest.mark.parametrize(
    ("form", "ttl_ms", "result"),
    [
        ("increase", 9_001, "set"),
        ("increase", 9_000, "not_set"),
        ("decrease", 8_999, "set"),
        ("decrease", 9_000, "not_set"),
        ("overwrite", 1, "set"),
        ("overwrite", 50_000, "set"),
    ],
)
def test_a_time_to_live_is_increased_decreased_or_overwritten(raw, clock, form, ttl_ms, result):
    raw.set(b"key", b"value", 10_000)
    clock.advance_ms(1_000)
    answer = raw.scs("UpdateTtl", cache_key=b"key", **{f"{form}_to_milliseconds": ttl_ms})
    assert answer.WhichOneof("result") == result
    clock.advance_ms((ttl_ms if result == "set" else 9_000) - 1)
    before = raw.get(b"key")
    clock.advance_ms(1)
    assert (before, raw.get(b"key")) == (b"value", None)


def test_the_time_to_live_of_what_is_not_there_is_missing(raw):
    answer = raw.scs("UpdateTtl", cache_key=b"key", overwrite_to_milliseconds=1_000)
    assert answer.HasField("missing")


@pytest.mark.parametrize("fields", [{}, {"overwrite_to_milliseconds": 0}])
def test_a_time_to_live_is_not_updated_to_nothing(raw, fields):
    raw.set(b"key", b"value")
    with pytest.raises(RefusalError) as caught:
        raw.scs("UpdateTtl", cache_key=b"key", **fields)
    assert (caught.value, raw.get(b"key")) == (RefusalError("INVALID_ARGUMENT"), b"value")


def test_a_value_is_a_scalar(raw):
    raw.set(b"key", b"value")
    found = raw.scs("ItemGetType", cache_key=b"key").found
    assert found.item_type == pb._ItemGetTypeResponse.SCALAR
    assert raw.scs("ItemGetType", cache_key=b"other").HasField("missing")


def test_list_caches_tells_all_limits_on_one_page(raw):
    answer = raw.control("ListCaches")
    cache = control_pb._Cache(
        cache_name=CACHE,
        cache_limits=control_pb._CacheLimits(
            max_traffic_rate=500,
            max_throughput_kbps=10_240,
            max_item_size_kb=4_883,
            max_ttl_seconds=86_400,
        ),
        topic_limits=control_pb._TopicLimits(
            max_publish_rate=100, max_subscription_count=100, max_publish_message_size_kb=100
        ),
    )
    assert answer == control_pb._ListCachesResponse(cache=[cache], next_token="")


def test_a_ping_is_answered_whatever_the_key_and_is_not_counted():
    with raw_server(api_keys=["right"]) as raw:
        ping = raw.channel.unary_unary("/cache_client.Ping/Ping")
        assert ping(b"", timeout=DEADLINE_S) == b""
        assert raw.server.stats() == MomentoStats({}, {})


@pytest.mark.parametrize("call", ["CreateCache", "DeleteCache", "FlushCache"])
def test_a_cache_without_a_name_is_invalid(raw, call):
    with pytest.raises(RefusalError, match="missing or empty") as caught:
        raw.control(call, cache_name="")
    assert caught.value == RefusalError("INVALID_ARGUMENT")


@pytest.mark.parametrize("name", [None, ""])
def test_a_data_call_that_names_no_cache_is_invalid(raw, name):
    with pytest.raises(RefusalError, match="missing or empty") as caught:
        raw.with_headers(cache=name).scs("Get", cache_key=b"key")
    assert caught.value == RefusalError("INVALID_ARGUMENT")


def test_neither_a_key_nor_an_agent_is_needed_and_unknown_headers_are_ignored(raw):
    bare = raw.with_headers(authorization=None, x_anything="at all")
    assert bare.scs("Get", cache_key=b"key").result == pb.Miss


@pytest.mark.parametrize("call", UNSERVED)
def test_every_other_data_call_is_unimplemented_and_quiet(raw, call, caplog):
    with pytest.raises(RefusalError) as caught:
        raw.scs(call)
    assert (caught.value, caplog.records) == (RefusalError("UNIMPLEMENTED"), [])


@pytest.mark.parametrize("call", ["CreateIndex", "DeleteIndex", "ListIndexes"])
def test_every_other_control_call_is_unimplemented_and_quiet(raw, call, caplog):
    with pytest.raises(RefusalError) as caught:
        raw.control(call)
    assert (caught.value, caplog.records) == (RefusalError("UNIMPLEMENTED"), [])
