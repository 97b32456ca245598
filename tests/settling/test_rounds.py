"""The pace of the rounds: how long is waited for the next one, and when none is begun."""

import grpc
import pytest

from tally.counters.decision import Decision
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.reason import Reason, Unsettled
from tally.settling.rounds import (
    MAX_ROUNDS,
    MIN_ROUND_S,
    ROUND_MARGIN,
    THROTTLED_ROUND_S,
    Rounds,
)
from tally.settling.writer import Writer
from tally.stores.memory import MemoryStore
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT
from tally.stores.port import Usage
from tests.support.clock import START_S, Clock
from tests.support.consumers import Draws, events, make_writer, settle
from tests.support.momento_channel import LATENCY_S, FakeChannel, Fault

STATUS = grpc.StatusCode
APPLIED = Decision.APPLIED
READ = ("GetWithHash", "c")
ROUND_S = 2 * LATENCY_S


def test_the_first_repeat_is_at_once_and_then_the_wait_doubles_to_sixteen_rounds(
    channel, writer, draws
):
    channel.faults = [Fault("SetIf", STATUS.UNAVAILABLE, times=8)]
    assert settle(writer, c=events(0)) == {"c": [APPLIED]}
    longest_s = [4, 8, 16, 16, 16, 16, 16]
    assert draws.spans == [(0.0, pytest.approx(rounds * ROUND_S)) for rounds in longest_s]
    assert channel.clock.slept_s == [pytest.approx(rounds * ROUND_S) for rounds in longest_s]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("latency_s", [0.001, 0.02, 0.9])
def test_rounds_go_on_until_the_time_is_up_and_never_past_it(channel, share, latency_s):
    writer = make_writer(channel, uniform=Draws(share))
    channel.faults = [
        Fault("GetWithHash", STATUS.UNAVAILABLE, times=10**6, latency_s=latency_s),
    ]
    open_ = Unsettled(Reason.UNKNOWN_OUTCOME, "UNAVAILABLE: told by a test")
    assert settle(writer, time_s=3.0, c=events(0)) == {"c": open_}
    ends_at_s = START_S + 3.0
    assert channel.clock() <= ends_at_s
    assert channel.clock() + ROUND_MARGIN * max(MIN_ROUND_S, latency_s) > ends_at_s
    assert all(call.sent_at_s + call.timeout_s <= ends_at_s + 1e-9 for call in channel.calls)


def test_a_repeat_for_few_counters_needs_less_time_than_the_round_for_all(channel, writer):
    names = [f"c{number}" for number in range(4 * MAX_CALLS_IN_FLIGHT)]
    groups = {name: events(0, counter=name) for name in names}
    settle(make_writer(FakeChannel(channel.clock)), **groups)
    round_s = channel.clock() - START_S
    channel.faults = [Fault("SetIf", STATUS.UNAVAILABLE, key="c0")]
    time_s = (1 + ROUND_MARGIN / 2) * round_s
    assert settle(writer, time_s, **groups) == {name: [APPLIED] for name in names}


def test_a_repeat_for_all_counters_is_not_begun_in_the_time_of_a_few(channel, writer):
    names = [f"c{number}" for number in range(4 * MAX_CALLS_IN_FLIGHT)]
    channel.faults = [Fault("GetWithHash", STATUS.UNAVAILABLE, times=10**6)]
    groups = {name: events(0, counter=name) for name in names}
    settle(writer, 3.2 * 4 * LATENCY_S, **groups)
    assert len(channel.sent) == 2 * len(names)


@pytest.mark.parametrize("counters", [4 * MAX_CALLS_IN_FLIGHT, 3 * MAX_CALLS_IN_FLIGHT + 1])
@pytest.mark.parametrize("missing_s", [1e-6, -1e-6])
def test_a_first_round_is_begun_if_the_least_it_can_take_fits(channel, writer, missing_s, counters):
    channel.faults = [Fault("GetWithHash", STATUS.UNAVAILABLE, times=10**6)]
    groups = {f"c{number}": events(0, counter=f"c{number}") for number in range(counters)}
    settle(writer, ROUND_MARGIN * 4 * MIN_ROUND_S - missing_s, **groups)
    assert len(channel.sent) == (0 if missing_s > 0 else counters)


def test_what_no_longer_is_throttled_slows_down_no_other_counter(channel, writer, draws):
    channel.faults = [
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key="c"),
        Fault("GetWithHash", STATUS.UNAVAILABLE, key="d", times=3),
    ]
    groups = {"c": events(0), "d": events(0, counter="d")}
    assert settle(writer, **groups) == {"c": [APPLIED], "d": [APPLIED]}
    throttled_s, two_calls_s, one_call_s = 2 * THROTTLED_ROUND_S, 4 * ROUND_S, 8 * LATENCY_S
    assert draws.spans == [
        (0.0, pytest.approx(most_s)) for most_s in (throttled_s, two_calls_s, one_call_s)
    ]


def test_a_settlement_tells_what_it_cost_and_not_what_those_before_it_did():
    clock, activity = Clock(), Activity()
    store = MemoryStore(clock=clock)
    store.usage = Usage(operations=70, reads=50)
    rounds = Rounds(store, clock=clock, sleep=clock.sleep, uniform=Draws())
    Writer(rounds, Copies()).settle({"c": events(0)}, clock() + 10, activity)
    assert (activity.store_operations, activity.store_reads) == (2, 0)


def test_rounds_end_even_if_the_clock_stands_still(channel):
    writer = make_writer(channel, sleep=lambda _seconds: None)
    channel.faults = [Fault("GetWithHash", STATUS.UNAVAILABLE, times=10**6, latency_s=0.0)]
    settle(writer, c=events(0))
    assert channel.sent == [READ] * MAX_ROUNDS


def test_a_wait_after_a_throttle_is_no_shorter_than_one_of_slow_rounds(channel, writer, draws):
    channel.faults = [Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, times=2, latency_s=0.5)]
    settle(writer, time_s=20.0, c=events(0))
    assert draws.spans == [(0.0, 1.0), (0.0, 2.0)]


@pytest.mark.parametrize(
    ("silent", "closed"), [({"c", "d"}, 1), ({"c"}, 0), (set(), 0)], ids=["all", "one", "none"]
)
def test_after_a_round_without_any_answer_the_next_has_new_connections(
    channel, writer, silent, closed
):
    channel.faults = [Fault("SetIf", STATUS.DEADLINE_EXCEEDED, key=key) for key in sorted(silent)]
    channel.faults += [
        Fault("GetWithHash", STATUS.DEADLINE_EXCEEDED, key=key) for key in sorted(silent)
    ]
    decided = settle(writer, c=events(0), d=events(0, counter="d"))
    assert decided == {"c": [APPLIED], "d": [APPLIED]}
    assert channel.closed == closed
