"""SQS batches made by hand: the whole answer to each, and what is counted behind it."""

import grpc
import pytest

from consumer.batch import NO_CONTEXT_MS
from tally.counters.columns import VERSION
from tally.counters.event import INT64_MAX, MAX_FUTURE_MS
from tally.counters.ledger import Limits
from tally.settling.rounds import RESERVE_PER_MESSAGE_S, RESERVE_S, ROUND_MARGIN
from tally.stores.errors import BrokenSetupError
from tests.support.clock import START_S
from tests.support.consumers import DEADLINE_S, Deployed
from tests.support.lambda_event import (
    SENT_AT_MS,
    SOURCE,
    Context,
    event,
    failures,
    increment,
    record,
)
from tests.support.momento_channel import LATENCY_S, Fault

STATUS = grpc.StatusCode
LAST_ROUND_S = ROUND_MARGIN * (LATENCY_S + DEADLINE_S) + 1e-9
"""With so much time left or less, no further round is begun."""
NAMED = {"counter": "page:home", "id": "order-1", "at": SENT_AT_MS}
INVALID = {
    "no JSON": "{",
    "an empty body": "",
    "an empty array": [],
    "a number": 1,
    "no counter": {"amount": 1},
    "an empty counter": {"counter": ""},
    "a counter of 513 bytes": {"counter": "ü" * 256 + "c"},
    "an unknown field": increment() | {"colour": "red"},
    "a float": increment(amount=1.0),
    "a boolean": increment(amount=True),
    "65 bits": increment(amount=2**63),
    "null": increment(amount=None),
    "an old at": increment(at=0),
    "a source without seq": {"counter": "c", "source": SOURCE, "at": 1},
    "a source of other letters": increment(source=SOURCE.upper()),
    "an id with a source": increment(id="order-1"),
    "an id without at": {"counter": "c", "id": "order-1"},
    "an at without identity": {"counter": "c", "at": 1},
    "too far in the future": increment(at=SENT_AT_MS + MAX_FUTURE_MS + 1),
    "a bad one among good ones": [increment(0), increment(1), increment(2, amount="3")],
}


@pytest.fixture
def deployed():
    return Deployed()


def handle(deployed, *records, context=None):
    return deployed.handle(event(*records), context)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (increment(amount=5), 5),
        ([increment(seq, amount=seq) for seq in range(5)], 10),
        (NAMED | {"amount": 3}, 3),
        ({"counter": "page:home"}, 1),
        ([{"counter": "page:home"}, {"counter": "page:home", "amount": -4}], -3),
        (increment(at=SENT_AT_MS + MAX_FUTURE_MS), 1),
        (increment(at=1), 1),
        ([NAMED, increment(), {"counter": "page:home"}], 3),
    ],
    ids=["native", "packed", "named", "anonymous", "both", "just not future", "oldest", "mixed"],
)
def test_a_good_message_is_counted_and_deleted_and_its_repeat_counts_nothing(deployed, body, count):
    assert handle(deployed, record("m1", body)) == failures()
    assert deployed.count() == count
    assert handle(deployed, record("m1", body, receipt=2, receive_count=2)) == failures()
    assert deployed.count() == count


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID)
def test_a_bad_message_is_returned_and_stops_no_other(deployed, body):
    records = [record("m1", increment(8)), record("m2", body), record("m3", increment(9))]
    assert handle(deployed, *records) == failures("m2")
    assert deployed.returned == [("m2", "invalid")]
    assert deployed.count() == 2


def test_a_batch_of_bad_messages_only_is_an_answer_and_no_error(deployed):
    assert handle(deployed, record("m1", "{"), record("m2", "[")) == failures("m1", "m2")
    assert deployed.channel.calls == []


def test_an_empty_batch_is_answered_empty(deployed):
    assert handle(deployed) == failures()


def test_a_message_without_a_sent_timestamp_is_returned(deployed):
    records = [record("m1", increment(), sent_at=None), record("m2", increment())]
    assert handle(deployed, *records) == failures("m1")
    assert deployed.count() == 1


@pytest.mark.parametrize(
    "body", [increment(), NAMED, {"counter": "page:home"}], ids=["native", "named", "anonymous"]
)
def test_the_same_message_twice_in_a_batch_counts_once_and_both_are_deleted(deployed, body):
    assert handle(deployed, record("m1", body), record("m1", body, receipt=2)) == failures()
    assert deployed.count() == 1


@pytest.mark.parametrize("body", [increment(), NAMED], ids=["native", "named"])
def test_a_producers_own_repeat_in_the_same_batch_counts_once(deployed, body):
    assert handle(deployed, record("m1", body), record("m2", body)) == failures()
    assert deployed.count() == 1


def test_a_producers_own_repeat_of_an_anonymous_increment_counts_again(deployed):
    body = {"counter": "page:home"}
    assert handle(deployed, record("m1", body), record("m2", body)) == failures()
    assert deployed.count() == 2


def test_a_packed_message_fails_as_a_whole_and_its_repeat_is_harmless(deployed):
    packed = [increment(0, "a"), increment(0, "b"), increment(0, "c")]
    deployed.channel.faults = [Fault("SetIf", STATUS.INVALID_ARGUMENT, key="b")]
    assert handle(deployed, record("m1", packed), record("m2", increment(1, "c"))) == failures("m1")
    assert [deployed.count(name) for name in "abc"] == [1, None, 2]
    assert handle(deployed, record("m1", packed, receive_count=2)) == failures()
    assert [deployed.count(name) for name in "abc"] == [1, 1, 2]


def test_a_value_of_a_later_release_waits_untouched_until_that_release_is_back(deployed):
    handle(deployed, record("m1", increment(0)))
    ours = deployed.channel.store.get("page:home")
    count, _, ledger = ours.partition(b"\n")
    assert ledger[:2] == bytes([0x95, VERSION])
    theirs = count + b"\n" + bytes([0x96, VERSION + 1]) + ledger[2:] + b"\x00"  # a field more
    deployed.channel.store.put("page:home", theirs)
    assert handle(deployed, record("m2", increment(1))) == failures("m2")
    assert deployed.returned == [("m2", "unreadable")]
    assert deployed.channel.store.get("page:home") == theirs
    deployed.channel.store.put("page:home", ours)
    assert handle(deployed, record("m2", increment(1))) == failures()
    assert deployed.count() == 2


def test_an_unreadable_counter_fails_its_messages_and_no_others(deployed):
    deployed.channel.store.put("b", b"not a counter")
    records = [record(f"m{name}", increment(0, name)) for name in "abc"]
    assert handle(deployed, *records) == failures("mb")
    assert deployed.returned == [("mb", "unreadable")]
    assert deployed.channel.store.get("b") == b"not a counter"


def test_events_past_a_bound_are_rejected_and_their_messages_deleted(deployed):
    records = [record(f"m{seq}", increment(seq, max=2)) for seq in range(4)]
    assert handle(deployed, *records) == failures()
    assert deployed.count() == 2


@pytest.mark.parametrize(
    ("fields", "count"), [({}, 2), ({"max": 3}, 3), ({"max": INT64_MAX}, 4), ({"max": 1}, 1)]
)
def test_the_deployments_bound_is_for_increments_that_bring_none(fields, count):
    deployed = Deployed(default_max=2)
    records = [record(f"m{seq}", increment(seq, **fields)) for seq in range(4)]
    assert handle(deployed, *records) == failures()
    assert deployed.count() == count


def test_increments_of_a_standard_queue_are_decided_by_their_time(deployed):
    late = increment(0, at=SENT_AT_MS, amount=2, max=2)
    early = increment(1, at=SENT_AT_MS - 1, amount=1, max=2)
    assert handle(deployed, record("m1", late), record("m2", early)) == failures()
    assert deployed.count() == 1


def test_increments_of_a_fifo_queue_are_decided_as_they_were_delivered(deployed):
    late = increment(0, at=SENT_AT_MS, amount=2, max=2)
    early = increment(1, at=SENT_AT_MS - 1, amount=1, max=2)
    records = [record("m1", late, group="g"), record("m2", early, group="g")]
    assert handle(deployed, *records) == failures()
    assert deployed.count() == 2


def test_a_message_group_of_a_standard_queue_keeps_no_order(deployed):
    bad, good = record("m1", "{"), record("m2", increment())
    for one in (bad, good):
        one["attributes"]["MessageGroupId"] = "tenant"
    assert handle(deployed, bad, good) == failures("m1")


def test_what_follows_a_bad_message_in_its_fifo_group_is_returned_and_not_counted(deployed):
    records = [
        record("m1", increment(0), group="g"),
        record("m2", "{", group="g"),
        record("m3", increment(1), group="h"),
        record("m4", increment(2), group="g"),
        record("m5", "[", group="g"),
    ]
    assert handle(deployed, *records) == failures("m2", "m4", "m5")
    assert deployed.returned == [("m2", "invalid"), ("m4", "group"), ("m5", "invalid")]
    assert deployed.count() == 2


def test_a_record_that_sqs_never_makes_holds_up_its_fifo_group_too(deployed):
    untimed = record("m1", increment(0), group="g", sent_at=None)
    assert handle(deployed, untimed, record("m2", increment(1), group="g")) == failures("m1", "m2")
    assert deployed.returned == [("m1", "invalid"), ("m2", "group")]


def test_what_follows_an_unsettled_message_in_its_fifo_group_is_returned_too(deployed):
    deployed.channel.faults = [Fault("SetIf", STATUS.INVALID_ARGUMENT, key="b")]
    records = [
        record("m1", increment(0, "a"), group="g"),
        record("m2", increment(0, "b"), group="g"),
        record("m3", increment(1, "a"), group="g"),
        record("m4", increment(2, "a"), group="h"),
    ]
    assert handle(deployed, *records) == failures("m2", "m3")
    assert deployed.returned == [("m2", "refused"), ("m3", "group")]
    assert handle(deployed, *records[1:3]) == failures()
    assert [deployed.count(name) for name in "ab"] == [3, 1]


def test_an_event_older_than_the_ledgers_memory_is_returned_and_not_guessed(deployed):
    stored = b"5\n\x95\x01\xc4\x00\x91\xce\x7f\xff\xff\xff\x90\x80"
    deployed.channel.store.put("page:home", stored)
    assert handle(deployed, record("m1", increment())) == failures("m1")
    assert deployed.returned == [("m1", "undecidable")]
    assert deployed.channel.store.get("page:home") == stored


def test_in_a_packed_message_one_undecidable_event_returns_it_and_the_rest_is_counted(deployed):
    floor_s = SENT_AT_MS // 1_000 - 60
    stored = b"5\n\x95\x01\xc4\x00\x91\xce" + floor_s.to_bytes(4, "big") + b"\x90\x80"
    deployed.channel.store.put("page:home", stored)
    packed = [increment(0, at=floor_s * 1_000), increment(1), increment(2, at=1)]
    records = [record("m1", packed), record("m2", increment(3))]
    assert handle(deployed, *records) == failures("m1")
    assert deployed.count() == 7


def test_a_source_with_too_many_gaps_gets_its_message_back_until_they_close():
    deployed = Deployed(limits=Limits(max_runs=2))
    records = [record(f"m{seq}", increment(seq)) for seq in (0, 2, 4)]
    assert handle(deployed, *records) == failures("m4")
    assert deployed.returned == [("m4", "full")]
    assert handle(deployed, record("m1", increment(1)), record("m3", increment(3))) == failures()
    assert handle(deployed, records[2]) == failures()
    assert deployed.count() == 5


def test_a_call_by_hand_has_no_context_and_some_time(deployed):
    deployed.channel.faults = [Fault("GetWithHash", times=10**6, latency_s=99)]
    assert handle(deployed, record("m1", increment())) == failures("m1")
    used_s = deployed.clock() - START_S
    allowed_s = NO_CONTEXT_MS / 1_000 - RESERVE_S - RESERVE_PER_MESSAGE_S
    assert allowed_s - LAST_ROUND_S <= used_s <= allowed_s


def test_the_time_kept_for_the_answer_grows_with_the_batch(deployed):
    deployed.channel.faults = [Fault("GetWithHash", times=10**6, latency_s=99)]
    records = [record(f"m{number}", increment(number)) for number in range(10_000)]
    context = Context(deployed.clock, 10.0)
    ids = [one["messageId"] for one in records]
    assert handle(deployed, *records, context=context) == failures(*ids)
    assert deployed.clock() - START_S <= 10.0 - RESERVE_S - 10_000 * RESERVE_PER_MESSAGE_S


@pytest.mark.parametrize(
    ("time_s", "usable_s"), [(60.0, 59.0), (3.0, 2.0), (1.5, 0.75), (0.2, 0.1)]
)
def test_an_answer_is_given_in_time_with_the_rest_returned(deployed, time_s, usable_s):
    deployed.channel.faults = [Fault("SetIf", key="b", times=10**6, latency_s=99)]
    deployed.channel.faults += [Fault("GetWithHash", key="b", times=10**6, stale=True)]
    context = Context(deployed.clock, time_s)
    records = [record("m1", increment(0, "a")), record("m2", increment(0, "b"))]
    assert handle(deployed, *records, context=context) == failures("m2")
    used_s = deployed.clock() - START_S
    assert max(0.0, usable_s - LAST_ROUND_S) <= used_s <= usable_s + 1e-9
    assert deployed.count("a") == 1


@pytest.mark.parametrize("time_s", [0.009, 0.0, -1.0])
def test_with_no_time_left_all_is_returned_at_once(deployed, time_s):
    context = Context(deployed.clock, time_s)
    assert handle(deployed, record("m1", increment()), context=context) == failures("m1")
    assert deployed.returned == [("m1", "out_of_time")]
    assert deployed.channel.calls == []
    assert deployed.clock() == START_S


def test_a_broken_set_up_fails_the_function_and_deletes_nothing(deployed):
    deployed.channel.faults = [Fault("GetWithHash", STATUS.UNAUTHENTICATED, times=9)]
    with pytest.raises(BrokenSetupError, match=r"^UNAUTHENTICATED: told by a test$"):
        handle(deployed, record("m1", increment()), record("m2", "{"))


def test_what_is_no_sqs_event_fails_the_function(deployed):
    with pytest.raises(KeyError, match="Records"):
        deployed.handle({})
