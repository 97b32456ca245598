"""A connection whose peer has vanished without a reset: counted and read on a new one, at once."""

from typing import Any

import grpc
import pytest
from momento.auth import CredentialProvider

import producer.settings
import producer.wiring
from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.environment import Cache, Local
from tally.local.lambda_.runtime import FunctionSettings, LambdaContext
from tally.local.momento.server import HOST, MomentoServer
from tally.reading.reader import Reader
from tally.stores.momento.channel import MAX_IDLE_S, Channel
from tally.stores.momento.store import MomentoStore
from tally.stores.port import Failed, Trouble
from tests.support.api import event as request
from tests.support.clock import Clock
from tests.support.lambda_event import event, failures, increment, record
from tests.support.momento_channel import CACHE, FakeRpcError, ReadChannel
from tests.support.silent_proxy import SilentProxy

DEADLINE_S = 0.3
NOBODY = CredentialProvider.for_momento_local()


@pytest.fixture
def proxy():
    with MomentoServer([CACHE]) as server, SilentProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy):
    credentials = CredentialProvider.for_momento_local(HOST, proxy.port)
    store = MomentoStore(CACHE, credentials, deadline_s=DEADLINE_S)
    yield store
    store.close()


def consumer(proxy, store):
    told = ConsumerSettings(Cache(CACHE, Local(HOST, proxy.port)))
    return wiring.build(told, observer=wiring.observer({}), store=store)


@pytest.mark.parametrize("counter", ["page:home", "page:new"], ids=["warm", "cold"])
def test_a_warm_consumer_counts_within_the_same_invocation(proxy, store, counter):
    warm = consumer(proxy, store)
    assert warm.handle(event(record("m1", increment(0))), None) == failures()
    proxy.silence()
    message = record("m2", increment(1, counter=counter))
    assert warm.handle(event(message), None) == failures()
    assert proxy.connections == 2
    count = 2 if counter == "page:home" else 1
    assert Reader(store).count(counter) == count


def test_a_consumer_whose_calls_are_answered_keeps_its_connection(proxy, store):
    warm = consumer(proxy, store)
    for seq in range(3):
        assert warm.handle(event(record(f"m{seq}", increment(seq))), None) == failures()
    assert proxy.connections == 1


def test_a_reader_reads_within_the_same_call(proxy, store):
    reader = Reader(store, sleep=lambda _s: None)
    assert reader.count("c") is None
    proxy.silence()
    assert reader.count("c") is None
    assert proxy.connections == 2


def test_a_get_of_the_api_is_answered(proxy):
    variables = {
        "MOMENTO_LOCAL": f"{HOST}:{proxy.port}",
        "MOMENTO_CACHE_NAME": CACHE,
        "SQS_QUEUE_URL": "http://127.0.0.1:9/queue",
    }
    api = producer.wiring.build(producer.settings.ApiSettings.from_environment(variables), {})
    get = request("GET", "/counters/c")

    def status():
        return api.handle(get, LambdaContext("r-1", FunctionSettings()))["statusCode"]

    assert status() == 404
    proxy.silence()
    assert status() == 404
    assert proxy.connections == 2


def test_another_reader_of_the_process_holds_no_silent_connection_open_for_it(proxy, store):
    credentials = CredentialProvider.for_momento_local(HOST, proxy.port)
    with Reader(MomentoStore(CACHE, credentials, deadline_s=DEADLINE_S)) as other:
        reader = Reader(store, sleep=lambda _s: None)
        assert (reader.count("c"), other.count("c")) == (None, None)
        proxy.silence()
        assert reader.count("c") is None


@pytest.mark.parametrize(("idle_s", "opened"), [(MAX_IDLE_S, 1), (MAX_IDLE_S + 1, 2)])
def test_a_connection_that_lay_idle_is_not_trusted(idle_s, opened):
    channels: list[Any] = []
    wall_clock = Clock()

    def open_channel():
        channels.append(ReadChannel())
        return channels[-1]

    store = MomentoStore(CACHE, NOBODY, open_channel=open_channel, wall_clock=wall_clock)
    store.values(["c"], 1.0)
    wall_clock.now_s += idle_s
    store.values(["c"], 1.0)
    assert [channel.is_closed for channel in channels] == [True] * (opened - 1) + [False]


def test_a_connection_that_is_used_is_never_too_old():
    wall_clock, channel = Clock(), ReadChannel()
    opened: list[Any] = [channel]
    store = MomentoStore(CACHE, NOBODY, open_channel=opened.pop, wall_clock=wall_clock)
    for _ in range(3):
        store.values(["c"], 1.0)
        wall_clock.now_s += MAX_IDLE_S
    assert len(channel.calls) == 3


def test_of_threads_that_met_the_same_silence_only_the_first_renews():
    channels: list[Any] = []

    def open_channel():
        channels.append(ReadChannel())
        return channels[-1]

    channel = Channel(open_channel, Clock())
    with channel.calling() as silent:
        pass
    for _ in range(2):
        channel.renew(silent)
        with channel.calling() as stub:
            assert stub is not silent
    assert [each.is_closed for each in channels] == [True, False]


def test_a_silent_read_leaves_the_channel_that_another_thread_has_opened_meanwhile():
    channels: list[Any] = [ReadChannel(), ReadChannel()]
    store = MomentoStore(CACHE, NOBODY, open_channel=iter(channels).__next__)

    def another_thread_renews(_answers):
        store.renew()
        store.values(["c"], 1.0)
        raise FakeRpcError(grpc.StatusCode.DEADLINE_EXCEEDED)

    channels[0].script.append(another_thread_renews)
    failed = Failed(Trouble.UNKNOWN_OUTCOME, "DEADLINE_EXCEEDED: told by a test")
    assert store.values(["c"], 1.0) == ([], failed)
    assert [channel.is_closed for channel in channels] == [True, False]


@pytest.mark.parametrize(("counters", "is_closed"), [(["c"], True), (["b", "c"], False)])
def test_a_connection_that_brought_some_answers_before_the_deadline_is_kept(counters, is_closed):
    channel: Any = ReadChannel(FakeRpcError(grpc.StatusCode.DEADLINE_EXCEEDED), values={"b": b"2"})
    store = MomentoStore(CACHE, NOBODY, open_channel=lambda: channel)
    values, failed = store.values(counters, 1.0)
    assert values == [b"2"][: len(counters) - 1]
    assert failed == Failed(Trouble.UNKNOWN_OUTCOME, "DEADLINE_EXCEEDED: told by a test")
    assert channel.is_closed is is_closed


def test_a_deadline_after_the_last_answer_fails_no_read():
    def all_but_the_end(answers):
        yield from answers
        raise FakeRpcError(grpc.StatusCode.DEADLINE_EXCEEDED)

    channel: Any = ReadChannel(all_but_the_end, values={"b": b"2"})
    store = MomentoStore(CACHE, NOBODY, open_channel=lambda: channel)
    assert store.values(["b", "c"], 1.0) == ([b"2", None], None)


def test_a_clock_that_was_set_back_is_no_reason_to_trust_a_connection():
    channels: list[Any] = []
    wall_clock = Clock()

    def open_channel():
        channels.append(ReadChannel())
        return channels[-1]

    store = MomentoStore(CACHE, NOBODY, open_channel=open_channel, wall_clock=wall_clock)
    for moved_s in (0, -MAX_IDLE_S - 1):
        wall_clock.now_s += moved_s
        store.values(["c"], 1.0)
    assert len(channels) == 2
