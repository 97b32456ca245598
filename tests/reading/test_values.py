"""Many values in one call: which failures are tried again, how often, and what is never shown."""

import grpc
import momento as sdk
import pytest
from momento.auth import CredentialProvider
from momento_wire_types import cacheclient_pb2 as pb

from tally.local.momento.errors import injected
from tally.local.momento.faults import Fault
from tally.local.momento.server import MomentoServer
from tally.reading.errors import PASSING, ReaderClosedError, ReadError
from tally.reading.reader import BACKOFF_S, MAX_TRIES, THROTTLED_BACKOFF_S, Reader
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.troubles import TROUBLES
from tally.stores.port import Trouble
from tests.support.consumers import DEADLINE_S, ENDPOINT, KEY, Draws, make_reader, store_of
from tests.support.momento_channel import CACHE, FakeRpcError, ReadChannel

STATUS = grpc.StatusCode
EVENT = "0000000000000001:0:1790000000000"
FAILURES = [status for status in STATUS if status is not STATUS.OK]


@pytest.mark.parametrize("status", FAILURES)
def test_a_read_that_fails_is_made_again_where_that_may_help(status):
    channel = ReadChannel(*[FakeRpcError(status)] * (MAX_TRIES - 1), values={"a": b"1", "b": b"2"})
    trouble = TROUBLES[status]
    expected = BrokenSetupError if trouble is Trouble.BROKEN_SETUP else ReadError
    if trouble in PASSING:
        assert make_reader(channel).counts(["a", "b"]) == {"a": 1, "b": 2}
        assert channel.keys == [["a", "b"], *[["b"]] * (MAX_TRIES - 1)]
    else:
        with pytest.raises(expected) as raised:
            make_reader(channel).counts(["a", "b"])
        assert str(raised.value) == f"{status.name}: told by a test"
        assert getattr(raised.value, "trouble", trouble) is trouble
        assert getattr(raised.value, "is_missing", False) is (status is STATUS.NOT_FOUND)
        assert channel.keys == [["a", "b"]]


def test_what_came_before_the_deadline_is_not_asked_for_again():
    cut_off = FakeRpcError(STATUS.DEADLINE_EXCEEDED)
    channel = ReadChannel(first(2, cut_off), first(1, cut_off), values={"b": b"2", "e": b"5"})
    assert make_reader(channel).counts([*"abcde"]) == {
        "a": None,
        "b": 2,
        "c": None,
        "d": None,
        "e": 5,
    }
    assert channel.keys == [list("abcde"), list("cde"), list("de")]


def test_what_all_came_before_the_deadline_is_whole():
    channel = ReadChannel(first(2, FakeRpcError(STATUS.DEADLINE_EXCEEDED)), values={"a": b"1"})
    assert make_reader(channel).counts([*"ab"]) == {"a": 1, "b": None}
    assert channel.keys == [["a", "b"]]


@pytest.mark.parametrize(
    ("status", "base_s"),
    [(STATUS.UNAVAILABLE, BACKOFF_S), (STATUS.RESOURCE_EXHAUSTED, THROTTLED_BACKOFF_S)],
)
def test_tries_are_bounded_and_wait_longer_each_time(status, base_s):
    channel, draws = ReadChannel(*[FakeRpcError(status)] * (MAX_TRIES + 1)), Draws(0.5)
    with pytest.raises(ReadError) as raised:
        make_reader(channel, uniform=draws).count("c")
    assert (str(raised.value), raised.value.trouble) == (
        f"{status.name}: told by a test",
        TROUBLES[status],
    )
    assert channel.keys == [["c"]] * MAX_TRIES
    assert draws.spans == [(0, base_s * 2**repeat) for repeat in range(1, MAX_TRIES)]
    assert channel.clock.slept_s == [base_s * 2**repeat / 2 for repeat in range(1, MAX_TRIES)]


def test_real_calls_are_made_again_when_their_answer_is_lost_before_or_after():
    faults = iter(
        Fault(error=injected(status), after=after)
        for status, after in [("UNAVAILABLE", False), ("INTERNAL", True), ("UNKNOWN", False)]
    )
    with MomentoServer([CACHE], faults=lambda _call: next(faults, None)) as server:
        with Reader(store_of(server), sleep=lambda _s: None) as reader:
            assert reader.counts(["a", "b"]) == {"a": None, "b": None}
        assert server.stats().calls == {"GetBatch": 4}


def test_a_call_takes_no_longer_than_its_deadline():
    with (
        MomentoServer([CACHE], faults=lambda _call: Fault(delay_s=60)) as server,
        Reader(store_of(server), deadline_s=0.05, sleep=lambda _s: None) as reader,
        pytest.raises(ReadError) as raised,
    ):
        reader.count("a")
    assert str(raised.value) == "DEADLINE_EXCEEDED: Deadline Exceeded"


def first(number, error):
    """A call that is cut off after so many answers."""

    def answers(whole):
        yield from whole[:number]
        raise error

    return answers


def one_less(answers):
    return answers[:-1]


def one_more(answers):
    return [*answers, answers[0]]


def second_is(result):
    return lambda answers: [
        answers[0],
        pb._GetResponse(result=result, message=f"no, {KEY}"),
        *answers[2:],
    ]


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (one_less, "2 answers to 3 keys"),
        (one_more, "4 answers to 3 keys"),
        (second_is(pb.Invalid), "b: no hit and no miss"),
        (second_is(pb.Ok), "b: no hit and no miss"),
    ],
)
def test_an_answer_that_is_not_one_for_each_key_is_asked_for_again(step, complaint):
    values = {"a": b"1", "b": b"2", "c": b"3"}
    channel = ReadChannel(step, values=values)
    assert make_reader(channel).counts([*"abc"]) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(ReadError) as raised:
        make_reader(ReadChannel(*[step] * MAX_TRIES, values=values)).counts([*"abc"])
    assert (str(raised.value), raised.value.trouble) == (complaint, Trouble.UNKNOWN_OUTCOME)


def test_a_call_carries_the_key_the_cache_and_the_agent_and_no_error_shows_the_key():
    channel = ReadChannel(FakeRpcError(STATUS.UNAUTHENTICATED, f"bad key {KEY}"))
    reader = make_reader(channel, credentials=CredentialProvider.from_api_key_v2(KEY, ENDPOINT))
    with pytest.raises(BrokenSetupError) as raised:
        reader.count("c")
    assert str(raised.value) == "UNAUTHENTICATED: bad key …"
    agent = f"python:cache:{sdk.__version__}"
    metadata = (("authorization", KEY), ("cache", CACHE), ("agent", agent))
    assert channel.calls == [(["c"], DEADLINE_S, metadata)]
    assert KEY not in repr(reader) + repr(reader._values)


def test_a_closed_reader_reads_nothing():
    with MomentoServer([CACHE]) as server:
        used, unused = Reader(store_of(server)), Reader(store_of(server))
        used.count("c")
        for reader in (used, unused):
            reader.close()
            reader.close()
            for read in (lambda r: r.count("c"), lambda r: r.wait_for_outcome("c", EVENT)):
                with pytest.raises(ReaderClosedError, match=r"^the reader is closed$"):
                    read(reader)
        assert server.stats().calls == {"GetBatch": 1}


def test_a_reader_that_is_closed_during_a_real_call_says_so():
    def close(_call):
        reader.close()

    with MomentoServer([CACHE], faults=close) as server:
        reader = Reader(store_of(server), sleep=lambda _s: None)
        with pytest.raises(ReaderClosedError):
            reader.count("c")


def test_a_reader_that_is_closed_during_a_call_does_not_call_again():
    def close(answers):
        reader.close()
        return answers[:-1]

    channel = ReadChannel(close)
    reader = make_reader(channel)
    with pytest.raises(ReaderClosedError):
        reader.count("c")
    assert (channel.keys, channel.is_closed) == ([["c"]], True)
