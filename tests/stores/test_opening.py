"""Settings become a store; what is not installed is named."""

from typing import Any

import pytest

from tally.environment import Cache, Local, Table, Valkey
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore
from tally.stores.momento.store import MomentoStore
from tally.stores.opening import open_store
from tally.stores.valkey.commands import packed
from tally.stores.valkey.store import ValkeyStore

CACHE = Cache("tally", Local("127.0.0.1", 8080))
VALKEY = Valkey("cache", 6379)


def test_a_cache_of_momento_is_opened():
    assert isinstance(open_store(CACHE), MomentoStore)


def test_a_server_of_valkey_is_opened():
    store = open_store(VALKEY)
    assert isinstance(store, ValkeyStore)
    store.close()


def test_a_table_alone_is_opened():
    store = open_store(Table("counters"))
    assert isinstance(store, DynamoStore)
    store.close()


@pytest.mark.parametrize("cache", [CACHE, VALKEY])
def test_a_table_with_a_cache_before_it_is_opened(cache):
    store = open_store(Table("counters", cache=cache))
    assert isinstance(store, DurableStore)
    store.close()


def test_each_store_keeps_counters_as_long_as_it_is_told():
    momento: Any = open_store(CACHE, ttl_s=90)
    valkey: Any = open_store(VALKEY, ttl_s=90)
    assert (momento._calls._ttl_ms, valkey._commands._ttl) == (90_000, packed(b"90000"))


@pytest.mark.parametrize("ttl_s", [None, 7_200])
def test_a_table_and_the_copies_before_it_have_a_time_to_live_each(ttl_s):
    opened: list[Any] = [
        open_store(Table("counters", ttl_s, cache, cache_ttl_s=90)) for cache in (CACHE, VALKEY)
    ]
    momento, valkey = (store._mirroring._mirror for store in opened)
    assert (momento._calls._ttl_ms, valkey._ttl_ms) == (90_000, b"90000")
    assert [store._table._items._ttl_s for store in opened] == [ttl_s] * 2


@pytest.mark.parametrize(
    ("cache", "name", "extra"),
    [(CACHE, "Momento", "read"), (VALKEY, "Valkey", "valkey")],
)
def test_without_what_speaks_to_it_the_extra_is_named(cache, name, extra):
    missing = ModuleNotFoundError("No module named 'it'", name="it")

    def load(_):
        raise missing

    needs = rf"^counters in {name} need tally-counters\[{extra}\]: No module named 'it'$"
    with pytest.raises(ImportError, match=needs) as caught:
        open_store(cache, load=load)
    assert caught.value.name == "it"
