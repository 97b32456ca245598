"""The reader: counts, totals and outcomes, over real gRPC and over a channel that fails at will."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from momento.auth import CredentialProvider

from tally.counters.counter import fold
from tally.counters.errors import ArgumentError, InvalidIncrementError
from tally.counters.event import Event, Increment
from tally.counters.identity import identity_of
from tally.counters.ledger import Limits
from tally.counters.outcome import Outcome
from tally.counters.shards import MAX_SHARDS
from tally.environment import SettingsError
from tally.local.momento.server import HOST, MomentoServer
from tally.reading.errors import ReaderClosedError, ReadError
from tally.reading.reader import MAX_COUNTERS_PER_CALL, Reader
from tally.reading.waiting import MIN_CALL_S, POLL_S
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.connection import connect
from tests.support.clock import START_S, Clock
from tests.support.consumers import DEADLINE_S, make_momento, make_reader, store_of
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE, LATENCY_S, FakeRpcError, ReadChannel

STATUS = grpc.StatusCode
AT_MS = 1_790_000_000_000
SOURCE = "0000000000000001"
APPLIED, REJECTED, LATER = (f"{SOURCE}:{seq}:{AT_MS}" for seq in range(3))
VALUE = fold(None, [Event("c", 1, seq, AT_MS, 5, high=7) for seq in (0, 1)], Limits()).value


@contextlib.contextmanager
def fake():
    yield ReadChannel()


@contextlib.contextmanager
def embedded():
    with MomentoServer([CACHE]) as server:
        channel = EmbeddedChannel(server)
        yield channel
        channel.close()


class EmbeddedChannel:
    """Real gRPC to a server, in which values are put as into a dict."""

    def __init__(self, server):
        self._channel = connect(CredentialProvider.for_momento_local(HOST, server.port))
        self._raw = Raw(server)
        self.values = self
        self.unary_unary, self.unary_stream = self._channel.unary_unary, self._channel.unary_stream

    def __setitem__(self, key, value):
        self._raw.set(key.encode(), value)

    def close(self):
        self._channel.close()
        self._raw.close()


@pytest.fixture(params=[fake, embedded], ids=lambda made: made.__name__)
def channel(request):
    with request.param() as channel:
        yield channel


@pytest.fixture
def reader(channel):
    return make_reader(channel, Clock())


def test_a_count_is_that_of_the_value_and_none_where_there_is_none(channel, reader):
    channel.values["c"] = VALUE
    channel.values["bare"] = b"-42"
    channel.values["ü\n\0"] = b"7"
    assert [reader.count(name) for name in ("c", "bare", "ü\n\0", "none")] == [5, -42, 7, None]


def test_counts_are_in_the_order_asked_for_each_once(channel, reader):
    channel.values["a"] = b"1"
    channel.values["c"] = VALUE
    counts = reader.counts(["c", "b", "a", "c"])
    assert list(counts.items()) == [("c", 5), ("b", None), ("a", 1)]
    assert reader.counts([]) == {}


def test_a_total_is_the_sum_of_the_shards_that_there_are(channel, reader):
    channel.values["hot"] = b"1000"
    channel.values["hot#0"] = b"1"
    channel.values["hot#3"] = b"9223372036854775807"
    channel.values["hot#4"] = b"100"
    assert reader.total("hot", 4) == 2**63
    assert reader.total("hot", 1) == 1
    assert reader.total("cold", MAX_SHARDS) is None
    channel.values["even#0"], channel.values["even#1"] = b"-1", b"1"
    assert reader.total("even", 2) == 0


def test_an_outcome_is_told_by_the_ledger(channel, reader):
    channel.values["c"] = VALUE
    events = [APPLIED, REJECTED, LATER]
    assert [reader.outcome("c", event) for event in events] == [
        Outcome.APPLIED,
        Outcome.REJECTED,
        Outcome.PENDING,
    ]
    assert reader.outcome("none", APPLIED) is Outcome.PENDING


def test_an_increment_is_asked_for_as_it_was_published(channel, reader):
    native = Increment("c", source=SOURCE, seq=1, at=AT_MS)
    named = Increment("n", id="order-17", at=AT_MS)
    source, seq, at = identity_of(named).split(":")
    channel.values["c"] = VALUE
    channel.values["n"] = fold(
        None, [Event("n", int(source, 16), int(seq), int(at))], Limits()
    ).value
    assert reader.outcome(native) is Outcome.REJECTED
    assert reader.outcome(named) is Outcome.APPLIED
    assert reader.wait_for_outcome(named, timeout_s=0) is Outcome.APPLIED


def test_a_value_that_is_no_counter_is_named(channel, reader):
    channel.values["a"] = b"1"
    channel.values["foreign"] = b"hello"
    channel.values["newer"] = b"1\n\x95\x02"
    channel.values["empty"] = b""
    for ask, text in [
        (lambda: reader.counts(["a", "foreign"]), "foreign: the count cannot be read: b'hello'"),
        (lambda: reader.count("empty"), "empty: the count cannot be read: b''"),
        (lambda: reader.outcome("foreign", APPLIED), "foreign: the count cannot be read: b'hello'"),
        (
            lambda: reader.outcome("newer", APPLIED),
            "newer: the ledger cannot be read: Input data was truncated",
        ),
    ]:
        with pytest.raises(ReadError) as raised:
            ask()
        assert (str(raised.value), raised.value.trouble) == (text, None)
    assert reader.count("newer") == 1


def test_a_cache_that_is_not_there_is_a_broken_set_up(channel):
    reader = make_reader(channel, Clock(), cache_name="nowhere")
    for ask in (lambda: reader.count("c"), lambda: reader.wait_for_outcome("c", APPLIED, 5)):
        with pytest.raises(BrokenSetupError) as raised:
            ask()
        assert str(raised.value) == "NOT_FOUND: cache not found: nowhere"


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda reader: reader.count(""), "counter: must not be empty, found ''"),
        (lambda reader: reader.counts(["a", "\ud800"]), "counter: is not UTF-8, found"),
        (lambda reader: reader.counts("ab"), "counter: must be in a list, found 'ab'"),
        (lambda reader: reader.total("ü" * 256, 2), "counter: has 514 bytes, over 512"),
        (lambda reader: reader.outcome("c", "17"), "event: must be source:seq:at, found '17'"),
        (lambda reader: reader.outcome("", APPLIED), "counter: must not be empty"),
        (lambda reader: reader.outcome(Increment("c")), "at: is missing"),
        (
            lambda reader: reader.wait_for_outcome(Increment("c", id="a", at=1), APPLIED),
            "event: is that of the increment itself, found '00",
        ),
    ],
)
def test_what_names_no_counter_and_no_event_is_not_asked_for(ask, complaint):
    channel = ReadChannel()
    with pytest.raises(InvalidIncrementError) as raised:
        ask(make_reader(channel))
    assert str(raised.value).startswith(complaint)
    assert channel.calls == []


@pytest.mark.parametrize("shards", [0, -1, MAX_SHARDS + 1])
def test_a_number_of_shards_that_cannot_be_is_refused(shards):
    complaint = f"shards must be an integer from 1 to 100, found {shards}"
    with pytest.raises(ArgumentError, match=complaint):
        make_reader(ReadChannel()).total("hot", shards)


def test_one_call_reads_as_many_as_it_may_and_several_the_rest():
    channel = ReadChannel(values={"c150": b"150"})
    names = [f"c{number}" for number in range(2 * MAX_COUNTERS_PER_CALL + 1)]
    counts = make_reader(channel).counts(["c0", *names])  # each once
    assert channel.keys == [names[:100], names[100:200], names[200:]]
    assert counts == {name: 150 if name == "c150" else None for name in names}
    make_reader(channel).total("hot", MAX_SHARDS)
    assert channel.keys[3:] == [[f"hot#{shard}" for shard in range(MAX_SHARDS)]]


def test_a_reader_is_made_from_the_environment_and_connects_with_its_first_call():
    with MomentoServer([CACHE]) as server:
        variables = {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE}
        with Reader.from_environment(variables) as reader:
            assert server.stats().calls == {}
            assert reader.count("c") is None
        assert server.stats().calls == {"GetBatch": 1}
        with pytest.raises(ReaderClosedError):
            reader.count("c")


def test_a_reader_that_was_never_used_is_closed_without_a_channel():
    with Reader(make_momento(None, Clock())):
        pass


def test_a_reader_closes_the_channel_that_it_used():
    channel = ReadChannel()
    with make_reader(channel) as reader:
        reader.count("c")
        assert not channel.is_closed
    assert channel.is_closed


def test_a_wrong_environment_is_told_whole():
    with pytest.raises(SettingsError) as raised:
        Reader.from_environment({"MOMENTO_LOCAL": "here"})
    assert raised.value.problems == [
        "MOMENTO_LOCAL must be host:port, found 'here'",
        "MOMENTO_CACHE_NAME must be set",
    ]


def test_threads_share_a_reader():
    with MomentoServer([CACHE]) as server:
        EmbeddedChannel(server).values["c"] = VALUE
        with Reader(store_of(server)) as reader, ThreadPoolExecutor(8) as pool:
            assert list(pool.map(reader.count, ["c"] * 200)) == [5] * 200


def test_a_wait_looks_until_the_outcome_is_there():
    values: dict[str, bytes | None] = {}

    def arrive(answers):
        values["c"] = VALUE
        return answers

    channel = ReadChannel(None, FakeRpcError(STATUS.UNAVAILABLE), arrive, values=values)
    rejected = Increment("c", source=SOURCE, seq=1, at=AT_MS)
    assert make_reader(channel).wait_for_outcome(rejected, timeout_s=5) is Outcome.REJECTED
    assert channel.keys == [["c"]] * 4
    assert channel.clock.slept_s == [POLL_S, 2 * POLL_S, 4 * POLL_S]


def test_the_calls_of_a_wait_take_no_more_than_is_left_of_it():
    channel = ReadChannel()
    assert make_reader(channel).wait_for_outcome("c", APPLIED, 1.5, 1.0) is Outcome.PENDING
    first, second, last = [deadline_s for _, deadline_s, _ in channel.calls]
    assert (first, last) == (DEADLINE_S, MIN_CALL_S)
    assert second == pytest.approx(1.5 - LATENCY_S - 1.0)
    assert channel.clock() == pytest.approx(START_S + 1.5 + LATENCY_S)
