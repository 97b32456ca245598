"""What calls cost at Momento, and that the server's counters tell it here and over the wire."""

from collections import Counter
from typing import Any

import pytest

from tally.local.momento import MomentoStats, read_stats
from tally.local.momento.metering import Meter, operations
from tests.support.momento import TTL_MS, Raw, RefusalError, raw_server


@pytest.fixture
def raw():
    with raw_server() as raw:
        yield raw


@pytest.mark.parametrize(
    ("call", "sizes_bytes", "billed"),
    [
        ("Get", [], 1),
        ("Get", [0], 1),
        ("Get", [1_024], 1),
        ("Get", [1_025], 2),
        ("Set", [5_000_000], 4_883),
        ("GetBatch", [0, 1_024, 1_025], 4),
        ("SetIf", [1_024], 2),
        ("SetIfHash", [1_025], 4),
        ("SetIfNotExists", [1], 2),
    ],
)
def test_each_begun_chunk_of_each_item_is_an_operation(call, sizes_bytes, billed):
    assert operations(call, sizes_bytes) == billed
    assert operations(call, sizes_bytes, consistent=True) == 2 * billed


ITEM: dict[str, Any] = {"cache_key": b"key", "cache_body": b"x" * 1_025, "ttl_milliseconds": TTL_MS}
BILLED: list[tuple[str, dict[str, Any], int]] = [
    ("Set", ITEM, 2),
    ("Get", {"cache_key": b"key"}, 2),
    ("GetWithHash", {"cache_key": b"key"}, 2),
    ("SetIf", {**ITEM, "absent": {}}, 4),
    ("SetIfHash", {**ITEM, "unconditional": {}}, 4),
    ("SetIfNotExists", ITEM, 4),
    ("GetBatch", {"items": [{"cache_key": b"key"}, {"cache_key": b"other"}]}, 3),
    ("SetBatch", {"items": [ITEM, ITEM]}, 4),
    ("KeysExist", {"cache_keys": [b"k" * 512] * 3}, 2),
    ("UpdateTtl", {"cache_key": b"key", "overwrite_to_milliseconds": 1}, 1),
    ("ItemGetTtl", {"cache_key": b"key"}, 1),
    ("ItemGetType", {"cache_key": b"key"}, 1),
    ("Delete", {"cache_key": b"key"}, 1),
    ("Increment", {"cache_key": b"key", "amount": 1, "ttl_milliseconds": TTL_MS}, 1),
]


def test_every_call_is_counted_with_what_it_costs(raw):
    for call, fields, _ in BILLED:
        raw.scs(call, **fields)
    raw.control("ListCaches")
    costs = {call: cost for call, _, cost in BILLED} | {"ListCaches": 0}
    assert raw.server.stats() == MomentoStats(dict.fromkeys(costs, 1), costs)


def test_a_refused_call_costs_one_operation(raw):
    with pytest.raises(RefusalError):
        raw.scs("SetIf", cache_key=b"key", cache_body=b"x" * 5_000)
    assert raw.server.stats() == MomentoStats({"SetIf": 1}, {"SetIf": 1})


def test_an_injected_error_costs_only_what_was_carried_out(raw):
    for phase in ("before", "after"):
        faulty = raw.with_headers(return_error="internal", error_rpcs="set", error_phase=phase)
        with pytest.raises(RefusalError):
            faulty.set(b"key", b"x" * 2_048)
    assert raw.server.stats() == MomentoStats({"Set": 2}, {"Set": 2})


def test_a_consistent_read_costs_twice(raw):
    raw.with_headers(read_concern="consistent").get(b"key")
    assert raw.server.stats() == MomentoStats({"Get": 1}, {"Get": 2})


def test_a_call_with_a_key_that_is_not_accepted_is_not_counted():
    with raw_server(api_keys=["right"]) as raw:
        with pytest.raises(RefusalError):
            Raw(raw.server).get(b"key")
        assert raw.server.stats() == MomentoStats({}, {})


def test_another_process_reads_the_counters_over_the_wire(raw):
    raw.increment(b"key")
    assert read_stats(raw.server.endpoint) == MomentoStats({"Increment": 1}, {"Increment": 1})


def test_no_counter_changes_but_under_the_lock():
    meter, is_held = Meter(), []

    class Watched(Counter[str]):
        def __setitem__(self, call, number):
            is_held.append(meter._lock.locked())
            super().__setitem__(call, number)

    meter._calls, meter._operations = Watched(), Watched()
    meter.add("Get", 2)
    assert is_held == [True, True]
    assert meter.stats() == MomentoStats({"Get": 1}, {"Get": 2})
