"""Settings become a store; what is not installed is named."""

import pytest

from tally.environment import Cache, Local, Table, Valkey
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore
from tally.stores.momento.store import MomentoStore
from tally.stores.opening import open_store
from tally.stores.valkey.store import ValkeyStore

CACHE = Cache("tally", Local("127.0.0.1", 8080))


def test_a_cache_of_momento_is_opened():
    assert isinstance(open_store(CACHE), MomentoStore)


def test_a_server_of_valkey_is_opened():
    store = open_store(Valkey("cache", 6379))
    assert isinstance(store, ValkeyStore)
    store.close()


def test_a_table_alone_is_opened():
    store = open_store(Table("counters"))
    assert isinstance(store, DynamoStore)
    store.close()


@pytest.mark.parametrize("cache", [CACHE, Valkey("cache", 6379)])
def test_a_table_with_a_cache_before_it_is_opened(cache):
    store = open_store(Table("counters", cache=cache))
    assert isinstance(store, DurableStore)
    store.close()


@pytest.mark.parametrize(
    ("cache", "name", "extra"),
    [(CACHE, "Momento", "read"), (Valkey("cache", 6379), "Valkey", "valkey")],
)
def test_without_what_speaks_to_it_the_extra_is_named(cache, name, extra):
    missing = ModuleNotFoundError("No module named 'it'", name="it")

    def load(_):
        raise missing

    needs = rf"^counters in {name} need tally-counters\[{extra}\]: No module named 'it'$"
    with pytest.raises(ImportError, match=needs) as caught:
        open_store(cache, load=load)
    assert caught.value.name == "it"
