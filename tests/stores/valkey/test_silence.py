"""Reads on connections whose server has vanished without a word: answered in the same call."""

import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.environment import Valkey
from tally.reading.reader import MAX_TRIES, Reader
from tally.stores.port import Trouble
from tally.stores.valkey.connection import Connection, connect
from tally.stores.valkey.pipelines import trusted
from tests.support.api import Called, found
from tests.support.silent_proxy import SilentProxy
from tests.support.valkey import HOST, store_at

DEADLINE_S = 0.3
WAIT_S = 20.0
THREADS = MAX_TRIES + 1
"""More than a read has tries, so that no read can wear out all that lie idle."""


@pytest.fixture
def proxy(valkey):
    valkey.command("SET", "c", "41")
    with SilentProxy(valkey.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy):
    address = Valkey(HOST, proxy.port, is_tls=False)
    with contextlib.closing(store_at(address, deadline_s=DEADLINE_S)) as store:
        yield store


def test_after_the_first_silence_a_reader_trusts_no_other_threads_connection(proxy):
    address = Valkey(HOST, proxy.port, is_tls=False)
    together, turns = threading.Barrier(THREADS), itertools.count()

    def opened(ends_at):
        """A connection for each of the first threads, none of which finds another's idle."""
        if next(turns) < THREADS:
            together.wait(WAIT_S)
        connected = connect(address, ends_at, clock=time.monotonic, tls=trusted)
        return Connection(connected, (), time.monotonic)

    with contextlib.closing(store_at(address, deadline_s=DEADLINE_S, opened=opened)) as store:
        with ThreadPoolExecutor(THREADS) as threads:
            read = list(threads.map(lambda _: store.values(["c"], WAIT_S), range(THREADS)))
        assert (read, proxy.connections) == ([([b"41"], None)] * THREADS, THREADS)
        proxy.silence()
        assert Reader(store, sleep=lambda _s: None).count("c") == 41
        assert proxy.connections == THREADS + 1


def test_an_outcome_is_read_within_the_same_call(proxy, store, valkey):
    reader = Reader(store, sleep=lambda _s: None)
    valkey.command("DEL", "c")
    event = "9f86d081884c7d65:0:1790000000123"
    assert reader.outcome("c", event).value == "pending"
    proxy.silence()
    assert reader.outcome("c", event).value == "pending"


def test_a_get_of_the_api_is_answered(proxy, store):
    api = Called(reader=Reader(store))
    count = found({"counter": "c", "count": 41})
    assert api("GET", "/counters/c") == count
    proxy.silence()
    assert api("GET", "/counters/c") == count
    assert proxy.connections == 2


def test_a_single_try_tells_of_the_silence_and_the_next_one_is_answered(proxy, store):
    assert store.values(["c"], WAIT_S) == ([b"41"], None)
    proxy.silence()
    values, failed = store.values(["c"], DEADLINE_S)
    assert (values, failed.trouble) == ([], Trouble.UNKNOWN_OUTCOME)
    assert store.values(["c"], WAIT_S) == ([b"41"], None)
