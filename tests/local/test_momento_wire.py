"""What the SDK for Python has no call for: batches, times to live, and what is not served."""

import pytest
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc

from tests.support.momento import TTL_MS, HandClock, RefusalError, raw_server

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


def test_a_batch_with_an_item_too_large_stores_nothing(raw):
    items = [
        {"cache_key": b"a", "cache_body": body, "ttl_milliseconds": TTL_MS}
        for body in (b"fits", b"x" * 5_300_000)
    ]
    with pytest.raises(RefusalError) as caught:
        raw.scs("SetBatch", items=items)
    assert (caught.value, caught.value.err) == (
        RefusalError("RESOURCE_EXHAUSTED"),
        "item_size_limit_exceeded",
    )
    assert raw.get(b"a") is None


def test_an_item_of_5_300_000_bytes_is_refused_by_the_server(raw):
    with pytest.raises(RefusalError, match="item size limit exceeded") as caught:
        raw.set(b"key", b"x" * 5_300_000)
    assert caught.value == RefusalError("RESOURCE_EXHAUSTED")


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


def test_list_caches_tells_the_limits_on_one_page(raw):
    answer = raw.control("ListCaches")
    [cache] = answer.cache
    assert (cache.cache_limits.max_item_size_kb, cache.cache_limits.max_ttl_seconds) == (
        4_883,
        86_400,
    )
    assert answer.next_token == ""


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
