"""One contract for every Momento: the fake channel and real gRPC to the embedded server agree."""

import contextlib

import pytest
from momento.auth import CredentialProvider

from consumer.momento import ABSENT, Copy, LostRace, Stored, Swap
from local.momento.server import HOST, MomentoServer
from store.connection import connect
from store.troubles import Failed, Trouble
from tests.support.consumers import make_momento
from tests.support.momento_channel import CACHE, Clock, FakeChannel

NS_PER_S = 1_000_000_000


@contextlib.contextmanager
def fake(clock):
    yield FakeChannel(clock)


@contextlib.contextmanager
def embedded(clock):
    """Real gRPC to a server whose items live by the clock given."""
    with MomentoServer([CACHE], now_ns=lambda: int(clock() * NS_PER_S)) as server:
        channel = connect(CredentialProvider.for_momento_local(HOST, server.port))
        yield channel
        channel.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=[fake, embedded], ids=lambda made: made.__name__)
def channel(request, clock):
    with request.param(clock) as channel:
        yield channel


@pytest.fixture
def momento(channel, clock):
    return make_momento(channel, clock)


def read(momento, *counters):
    return dict(momento.read(counters, momento._clock() + 60))


def swap(momento, *swaps):
    return [answer for _, answer in momento.write(swaps, momento._clock() + 60)]


def create(momento, counter, value):
    assert swap(momento, Swap(counter, ABSENT, value)) == [Stored(None)]
    return read(momento, counter)[counter]


def test_an_absent_counter_reads_as_absent(momento):
    assert read(momento, "c") == {"c": ABSENT}


def test_a_created_counter_tells_no_hash_and_is_read_with_one(momento):
    value, value_hash = create(momento, "c", b"1\nledger")
    assert value == b"1\nledger"
    assert value_hash


def test_a_counter_that_is_there_is_not_created_again(momento):
    seen = create(momento, "c", b"1")
    assert swap(momento, Swap("c", ABSENT, b"2")) == [LostRace()]
    assert read(momento, "c") == {"c": seen}


def test_a_swap_on_what_is_there_is_stored_and_tells_the_hash_of_the_next(momento):
    seen = create(momento, "c", b"1")
    [stored] = swap(momento, Swap("c", seen, b"2"))
    assert read(momento, "c") == {"c": Copy(b"2", stored.hash)}
    assert stored.hash != seen.hash
    [stored_again] = swap(momento, Swap("c", Copy(b"2", stored.hash), b"3"))
    assert read(momento, "c") == {"c": Copy(b"3", stored_again.hash)}


def test_a_swap_on_what_was_there_before_loses_and_changes_nothing(momento):
    seen = create(momento, "c", b"1")
    [stored] = swap(momento, Swap("c", seen, b"2"))
    assert swap(momento, Swap("c", seen, b"3")) == [LostRace()]
    assert read(momento, "c") == {"c": Copy(b"2", stored.hash)}


def test_a_swap_on_a_counter_that_has_expired_loses(channel, clock):
    momento = make_momento(channel, clock, ttl_s=2)
    seen = create(momento, "c", b"1")
    clock.now_s += 1.9
    assert read(momento, "c") == {"c": seen}
    clock.now_s += 0.1
    assert read(momento, "c") == {"c": ABSENT}
    assert swap(momento, Swap("c", seen, b"2")) == [LostRace()]


def test_each_swap_sets_the_time_to_live_anew(channel, clock):
    momento = make_momento(channel, clock, ttl_s=2)
    seen = create(momento, "c", b"1")
    clock.now_s += 1.5
    [stored] = swap(momento, Swap("c", seen, b"2"))
    clock.now_s += 1.5
    assert read(momento, "c") == {"c": Copy(b"2", stored.hash)}


@pytest.mark.parametrize(
    "value", [b"", bytes(range(256)), b"7" * 1_048_576], ids=["empty", "every byte", "1 MiB"]
)
def test_a_value_comes_back_byte_for_byte(momento, value):
    assert create(momento, "c", value).value == value


def test_a_counter_may_have_any_name_of_512_bytes(momento):
    name = "ü" * 255 + "\n\0"
    create(momento, name, b"1")
    assert read(momento, name, name[:-1])[name[:-1]] == ABSENT


def test_reads_are_answered_in_the_order_of_their_counters(momento):
    names = [f"c{number}" for number in range(300)]
    names.reverse()
    first = create(momento, "c7", b"1")
    answers = list(momento.read(names, momento._clock() + 60))
    assert answers == [(name, first if name == "c7" else ABSENT) for name in names]


def test_swaps_are_answered_in_their_order_each_for_itself(momento):
    seen = create(momento, "b", b"1")
    swaps = [Swap("c", ABSENT, b"1"), Swap("b", ABSENT, b"2"), Swap("b", seen, b"3")]
    answers = list(momento.write(swaps, momento._clock() + 60))
    stored = Stored(read(momento, "b")["b"].hash)
    assert answers == list(zip(swaps, [Stored(None), LostRace(), stored], strict=True))


def test_a_cache_that_is_not_there_is_a_broken_set_up(channel, clock):
    momento = make_momento(channel, clock, cache_name="nowhere")
    refused = Failed(Trouble.BROKEN_SETUP, "NOT_FOUND: cache not found: nowhere")
    assert read(momento, "c") == {"c": refused}
    assert swap(momento, Swap("c", ABSENT, b"1")) == [refused]
    assert swap(momento, Swap("c", Copy(b"1", b"hash"), b"2")) == [refused]
