"""The rounds: what is read and written when, and what becomes of events whatever fails."""

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
from tests.support.clock import START_S
from tests.support.consumers import AT_MS, events, make_writer, settle
from tests.support.momento_channel import (
    BROKEN,
    LATENCY_S,
    REFUSED,
    UNKNOWN,
    Effect,
    Fault,
)

STATUS = grpc.StatusCode
APPLIED, BEFORE = Decision.APPLIED, Decision.APPLIED_BEFORE
READ, CREATE, SWAP = ("GetWithHash", "c"), ("SetIf", "c"), ("SetIfHash", "c")
ROUND_S = 2 * LATENCY_S


def stored_count(channel, counter="c"):
    return int(channel.store.get(counter).partition(b"\n")[0])


def write_elsewhere(channel, *seqs, **fields):
    """Another writer's events, written at once."""
    theirs = events(*seqs, **{"source": 2} | fields)
    value = fold(channel.store.get("c"), theirs, Limits()).value
    channel.store.put("c", value)


def sent_by(channel, settling):
    """The calls that settling makes."""
    already = len(channel.calls)
    settling()
    return channel.sent[already:]


def test_new_counters_are_read_at_once_and_created_at_once(channel, writer):
    answer = settle(writer, a=events(0, 1, counter="a"), b=events(0, counter="b"))
    assert answer == {"a": [APPLIED, APPLIED], "b": [APPLIED]}
    assert channel.sent == [
        *(("GetWithHash", "a"), ("GetWithHash", "b")),
        *(("SetIf", "a"), ("SetIf", "b")),
    ]
    assert channel.clock() == pytest.approx(START_S + ROUND_S)


def test_a_counter_that_was_created_is_read_next_time_and_then_warm(channel, writer):
    batches = [sent_by(channel, lambda seq=seq: settle(writer, c=events(seq))) for seq in range(4)]
    assert batches == [[READ, CREATE], [READ, SWAP], [SWAP], [SWAP]]
    assert stored_count(channel) == 4


def test_a_warm_batch_is_one_round_trip_for_all_its_counters(channel, writer):
    groups = {name: events(0, counter=name) for name in "abc"}
    settle(writer, **groups)
    settle(writer, **{name: events(1, counter=name) for name in "abc"})
    began_at_s = channel.clock()
    warm = {name: events(2, counter=name) for name in "abc"}
    sent = sent_by(channel, lambda: settle(writer, **warm))
    assert sent == [("SetIfHash", name) for name in "abc"]
    assert channel.clock() == pytest.approx(began_at_s + LATENCY_S)


def test_warm_and_cold_counters_of_a_batch_go_out_together(channel, writer):
    for seq in range(2):
        settle(writer, c=events(seq))
    began_at_s = channel.clock()
    sent = sent_by(channel, lambda: settle(writer, d=events(0, counter="d"), c=events(2)))
    assert sent == [("SetIfHash", "c"), ("GetWithHash", "d"), ("SetIf", "d")]
    assert channel.clock() == pytest.approx(began_at_s + ROUND_S)


def test_more_counters_than_calls_in_flight_are_all_written(channel, writer):
    names = [f"c{number}" for number in range(3 * MAX_CALLS_IN_FLIGHT)]
    answer = settle(writer, **{name: events(0, counter=name) for name in names})
    assert answer == {name: [APPLIED] for name in names}
    assert channel.most_in_flight <= 2 * MAX_CALLS_IN_FLIGHT


def test_a_lost_race_is_decided_again_on_the_fresh_value(channel, writer):
    write_elsewhere(channel, 0)
    channel.faults = [Fault("SetIfHash", before=lambda: write_elsewhere(channel, 1))]
    progress = writer.settle({"c": events(0, 1, high=3)}, START_S + 10, Activity())
    assert progress.settlements() == {"c": [APPLIED, Decision.REJECTED]}
    assert progress.losses == {"c": 1}
    assert channel.sent == [READ, SWAP, READ, SWAP]
    assert channel.clock.slept_s == []
    assert stored_count(channel) == 3


def test_every_race_that_a_counter_loses_is_counted(channel, writer):
    write_elsewhere(channel, 0)
    theirs = iter(range(1, 4))
    faster = Fault("SetIfHash", before=lambda: write_elsewhere(channel, next(theirs)), times=3)
    channel.faults = [faster]
    progress = writer.settle({"c": events(0)}, START_S + 10, Activity())
    assert (progress.settlements(), progress.losses) == ({"c": [APPLIED]}, {"c": 3})
    assert stored_count(channel) == 5


def test_a_race_that_was_lost_on_a_read_is_no_miss_of_a_copy(channel, writer):
    for seq in range(2):
        write_elsewhere(channel, seq)
        settle(writer, c=events(seq))  # the second time its copy misses: the next is left out
    channel.faults = [Fault("SetIfHash", before=lambda: write_elsewhere(channel, 2))]
    assert sent_by(channel, lambda: settle(writer, c=events(2))) == [READ, SWAP] * 2
    assert sent_by(channel, lambda: settle(writer, c=events(3))) == [SWAP]


def test_a_race_to_create_is_lost_and_decided_again(channel, writer):
    channel.faults = [Fault("SetIf", before=lambda: write_elsewhere(channel, 0))]
    assert settle(writer, c=events(0)) == {"c": [APPLIED]}
    assert channel.sent == [READ, CREATE, READ, SWAP]
    assert stored_count(channel) == 2


def test_a_stale_read_loses_its_race(channel, writer):
    write_elsewhere(channel, 0)
    write_elsewhere(channel, 1)
    channel.faults = [Fault("GetWithHash", stale=True)]
    assert settle(writer, c=events(0)) == {"c": [APPLIED]}
    assert channel.sent == [READ, SWAP, READ, SWAP]
    assert stored_count(channel) == 3


@pytest.mark.parametrize("status", UNKNOWN)
@pytest.mark.parametrize("first", [None, b"40"], ids=["created", "swapped"])
def test_a_write_whose_answer_is_lost_counts_once(channel, writer, status, first):
    if first:
        channel.store.put("c", first)
    write = SWAP if first else CREATE
    channel.faults = [Fault(write[0], status, Effect.DONE)]
    assert settle(writer, c=events(0, 1)) == {"c": [BEFORE, BEFORE]}
    assert channel.sent == [READ, write, READ]
    assert stored_count(channel) == int(first or b"0") + 2


@pytest.mark.parametrize("status", UNKNOWN)
@pytest.mark.parametrize("first", [None, b"40"], ids=["created", "swapped"])
def test_a_write_that_never_arrived_is_made_again(channel, writer, status, first):
    if first:
        channel.store.put("c", first)
    write = SWAP if first else CREATE
    channel.faults = [Fault(write[0], status)]
    assert settle(writer, c=events(0, 1)) == {"c": [APPLIED, APPLIED]}
    assert channel.sent == [READ, write, READ, write]
    assert stored_count(channel) == int(first or b"0") + 2


@pytest.mark.parametrize("late_calls", [1, 2, 3])
@pytest.mark.parametrize("first", [None, b"40"], ids=["created", "swapped"])
def test_a_write_that_arrives_late_counts_once(channel, writer, late_calls, first):
    if first:
        channel.store.put("c", first)
    method = "SetIfHash" if first else "SetIf"
    late = Fault(method, STATUS.DEADLINE_EXCEEDED, Effect.LATE, late_calls=late_calls)
    channel.faults = [late]
    settle(writer, c=events(0, 1))
    settle(writer, c=events(2))
    assert channel.store.late == []
    assert stored_count(channel) == int(first or b"0") + 3


def test_an_answer_lost_at_the_last_moment_leaves_the_counter_open(channel, writer):
    channel.faults = [Fault("SetIf", latency_s=99)]
    open_ = Unsettled(Reason.UNKNOWN_OUTCOME, "DEADLINE_EXCEEDED: Deadline Exceeded")
    assert settle(writer, time_s=0.5, c=events(0)) == {"c": open_}
    assert stored_count(channel) == 1
    assert settle(writer, c=events(0)) == {"c": [BEFORE]}
    assert stored_count(channel) == 1


def test_events_decided_before_need_no_write(channel, writer):
    write_elsewhere(channel, 0, 1)
    sent = sent_by(channel, lambda: settle(writer, c=events(0, 1, source=2)))
    assert sent == [READ]
    assert settle(writer, c=events(0, source=2)) == {"c": [BEFORE]}
    assert sent_by(channel, lambda: settle(writer, c=events(0, source=2))) == []


def test_a_counter_that_cannot_take_its_events_is_settled_without_a_write(channel):
    writer = make_writer(channel, limits=Limits(max_runs=1))
    assert settle(writer, c=events(5)) == {"c": [Decision.FULL]}
    assert settle(writer, c=events(0, 1)) == {"c": [Decision.FULL, Decision.FULL]}
    assert channel.sent == [READ, READ]


@pytest.mark.parametrize("decided", [(), (0,)], ids=["all", "one of two"])
def test_what_a_warm_copy_would_report_is_read_again_before_it_is_reported(channel, decided):
    writer = make_writer(channel, limits=Limits(max_runs=4))
    channel.store.put("c", fold(None, events(0, 2, 4), Limits()).value)
    assert settle(writer, c=events(9)) == {"c": [Decision.FULL]}
    write_elsewhere(channel, 1, 3, source=1)
    sent = sent_by(channel, lambda: settle(writer, c=events(*decided, 9)))
    assert sent == [READ, SWAP]
    assert settle(writer, c=events(9)) == {"c": [BEFORE]}


def test_without_time_nothing_is_sent(channel, writer):
    assert settle(writer, time_s=0.0, c=events(0)) == {"c": Unsettled(Reason.OUT_OF_TIME)}
    assert channel.sent == []


def test_what_ended_the_last_try_is_the_reason_when_no_time_is_left_for_another(channel, writer):
    write_elsewhere(channel, 0)
    channel.faults = [
        Fault("SetIfHash", before=lambda: write_elsewhere(channel, 1)),
        Fault("GetWithHash"),
        Fault("GetWithHash", latency_s=0.08),
    ]
    answer = settle(writer, time_s=0.1, c=events(0))
    assert answer == {"c": Unsettled(Reason.LOST_RACE)}
    assert channel.sent == [READ, SWAP, READ]


def test_a_throttled_counter_waits_longer_and_is_given_back_after_its_tries(channel, writer, draws):
    channel.faults = [Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key="c", times=99)]
    activity = Activity()
    groups = {"c": events(0), "d": events(0, counter="d")}
    progress = writer.settle(groups, START_S + 10, activity)
    throttled = Unsettled(Reason.THROTTLED, "RESOURCE_EXHAUSTED: told by a test")
    assert progress.settlements() == {"d": [APPLIED], "c": throttled}
    assert channel.sent.count(READ) == activity.store_throttled == MAX_THROTTLED_TRIES
    assert draws.spans == [(0.0, 0.2), (0.0, 0.4), (0.0, 0.8), (0.0, 1.6)]


def test_a_counter_that_is_throttled_until_the_end_is_given_back_as_throttled(channel, writer):
    channel.faults = [Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, times=99)]
    throttled = Unsettled(Reason.THROTTLED, "RESOURCE_EXHAUSTED: told by a test")
    assert settle(writer, time_s=0.1, c=events(0)) == {"c": throttled}
    assert 0 < channel.sent.count(READ) < MAX_THROTTLED_TRIES


def test_a_throttled_write_that_is_let_through_later_is_stored(channel, writer):
    channel.faults = [Fault("SetIf", STATUS.RESOURCE_EXHAUSTED, times=2)]
    assert settle(writer, c=events(0)) == {"c": [APPLIED]}
    assert channel.sent == [READ, CREATE] * 3


@pytest.mark.parametrize("method", ["GetWithHash", "SetIf"])
@pytest.mark.parametrize("status", REFUSED)
def test_a_refused_counter_is_given_up_at_once_and_its_neighbours_go_on(
    channel, writer, method, status
):
    channel.faults = [Fault(method, status, key="c", times=99)]
    groups = {name: events(0, counter=name) for name in "bcd"}
    refused = Unsettled(Reason.REFUSED, f"{status.name}: told by a test")
    assert settle(writer, **groups) == {"b": [APPLIED], "c": refused, "d": [APPLIED]}
    assert channel.clock.slept_s == []


@pytest.mark.parametrize(
    "value", [b"", b"words", b"3\n", b"1\n\x95\x02\xc4\x00\x90\x90\x80", b"007"]
)
def test_an_unreadable_value_is_reported_and_never_overwritten(channel, writer, value):
    channel.store.put("c", value)
    answer = settle(writer, **{name: events(0, counter=name) for name in "bcd"})
    assert answer["b"] == answer["d"] == [APPLIED]
    assert answer["c"].reason is Reason.UNREADABLE
    assert channel.store.get("c") == value
    assert channel.sent.count(READ) == 1


@pytest.mark.parametrize("method", ["GetWithHash", "SetIf"])
@pytest.mark.parametrize("status", BROKEN)
def test_a_broken_set_up_raises_and_still_counts_its_operations(channel, writer, method, status):
    channel.faults = [Fault(method, status)]
    activity = Activity()
    with pytest.raises(BrokenSetupError, match=f"^{status.name}: told by a test$") as raised:
        writer.settle({"c": events(0)}, START_S + 10, activity)
    assert raised.value.is_missing is (status is STATUS.NOT_FOUND)
    assert activity == Activity(store_operations=1 if method == "GetWithHash" else 3)


def test_the_activity_counts_every_swap_and_the_longest_value(channel, writer):
    write_elsewhere(channel, 0)
    channel.faults = [Fault("SetIfHash", before=lambda: write_elsewhere(channel, 1))]
    activity = Activity()
    gaps = events(*range(0, 40, 2), counter="d")
    writer.settle({"c": events(0), "d": gaps, "e": events(0)}, START_S + 10, activity)
    assert activity == Activity(
        counters_written=3,
        counters_created=2,
        swaps_stored=3,
        swaps_lost=1,
        store_operations=4 * 1 + 4 * 2,
        value_bytes=len(channel.store.get("d")),
    )


def gone(writer, groups):
    """How many counters a batch found to have gone, which, and how many it created."""
    activity = Activity()
    progress = writer.settle(groups, writer.clock() + 10, activity)
    return activity.counters_vanished, progress.vanished, activity.counters_created


def test_a_counter_that_a_warm_copy_knew_and_that_is_absent_has_vanished(channel, writer):
    for seq in range(2):
        settle(writer, c=events(seq), d=events(seq, counter="d"))
    channel.store.drop("c")
    groups = {name: events(2, counter=name) for name in "cde"}
    assert gone(writer, groups) == (1, ["c"], 2)
    assert stored_count(channel) == 1
    assert gone(writer, {"c": events(3)}) == (0, [], 0)


def test_a_counter_that_goes_between_read_and_swap_has_vanished_once(channel, writer):
    write_elsewhere(channel, 0)
    channel.faults = [
        Fault("SetIfHash", before=lambda: channel.store.drop("c")),
        Fault("SetIf", STATUS.UNAVAILABLE, times=3),
    ]
    assert gone(writer, {"c": events(0)}) == (1, ["c"], 1)


def test_a_counter_that_is_absent_when_it_is_first_read_is_created_and_has_not_vanished(
    channel, writer
):
    assert gone(writer, {"c": events(0)}) == (0, [], 1)
    channel.store.drop("c")
    assert gone(writer, {"c": events(1)}) == (0, [], 1)


def test_a_stale_absence_is_no_counter_that_has_vanished(channel, writer):
    write_elsewhere(channel, 0)
    never_arrived = Fault("SetIfHash", STATUS.UNAVAILABLE)
    channel.faults = [never_arrived, Fault("GetWithHash"), Fault("GetWithHash", stale=True)]
    assert gone(writer, {"c": events(0)}) == (0, [], 0)
    assert channel.sent == [READ, SWAP, READ, CREATE, READ, SWAP]
    assert stored_count(channel) == 2


def rolled_back(writer, *seqs):
    """How many counters a batch found at an earlier state, and which."""
    activity = Activity()
    progress = writer.settle({"c": events(*seqs)}, writer.clock() + 10, activity)
    return activity.counters_rolled_back, progress.rolled_back


def warmed(channel, writer):
    """The value before the last of the batches by which the writer has become warm."""
    settle(writer, c=events(0))
    settle(writer, c=events(1))
    older = channel.store.get("c")
    settle(writer, c=events(2))
    return older


def test_a_winner_that_lacks_what_a_warm_copy_has_was_rolled_back(channel, writer):
    older = warmed(channel, writer)
    channel.store.put("c", older)
    assert rolled_back(writer, 3) == (1, ["c"])
    assert stored_count(channel) == 3
    assert rolled_back(writer, 4) == (0, [])


def test_a_rollback_is_seen_too_where_the_warm_swap_has_no_answer(channel, writer):
    older = warmed(channel, writer)
    channel.faults = [Fault("SetIfHash", STATUS.UNAVAILABLE)]
    channel.store.put("c", older)
    assert rolled_back(writer, 3) == (1, ["c"])


def test_a_winner_that_has_all_of_a_warm_copy_was_not_rolled_back(channel, writer):
    warmed(channel, writer)
    write_elsewhere(channel, 7)
    assert rolled_back(writer, 3) == (0, [])
    assert stored_count(channel) == 5


def test_a_stale_read_is_no_counter_that_was_rolled_back(channel, writer):
    warmed(channel, writer)
    channel.faults = [
        Fault("SetIfHash", STATUS.UNAVAILABLE),
        Fault("GetWithHash", stale=True),
    ]
    assert rolled_back(writer, 3) == (0, [])
    assert channel.sent[-5:] == [SWAP, READ, SWAP, READ, SWAP]


def test_a_counter_of_which_nothing_was_known_cannot_tell(channel, writer):
    write_elsewhere(channel, 0)
    assert rolled_back(writer, 0) == (0, [])


def test_a_creation_whose_answer_is_lost_is_not_counted_as_one(channel, writer):
    channel.faults = [Fault("SetIf", STATUS.UNAVAILABLE, Effect.DONE)]
    assert gone(writer, {"c": events(0)}) == (0, [], 0)


def test_bounds_and_times_are_decided_on_what_is_stored(channel, writer):
    channel.store.put("c", b"%d" % INT64_MAX)
    overflow, back = events(0)[0], events(1, amount=-1)[0]
    rejected = Decision.REJECTED
    assert settle(writer, c=[overflow, back]) == {"c": [rejected, APPLIED]}
    assert settle(writer, c=[overflow, back]) == {"c": [Decision.REJECTED_BEFORE, BEFORE]}
    old = events(9, source=3, at=AT_MS - 1)
    assert settle(writer, c=old) == {"c": [APPLIED]}
