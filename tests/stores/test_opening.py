"""Settings become a store; what is not installed is named."""

import pytest

from tally.environment import Cache, Local
from tally.stores.momento.store import MomentoStore
from tally.stores.opening import open_store

CACHE = Cache("tally", Local("127.0.0.1", 8080))


def test_a_cache_of_momento_is_opened():
    assert isinstance(open_store(CACHE), MomentoStore)


def test_without_its_sdk_the_extra_is_named():
    missing = ModuleNotFoundError("No module named 'grpc'", name="grpc")

    def load(_):
        raise missing

    needs = r"^counters in Momento need tally-counters\[read\]: No module named 'grpc'$"
    with pytest.raises(ImportError, match=needs) as caught:
        open_store(CACHE, load=load)
    assert caught.value.name == "grpc"
