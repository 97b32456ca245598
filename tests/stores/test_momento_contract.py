"""One contract for every Momento: the fake channel and real gRPC to the embedded server agree."""

import contextlib

import pytest
from momento.auth import CredentialProvider

from tally.local.momento.server import HOST, MomentoServer
from tally.stores.momento.connection import connect
from tally.stores.port import ABSENT, Addition, Copy, Failed, LostRace, Stored, Swap, Trouble
from tests.support.clock import Clock
from tests.support.consumers import make_momento
from tests.support.momento_channel import AT_LEAST_ONCE, CACHE, EXACTLY_ONCE, FakeChannel

NS_PER_S = 1_000_000_000
WAIT_S = 60


@contextlib.contextmanager
def fake(clock):
    yield FakeChannel(clock, methods=EXACTLY_ONCE | AT_LEAST_ONCE)


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
    return patient(channel, clock)


def patient(channel, clock, **options):
    """A store that waits as long for the embedded server as a busy machine needs."""
    return make_momento(channel, clock, deadline_s=WAIT_S, **options)


def read(momento, *counters):
    return dict(momento.read(counters, momento._clock() + 60))


def write(momento, *writes):
    return [answer for _, answer in momento.write(writes, momento._clock() + 60)]


def create(momento, counter, value):
    assert write(momento, Swap(counter, ABSENT, value)) == [Stored(None)]
    return read(momento, counter)[counter]


def test_an_absent_counter_reads_as_absent(momento):
    assert read(momento, "c") == {"c": ABSENT}


def test_a_created_counter_tells_no_hash_and_is_read_with_one(momento):
    value, value_hash = create(momento, "c", b"1\nledger")
    assert value == b"1\nledger"
    assert value_hash


def test_a_counter_that_is_there_is_not_created_again(momento):
    seen = create(momento, "c", b"1")
    assert write(momento, Swap("c", ABSENT, b"2")) == [LostRace()]
    assert read(momento, "c") == {"c": seen}


def test_a_swap_on_what_is_there_is_stored_and_tells_the_hash_of_the_next(momento):
    seen = create(momento, "c", b"1")
    [stored] = write(momento, Swap("c", seen, b"2"))
    assert read(momento, "c") == {"c": Copy(b"2", stored.token)}
    assert stored.token != seen.token
    [stored_again] = write(momento, Swap("c", Copy(b"2", stored.token), b"3"))
    assert read(momento, "c") == {"c": Copy(b"3", stored_again.token)}


def test_a_swap_on_what_was_there_before_loses_and_changes_nothing(momento):
    seen = create(momento, "c", b"1")
    [stored] = write(momento, Swap("c", seen, b"2"))
    assert write(momento, Swap("c", seen, b"3")) == [LostRace()]
    assert read(momento, "c") == {"c": Copy(b"2", stored.token)}


def test_a_swap_on_a_counter_that_has_expired_loses(channel, clock):
    momento = patient(channel, clock, ttl_s=2)
    seen = create(momento, "c", b"1")
    clock.now_s += 1.9
    assert read(momento, "c") == {"c": seen}
    clock.now_s += 0.1
    assert read(momento, "c") == {"c": ABSENT}
    assert write(momento, Swap("c", seen, b"2")) == [LostRace()]


def test_each_swap_sets_the_time_to_live_anew(channel, clock):
    momento = patient(channel, clock, ttl_s=2)
    seen = create(momento, "c", b"1")
    clock.now_s += 1.5
    [stored] = write(momento, Swap("c", seen, b"2"))
    clock.now_s += 1.5
    assert read(momento, "c") == {"c": Copy(b"2", stored.token)}


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
    stored = Stored(read(momento, "b")["b"].token)
    assert answers == list(zip(swaps, [Stored(None), LostRace(), stored], strict=True))


def test_a_swap_by_value_is_stored_only_over_that_value(momento):
    create(momento, "c", b"41")
    stale, fresh = Swap("c", Copy(b"40", None), b"0"), Swap("c", Copy(b"41", None), b"42")
    answers = [write(momento, each) for each in (stale, fresh, fresh)]
    assert answers == [[LostRace()], [Stored(None)], [LostRace()]]
    assert read(momento, "c")["c"].value == b"42"
    assert write(momento, Swap("d", Copy(b"1", None), b"2")) == [LostRace()]


def test_an_addition_creates_a_bare_integer_or_adds_to_it(momento):
    assert write(momento, Addition("c", 5), Addition("c", -7)) == [Stored(None)] * 2
    assert read(momento, "c")["c"].value == b"-2"


def test_each_addition_sets_the_time_to_live_anew(channel, clock):
    momento = patient(channel, clock, ttl_s=2)
    for _ in range(3):
        write(momento, Addition("c", 1))
        clock.now_s += 1.5
    assert read(momento, "c")["c"].value == b"3"
    clock.now_s += 0.5
    assert read(momento, "c") == {"c": ABSENT}


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (b"1\n\x95\x01\xc4\x00\x91\x00\x90\x80", 1),
        (b"words", 0),
        (b"", 1),
        (b"9223372036854775807", 1),
        (b"-9223372036854775808", -1),
    ],
    ids=["a ledger", "words", "empty", "too much", "too little"],
)
def test_an_addition_to_what_cannot_take_it_is_refused_and_changes_nothing(momento, value, amount):
    seen = create(momento, "c", value)
    [refused] = write(momento, Addition("c", amount))
    assert refused.trouble is Trouble.REFUSED
    assert read(momento, "c") == {"c": seen}


def test_additions_and_swaps_are_answered_in_their_order(momento):
    writes = [Addition("c", 1), Swap("d", ABSENT, b"5"), Addition("e", 1)]
    answers = list(momento.write(writes, momento._clock() + 60))
    assert answers == [(each, Stored(None)) for each in writes]
    assert momento.usage.operations == 1 + 2 + 1
    assert [copy.value for copy in read(momento, *"cde").values()] == [b"1", b"5", b"1"]


def test_a_cache_that_is_not_there_is_a_broken_set_up(channel, clock):
    momento = patient(channel, clock, cache_name="nowhere")
    refused = Failed(Trouble.BROKEN_SETUP, "NOT_FOUND: cache not found: nowhere", is_missing=True)
    assert read(momento, "c") == {"c": refused}
    assert write(momento, Swap("c", ABSENT, b"1")) == [refused]
    assert write(momento, Swap("c", Copy(b"1", b"hash"), b"2"), Addition("c", 1)) == [refused] * 2
