"""At least once: what is added and what is swapped, and what becomes of it whatever fails."""

import grpc
import pytest

from tally.counters.counter import fold
from tally.counters.decision import Decision
from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tally.settling.progress import MAX_THROTTLED_TRIES, Activity
from tally.settling.reason import Reason, Unsettled
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT
from tests.support.clock import START_S, Clock
from tests.support.consumers import events, make_bare_writer, settle
from tests.support.momento_channel import (
    AT_LEAST_ONCE,
    BROKEN,
    LATENCY_S,
    REFUSED,
    UNKNOWN,
    Effect,
    FakeChannel,
    Fault,
)

STATUS = grpc.StatusCode
APPLIED, REJECTED = Decision.APPLIED, Decision.REJECTED
ADD, READ, SWAP = ("Increment", "c"), ("GetWithHash", "c"), ("SetIf", "c")


@pytest.fixture
def channel():
    return FakeChannel(Clock(), methods=AT_LEAST_ONCE)


@pytest.fixture
def writer(channel, draws):
    return make_bare_writer(channel, uniform=draws)


def bounded(*seqs, high=100, **fields):
    return events(*seqs, high=high, **fields)


def test_counters_without_bounds_are_one_round_trip_of_one_call_each(channel, writer):
    names = [f"c{number}" for number in range(MAX_CALLS_IN_FLIGHT)]
    answer = settle(writer, **{name: events(0, 1, 2, counter=name) for name in names})
    assert answer == {name: [APPLIED] * 3 for name in names}
    assert channel.sent == [("Increment", name) for name in names]
    assert {channel.store.get(name) for name in names} == {b"3"}
    assert channel.clock() == pytest.approx(START_S + LATENCY_S)


def test_more_counters_than_calls_in_flight_are_all_added_to(channel, writer):
    names = [f"c{number}" for number in range(3 * MAX_CALLS_IN_FLIGHT)]
    settle(writer, **{name: events(0, counter=name) for name in names})
    assert {channel.store.get(name) for name in names} == {b"1"}
    assert channel.most_in_flight <= 2 * MAX_CALLS_IN_FLIGHT


def test_a_bound_and_a_reset_are_read_decided_and_swapped_while_others_are_added(channel, writer):
    channel.store.put("b", b"99")
    groups = {
        "a": events(0, counter="a"),
        "b": bounded(0, 1, counter="b"),
        "c": events(0, reset=7) + events(1),
    }
    answer = settle(writer, **groups)
    assert answer == {"a": [APPLIED], "b": [APPLIED, REJECTED], "c": [APPLIED, APPLIED]}
    assert [channel.store.get(name) for name in "abc"] == [b"1", b"100", b"8"]
    assert channel.sent == [("Increment", "a"), ("GetWithHash", "b"), READ, ("SetIf", "b"), SWAP]
    assert channel.clock() == pytest.approx(START_S + 2 * LATENCY_S)


def test_a_batch_that_is_all_rejected_is_swapped_since_its_read_may_be_stale(channel, writer):
    for value in (b"100", b"40"):
        channel.store.put("c", value)
    channel.faults = [Fault("GetWithHash", stale=True)]
    assert settle(writer, c=bounded(0)) == {"c": [APPLIED]}
    assert channel.sent == [READ, SWAP, READ, SWAP]
    assert channel.store.get("c") == b"41"


def test_a_lost_race_is_decided_again_on_the_fresh_value(channel, writer):
    channel.store.put("c", b"97")
    channel.faults = [Fault("SetIf", before=lambda: channel.store.put("c", b"99"))]
    progress = writer.settle({"c": bounded(0, 1)}, START_S + 10, Activity())
    assert progress.settlements() == {"c": [APPLIED, REJECTED]}
    assert progress.losses == {"c": 1}
    assert channel.sent == [READ, SWAP, READ, SWAP]
    assert channel.clock.slept_s == []


@pytest.mark.parametrize("status", UNKNOWN)
@pytest.mark.parametrize("effect", Effect)
def test_an_increment_whose_outcome_is_unknown_is_given_back_and_not_repeated(
    channel, writer, status, effect
):
    channel.faults = [Fault("Increment", status, effect, key="c")]
    answer = settle(writer, c=events(0, 1), d=events(0, counter="d"))
    unknown = Unsettled(Reason.UNKNOWN_OUTCOME, f"{status.name}: told by a test")
    assert answer == {"c": unknown, "d": [APPLIED]}
    assert channel.sent == [ADD, ("Increment", "d")]
    assert channel.store.get("c") == (None if effect is Effect.NONE else b"2")


@pytest.mark.parametrize("status", UNKNOWN)
@pytest.mark.parametrize("first", [None, b"40"], ids=["created", "swapped"])
@pytest.mark.parametrize(("effect", "added"), [(Effect.NONE, 2), (Effect.DONE, 4)])
def test_a_swap_whose_outcome_is_unknown_is_decided_again_and_may_count_twice(
    channel, writer, status, first, effect, added
):
    if first:
        channel.store.put("c", first)
    channel.faults = [Fault("SetIf", status, effect)]
    assert settle(writer, c=bounded(0, 1)) == {"c": [APPLIED, APPLIED]}
    assert channel.sent == [READ, SWAP, READ, SWAP]
    assert int(channel.store.get("c")) == int(first or b"0") + added


def test_even_what_counts_twice_does_not_cross_its_bound(channel, writer):
    channel.faults = [Fault("SetIf", STATUS.UNAVAILABLE, Effect.DONE)]
    assert settle(writer, c=bounded(0, 1, 2, high=4)) == {"c": [APPLIED, REJECTED, REJECTED]}
    assert channel.store.get("c") == b"4"


def test_a_throttled_increment_waits_and_is_given_back_after_its_tries(channel, writer, draws):
    channel.faults = [Fault("Increment", STATUS.RESOURCE_EXHAUSTED, key="c", times=99)]
    activity = Activity()
    groups = {"c": events(0), "d": events(0, counter="d")}
    progress = writer.settle(groups, START_S + 10, activity)
    throttled = Unsettled(Reason.THROTTLED, "RESOURCE_EXHAUSTED: told by a test")
    assert progress.settlements() == {"d": [APPLIED], "c": throttled}
    assert channel.sent.count(ADD) == activity.store_throttled == MAX_THROTTLED_TRIES
    assert draws.spans == [(0.0, 0.2), (0.0, 0.4), (0.0, 0.8), (0.0, 1.6)]


def test_a_throttled_increment_that_is_let_through_later_counts_once(channel, writer):
    channel.faults = [Fault("Increment", STATUS.RESOURCE_EXHAUSTED, times=2)]
    assert settle(writer, c=events(0)) == {"c": [APPLIED]}
    assert channel.sent == [ADD] * 3
    assert channel.store.get("c") == b"1"


def test_without_time_nothing_is_sent(channel, writer):
    answer = settle(writer, time_s=0.0, c=events(0), d=bounded(0, counter="d"))
    assert answer == dict.fromkeys("cd", Unsettled(Reason.OUT_OF_TIME))
    assert channel.sent == []


def test_an_increment_that_was_not_sent_in_one_round_is_sent_in_none_after_the_end(channel, writer):
    names = [f"c{number}" for number in range(MAX_CALLS_IN_FLIGHT + 1)]
    channel.faults = [Fault("Increment", times=MAX_CALLS_IN_FLIGHT, latency_s=0.5)]
    answer = settle(writer, time_s=0.4, **{name: events(0, counter=name) for name in names})
    assert answer[names[-1]] == Unsettled(Reason.OUT_OF_TIME)
    assert {answer[name].reason for name in names[:-1]} == {Reason.UNKNOWN_OUTCOME}
    assert channel.store.get(names[-1]) is None


def test_no_increment_is_sent_that_the_end_could_cut_off(channel, writer):
    names = [f"c{number}" for number in range(2 * MAX_CALLS_IN_FLIGHT + 88)]
    channel.faults = [Fault("Increment", times=10**6, latency_s=0.012)]
    answer = settle(writer, time_s=0.035, **{name: events(0, counter=name) for name in names})
    sent, left = names[:MAX_CALLS_IN_FLIGHT], names[MAX_CALLS_IN_FLIGHT:]
    assert answer == {
        **{name: [APPLIED] for name in sent},
        **dict.fromkeys(left, Unsettled(Reason.OUT_OF_TIME)),
    }
    assert channel.sent == [("Increment", name) for name in sent]


def test_a_sum_past_64_bits_is_refused_and_its_events_are_decided_one_by_one(channel, writer):
    channel.store.put("c", b"%d" % (INT64_MAX - 1))
    group = [*events(0, 1, 2), *events(3, amount=-1)]
    assert settle(writer, c=group) == {"c": [APPLIED, REJECTED, REJECTED, APPLIED]}
    assert channel.sent == [ADD, READ, SWAP]
    assert channel.store.get("c") == b"%d" % (INT64_MAX - 1)


@pytest.mark.parametrize("group", [events(0), bounded(0)], ids=["added", "swapped"])
@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (
            fold(b"7", events(5), Limits()).value,
            "it has a ledger: it was counted exactly once, and is left as it is",
        ),
        (b"words", "the count cannot be read: b'words'"),
    ],
    ids=["ledger", "words"],
)
def test_a_value_that_is_no_integer_is_reported_and_never_changed(
    channel, writer, group, value, detail
):
    channel.store.put("c", value)
    answer = settle(writer, c=group, d=events(0, counter="d"))
    assert answer == {"c": Unsettled(Reason.UNREADABLE, detail), "d": [APPLIED]}
    assert channel.store.get("c") == value
    assert SWAP not in channel.sent


@pytest.mark.parametrize("method", ["GetWithHash", "SetIf"])
@pytest.mark.parametrize("status", REFUSED)
def test_a_counter_that_is_refused_altogether_is_given_up_and_its_neighbours_go_on(
    channel, writer, method, status
):
    channel.faults = [Fault("Increment", status, key="c"), Fault(method, status, key="c")]
    refused = Unsettled(Reason.REFUSED, f"{status.name}: told by a test")
    answer = settle(writer, c=events(0), d=events(0, counter="d"))
    assert answer == {"c": refused, "d": [APPLIED]}
    assert channel.clock.slept_s == []


def test_a_refused_increment_says_so_when_no_time_is_left_to_read(channel, writer):
    channel.faults = [Fault("Increment", STATUS.OUT_OF_RANGE, latency_s=0.08)]
    refused = Unsettled(Reason.REFUSED, "OUT_OF_RANGE: told by a test")
    assert settle(writer, time_s=0.1, c=events(0)) == {"c": refused}
    assert channel.sent == [ADD]


@pytest.mark.parametrize("method", ["Increment", "GetWithHash", "SetIf"])
@pytest.mark.parametrize("status", BROKEN)
def test_a_broken_set_up_raises_and_still_counts_its_operations(channel, writer, method, status):
    channel.faults = [Fault(method, status)]
    activity = Activity()
    group = events(0) if method == "Increment" else bounded(0)
    with pytest.raises(BrokenSetupError, match=f"^{status.name}: told by a test$"):
        writer.settle({"c": group}, START_S + 10, activity)
    assert activity == Activity(store_operations=3 if method == "SetIf" else 1)


def test_a_stale_absence_is_no_counter_that_has_vanished(channel, writer):
    channel.store.put("c", b"10")
    never_arrived = Fault("SetIf", STATUS.UNAVAILABLE)
    channel.faults = [never_arrived, Fault("GetWithHash"), Fault("GetWithHash", stale=True)]
    activity = Activity()
    progress = writer.settle({"c": bounded(0)}, START_S + 10, activity)
    assert (progress.vanished, activity.counters_vanished) == ([], 0)
    assert channel.sent == [READ, SWAP] * 3
    assert channel.store.get("c") == b"11"


def test_the_activity_tells_what_can_be_known(channel, writer):
    channel.store.put("b", b"10")
    channel.faults = [
        Fault("SetIf", before=lambda: channel.store.drop("b"), key="b"),
        Fault("Increment", STATUS.UNAVAILABLE, key="e"),
    ]
    activity = Activity()
    groups = {name: bounded(0, counter=name) for name in "bc"}
    groups |= {name: events(0, counter=name) for name in "de"}
    progress = writer.settle(groups, START_S + 10, activity)
    assert progress.vanished == ["b"]
    assert activity == Activity(
        counters_written=3,
        counters_created=2,
        counters_vanished=1,
        swaps_stored=2,
        swaps_lost=1,
        store_operations=2 * 1 + 3 * (1 + 2),
        value_bytes=1,
    )
