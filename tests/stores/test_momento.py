"""Momento's calls: what each failure means, how many and how long they may be, what they carry."""

import grpc
import momento as sdk
import pytest
from momento.auth import CredentialProvider

from tally.local.momento.data_calls import value_hash
from tally.stores.momento.calls import billed
from tally.stores.momento.connection import deadline_s
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT
from tally.stores.momento.troubles import TROUBLES
from tally.stores.port import (
    ABSENT,
    NOT_SENT,
    Addition,
    Copy,
    Failed,
    LostRace,
    Stored,
    Swap,
    Trouble,
)
from tests.support.clock import START_S, Clock
from tests.support.consumers import DEADLINE_S, ENDPOINT, KEY, make_momento
from tests.support.momento_channel import (
    AT_LEAST_ONCE,
    CACHE,
    LATENCY_S,
    Effect,
    FakeChannel,
    Fault,
)

STATUS = grpc.StatusCode
FAILURES = [status for status in STATUS if status is not STATUS.OK]


CREDENTIALS = CredentialProvider.from_api_key_v2(KEY, ENDPOINT)


@pytest.fixture
def channel():
    return FakeChannel(Clock())


@pytest.fixture
def momento(channel):
    return make_momento(channel)


def read(momento, *counters, time_s=60.0):
    return list(momento.read(counters, momento._clock() + time_s))


def swap(momento, *swaps, time_s=60.0):
    return [answer for _, answer in momento.write(swaps, momento._clock() + time_s)]


def seen(value):
    return Copy(value, value_hash(value))


def test_every_status_but_ok_is_in_exactly_one_class():
    by_class = {
        trouble: {status.name for status, its in TROUBLES.items() if its is trouble}
        for trouble in Trouble
    }
    assert by_class == {
        Trouble.NOT_SENT: set(),
        Trouble.UNKNOWN_OUTCOME: {
            *("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "ABORTED"),
            *("CANCELLED", "UNKNOWN", "DATA_LOSS"),
        },
        Trouble.THROTTLED: {"RESOURCE_EXHAUSTED"},
        Trouble.REFUSED: {
            *("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS")
        },
        Trouble.BROKEN_SETUP: {
            *("UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "UNIMPLEMENTED")
        },
    }
    assert set(TROUBLES) == set(FAILURES)


@pytest.mark.parametrize("status", FAILURES)
def test_a_failed_read_says_which_status_and_of_which_class(channel, momento, status):
    channel.faults = [Fault("GetWithHash", status, details="why", key="b")]
    channel.store.put("a", b"1")
    failed = Failed(TROUBLES[status], f"{status.name}: why", status is STATUS.NOT_FOUND)
    assert read(momento, "a", "b") == [("a", seen(b"1")), ("b", failed)]


@pytest.mark.parametrize("status", FAILURES)
@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("before", [None, b"1"], ids=["SetIf", "SetIfHash"])
def test_a_failed_swap_is_of_the_same_class_whatever_became_of_it(channel, status, effect, before):
    if before is not None:
        channel.store.put("c", before)
    copy = ABSENT if before is None else seen(before)
    method = "SetIf" if before is None else "SetIfHash"
    channel.faults = [Fault(method, status, effect, details="why")]
    answers = swap(make_momento(channel), Swap("c", copy, b"2"), Swap("d", ABSENT, b"3"))
    failed = Failed(TROUBLES[status], f"{status.name}: why", status is STATUS.NOT_FOUND)
    assert answers == [failed, Stored(None)]
    happened = effect is not Effect.NONE  # the second call let the late one land
    assert channel.store.get("c") == (b"2" if happened else before)


def test_a_late_write_fails_once_another_has_been_stored(channel, momento):
    channel.store.put("c", b"1")
    channel.faults = [Fault("SetIfHash", STATUS.DEADLINE_EXCEEDED, Effect.LATE, late_calls=2)]
    late, stored = Swap("c", seen(b"1"), b"2"), Swap("c", seen(b"1"), b"3")
    swap(momento, late, stored)
    read(momento, "c")
    assert channel.store.late == []
    assert channel.store.get("c") == b"3"


def test_a_stale_read_is_what_was_there_before_and_its_swap_loses(channel, momento):
    channel.store.put("c", b"1")
    channel.store.put("c", b"2")
    channel.faults = [Fault("GetWithHash", stale=True)]
    assert read(momento, "c") == [("c", seen(b"1"))]
    assert swap(momento, Swap("c", seen(b"1"), b"2")) == [LostRace()]


def test_a_failure_that_tells_no_details_is_shown_by_its_status(channel, momento):
    channel.faults = [Fault("GetWithHash", STATUS.UNAVAILABLE, details=None)]
    assert read(momento, "c") == [("c", Failed(Trouble.UNKNOWN_OUTCOME, "UNAVAILABLE"))]


def test_calls_are_in_flight_at_once_and_never_more_than_the_limit(channel, momento):
    names = [f"c{number}" for number in range(3 * MAX_CALLS_IN_FLIGHT)]
    read(momento, *names)
    assert channel.most_in_flight == MAX_CALLS_IN_FLIGHT
    assert channel.clock() == pytest.approx(START_S + 3 * LATENCY_S)
    swap(momento, *[Swap(name, ABSENT, b"1") for name in names])
    assert channel.most_in_flight == MAX_CALLS_IN_FLIGHT
    assert channel.in_flight == 0
    assert channel.clock() == pytest.approx(START_S + 6 * LATENCY_S)


def test_a_call_may_take_its_deadline_and_no_longer(channel, momento):
    channel.faults = [Fault("GetWithHash", latency_s=DEADLINE_S + 1)]
    failed = Failed(Trouble.UNKNOWN_OUTCOME, "DEADLINE_EXCEEDED: Deadline Exceeded")
    assert read(momento, "c") == [("c", failed)]
    assert [call.timeout_s for call in channel.calls] == [DEADLINE_S]
    assert channel.clock() == START_S + DEADLINE_S


def test_no_timeout_reaches_past_the_end_and_no_call_starts_after_it(channel, momento):
    channel.faults = [Fault("GetWithHash", times=999, latency_s=DEADLINE_S)]
    names = [f"c{number}" for number in range(MAX_CALLS_IN_FLIGHT + 2)]
    answers = dict(read(momento, *names, time_s=0.5))
    assert {call.sent_at_s + call.timeout_s for call in channel.calls} == {START_S + 0.5}
    assert channel.sent == [("GetWithHash", name) for name in names[:MAX_CALLS_IN_FLIGHT]]
    assert [answers[name] for name in names[MAX_CALLS_IN_FLIGHT:]] == [NOT_SENT] * 2
    assert swap(momento, Swap("c", ABSENT, b"1"), time_s=0.0) == [NOT_SENT]
    assert channel.clock() == START_S + 0.5


def test_a_fast_answer_after_a_slow_one_does_not_let_an_addition_be_sent_late():
    channel = FakeChannel(Clock(), methods=AT_LEAST_ONCE)
    slow, fast, late = 0, MAX_CALLS_IN_FLIGHT, 2 * MAX_CALLS_IN_FLIGHT
    channel.faults = [
        Fault("Increment", key=f"c{slow}", latency_s=0.3),
        Fault("Increment", key=f"c{fast}", latency_s=0.2),  # sent when the slow one is answered
    ]
    additions = [Addition(f"c{number}", 1) for number in range(late + 1)]
    answers = swap(make_momento(channel), *additions, time_s=1.0)
    assert answers == [Stored(None)] * late + [NOT_SENT]
    assert channel.sent == [("Increment", f"c{number}") for number in range(late)]


def test_what_was_not_sent_is_not_billed(momento):
    read(momento, "c", time_s=0.0)
    swap(momento, Swap("c", ABSENT, b"1"), time_s=0.0)
    assert momento.usage.operations == 0


def test_every_call_carries_the_key_the_cache_and_the_agent_and_nothing_else(channel):
    channel.store.put("c", b"1")
    momento = make_momento(channel, credentials=CREDENTIALS)
    read(momento, "c")
    swap(momento, Swap("c", seen(b"1"), b"2"), Swap("d", ABSENT, b"1"))
    metadata = (
        ("authorization", KEY),
        ("cache", CACHE),
        ("agent", f"python:cache:{sdk.__version__}"),
    )
    assert [(call.method, call.metadata) for call in channel.calls] == [
        ("GetWithHash", metadata),
        ("SetIfHash", metadata),
        ("SetIf", metadata),
    ]


def test_the_time_to_live_goes_out_in_milliseconds(channel):
    channel.store.put("c", b"1")
    momento = make_momento(channel, ttl_s=90)
    swap(momento, Swap("c", seen(b"1"), b"2"), Swap("d", ABSENT, b"1"))
    assert [call.request.ttl_milliseconds for call in channel.calls] == [90_000, 90_000]


def test_the_key_is_in_no_detail_and_no_repr(channel):
    momento = make_momento(channel, credentials=CREDENTIALS)
    channel.faults = [Fault("GetWithHash", STATUS.UNAUTHENTICATED, details=f"bad key {KEY}")]
    failed = Failed(Trouble.BROKEN_SETUP, "UNAUTHENTICATED: bad key …")
    assert read(momento, "c") == [("c", failed)]
    assert KEY not in repr(momento)


@pytest.mark.parametrize(
    ("length", "operations"), [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (12_288, 12), (12_289, 13)]
)
def test_each_begun_chunk_of_a_value_is_an_operation_and_a_conditional_write_two(
    channel, momento, length, operations
):
    value = b"7" * length
    assert billed(value) == operations
    channel.store.put("c", value)
    read(momento, "c")
    assert momento.usage.operations == operations
    swap(momento, Swap("c", seen(value), value))
    assert momento.usage.operations == operations + 2 * operations


def test_a_call_costs_its_least_whatever_became_of_it(channel, momento):
    channel.faults = [
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key="b"),
        Fault("SetIf", STATUS.UNAVAILABLE),
        Fault("SetIf", before=lambda: channel.store.put("d", b"1")),
    ]
    read(momento, "a", "b")
    assert momento.usage.operations == 2
    swap(momento, Swap("c", ABSENT, b"1"), Swap("d", ABSENT, b"1"))
    assert momento.usage.operations == 6


def test_the_deadline_is_the_one_that_the_sdk_has_for_a_lambda():
    assert deadline_s() == DEADLINE_S
