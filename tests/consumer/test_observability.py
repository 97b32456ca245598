"""What people and alarms see of an invocation: one record of metrics, lines with stable keys."""

import json
from hashlib import blake2b

import grpc
import pytest

from consumer.observability import metric_name
from tally.counters.counter import fold
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.settling.reason import Reason
from tally.stores.errors import BrokenSetupError
from tests.support.consumers import Deployed
from tests.support.lambda_event import (
    SENT_AT_MS,
    SOURCE,
    Context,
    event,
    failures,
    increment,
    name,
    record,
)
from tests.support.momento_channel import Fault

STATUS = grpc.StatusCode
MANY = 10**6
# docs/settings.md, "Metrics", in its order.
METRICS = {
    "EventsApplied": "Count",
    "EventsRejected": "Count",
    "EventsDuplicate": "Count",
    "EventsUndecidable": "Count",
    "MessagesInvalid": "Count",
    "MessagesReturned": "Count",
    "OldestReturnedSeconds": "Seconds",
    "CountersWritten": "Count",
    "CountersCreated": "Count",
    "CountersVanished": "Count",
    "CountersRolledBack": "Count",
    "SwapsStored": "Count",
    "SwapsLost": "Count",
    "StoreThrottled": "Count",
    "StoreOperations": "Count",
    "ValueBytes": "Bytes",
}


@pytest.fixture
def deployed():
    return Deployed()


def handle(deployed, *records, context=None):
    return deployed.handle(event(*records), context)


def emf(capsys):
    """The one record that an invocation prints."""
    [line] = capsys.readouterr().out.splitlines()
    return json.loads(line)


def metrics(capsys):
    """The metrics that are not 0, by their names."""
    told = emf(capsys)
    return {name: told[name][0] for name in METRICS if told[name] != [0.0]}


def test_an_invocation_writes_one_record_with_exactly_these_metrics(deployed, capsys):
    handle(deployed, context=Context(deployed.clock, 60))
    told = emf(capsys)
    [directive] = told["_aws"].pop("CloudWatchMetrics")
    assert directive == {
        "Namespace": "Tally",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in METRICS.items()],
    }
    assert told.pop("_aws").keys() == {"Timestamp"}
    assert told == {
        "service": deployed.service,
        "function_request_id": "request-1",
        **{name: [0.0] for name in METRICS},
    }


def test_a_broken_set_up_writes_its_record_too(deployed, capsys):
    deployed.channel.faults = [Fault("GetWithHash", STATUS.PERMISSION_DENIED)]
    with pytest.raises(BrokenSetupError):
        handle(deployed, record("m1", increment()))
    assert metrics(capsys) == {"StoreOperations": 1}
    assert deployed.log == []


def test_what_is_no_sqs_event_writes_its_record_too(deployed, capsys):
    with pytest.raises(KeyError):
        deployed.handle({})
    assert metrics(capsys) == {}


def test_every_decision_is_counted_once(deployed, capsys):
    stored = b"5\n\x95\x01\xc4\x00\x91\xce\x00\x00\x00\x01\x90\x80"
    deployed.channel.store.put("old", stored)
    records = [
        record("m1", [increment(0), increment(1, max=0), increment(0)]),
        record("m2", increment(0, "old", at=1_000)),
        record("m3", "{"),
        record("m4", increment(0)),
    ]
    handle(deployed, *records)
    value = deployed.channel.store.get("page:home")
    assert metrics(capsys) == {
        "EventsApplied": 1,
        "EventsRejected": 1,
        "EventsDuplicate": 2,
        "EventsUndecidable": 1,
        "MessagesInvalid": 1,
        "MessagesReturned": 2,
        "CountersWritten": 1,
        "CountersCreated": 1,
        "SwapsStored": 1,
        "StoreOperations": 4,
        "ValueBytes": len(value),
    }


def test_the_oldest_message_returned_is_told_by_its_age_and_invalid_ones_are_left_out(
    deployed, capsys
):
    deployed.wall_s += 700
    deployed.channel.store.put("alien", b"not ours")
    handle(
        deployed,
        record("m1", increment(0, "alien")),
        record("m2", increment(1, "alien"), sent_at=SENT_AT_MS + 100_000),
        record("m3", "{", sent_at=SENT_AT_MS - 100_000),
        record("m4", increment(0), sent_at=SENT_AT_MS - 100_000),
    )
    told = metrics(capsys)
    assert (told["MessagesReturned"], told["OldestReturnedSeconds"]) == (3, 700)


def test_a_clock_behind_that_of_sqs_makes_no_negative_age(deployed, capsys):
    deployed.wall_s -= 5
    deployed.channel.store.put("alien", b"not ours")
    handle(deployed, record("m1", increment(0, "alien")))
    told = metrics(capsys)
    assert (told["MessagesReturned"], "OldestReturnedSeconds" in told) == (1, False)


def test_a_repeat_is_a_duplicate_whether_it_was_applied_or_rejected(deployed, capsys):
    body = [increment(0), increment(1, max=0)]
    handle(deployed, record("m1", body))
    capsys.readouterr()
    handle(deployed, record("m1", body))
    assert metrics(capsys) == {"EventsDuplicate": 2, "StoreOperations": 1}


def test_a_repeat_is_a_duplicate_even_if_nobody_knows_how_it_was_decided(capsys):
    deployed = Deployed(limits=Limits(max_rejected=2))
    rejected = [increment(seq, max=0) for seq in (0, 2, 4, 6)]
    handle(deployed, record("m1", rejected))
    capsys.readouterr()
    value = deployed.channel.store.get("page:home")
    oldest = Event("page:home", int(SOURCE, 16), 0, SENT_AT_MS - 1_000)
    assert fold(value, [oldest], Limits()).decisions == [Decision.DECIDED_BEFORE]
    handle(deployed, record("m1", rejected))
    assert metrics(capsys) == {"EventsDuplicate": 4, "StoreOperations": 1}


def test_lost_races_and_throttles_are_counted(deployed, capsys):
    channel = deployed.channel
    channel.faults = [
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED),
        Fault("SetIf", before=lambda: channel.store.put("page:home", b"1")),
    ]
    handle(deployed, record("m1", increment()))
    assert metrics(capsys) == {
        "EventsApplied": 1,
        "CountersWritten": 1,
        "SwapsStored": 1,
        "SwapsLost": 1,
        "StoreThrottled": 1,
        "StoreOperations": 1 + 3 + 3,
        "ValueBytes": len(channel.store.get("page:home")),
    }


def test_each_invocation_counts_for_itself(deployed, capsys):
    handle(deployed, record("m1", increment(0)), record("m2", "{"))
    capsys.readouterr()
    handle(deployed, context=Context(deployed.clock, 60))
    assert metrics(capsys) == {}


def named(capsys):
    """What the record of the one invocation names, beside its metrics."""
    told = emf(capsys)
    keys = ("busiest_counter", "busiest_events", "throttled_counter", "throttled_times")
    return {key: told[key] for key in keys if key in told}


def test_the_record_names_the_counter_with_the_most_events(deployed, capsys):
    handle(
        deployed,
        record("m1", [increment(0), increment(0, "hot"), increment(1, "hot")]),
        record("m2", [increment(2, "hot"), increment(0, "bad", amount="x")]),
        record("m3", increment(0, "cool")),
    )
    assert named(capsys) == {"busiest_counter": "hot", "busiest_events": 2}
    handle(deployed, record("m4", "{"))
    assert named(capsys) == {}


def test_the_record_of_a_broken_set_up_names_the_busiest_counter_too(deployed, capsys):
    deployed.channel.faults = [Fault("GetWithHash", STATUS.PERMISSION_DENIED)]
    with pytest.raises(BrokenSetupError):
        handle(deployed, record("m1", increment()))
    assert named(capsys) == {"busiest_counter": "page:home", "busiest_events": 1}


def test_the_record_names_the_counter_that_was_throttled_most_settled_or_not(deployed, capsys):
    deployed.channel.faults = [
        Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, key=key, times=times)
        for key, times in (("page:home", 1), ("hot", 3))
    ]
    handle(deployed, record("m1", [increment(0), increment(0, "hot")]))
    told = named(capsys)
    assert (told["throttled_counter"], told["throttled_times"]) == ("hot", 3)
    assert deployed.log == []  # it was settled


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_named_after_its_field(metric):
    field = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in metric)
    assert metric_name(field[1:]) == metric


def test_a_line_about_a_message_has_stable_keys(deployed):
    deployed.channel.faults = [Fault("GetWithHash", STATUS.INVALID_ARGUMENT, details="no")]
    context = Context(deployed.clock, 60)
    handle(deployed, record("m1", increment(17), receive_count=4), context=context)
    [line] = deployed.log
    assert line.keys() >= {"timestamp", "location"}
    assert {key: line[key] for key in line if key not in {"timestamp", "location"}} == {
        "level": "ERROR",
        "message": "message returned to SQS: the store refuses this counter",
        "service": deployed.service,
        "function_request_id": "request-1",
        "action": "message_returned",
        "reason": "refused",
        "detail": "INVALID_ARGUMENT: no",
        "counter": "page:home",
        "identity": name(17),
        "message_id": "m1",
        "receive_count": 4,
        "events": 1,
    }


def about(line):
    return [line[key] for key in ("message_id", "level", "reason", "counter", "identity")]


class Watched(dict[str, object]):
    """A record that counts how often its body is looked up."""

    looked_up = 0

    def __getitem__(self, name):
        self.looked_up += name == "body"
        return super().__getitem__(name)


def test_the_body_of_a_returned_message_is_looked_into_once(deployed):
    deployed.channel.store.put("bad", b"words")
    watched = Watched(record("m1", {"counter": "bad", "id": "order-1", "at": SENT_AT_MS}))
    assert handle(deployed, watched) == failures("m1")
    assert [line["id"] for line in deployed.log] == ["order-1"]
    assert watched.looked_up == 1


def test_each_returned_message_is_told_once_with_whose_event_it_is(deployed):
    deployed.channel.store.put("bad", b"words")
    named = {"counter": "bad", "id": "order-1", "at": SENT_AT_MS - 2_000}
    handle(
        deployed,
        record("m1", increment(0)),
        record("m2", [increment(1), named, increment(2, "bad")]),
        record("m3", increment(3, "bad")),
        record("m4", [increment(4), increment(5, "worse", amount="x")]),
        record("m5", "no JSON"),
    )
    order = f"{blake2b(b'order-1', digest_size=8).hexdigest()}:0:{SENT_AT_MS - 2_000}"
    assert [line.get("id") for line in deployed.log] == ["order-1", None, None, None]
    assert [about(line) for line in deployed.log] == [
        ["m2", "ERROR", "unreadable", "bad", order],
        ["m3", "ERROR", "unreadable", "bad", name(3)],
        ["m4", "ERROR", "invalid", "worse", ""],
        ["m5", "ERROR", "invalid", "", ""],
    ]


def test_a_message_held_back_by_its_group_is_told_with_its_own_event(deployed):
    handle(deployed, record("m1", "{", group="g"), record("m2", increment(7), group="g"))
    assert [about(line) for line in deployed.log] == [
        ["m1", "ERROR", "invalid", "", ""],
        ["m2", "INFO", "group", "page:home", name(7)],
    ]
    assert deployed.log[1]["detail"] == "group g"


@pytest.mark.parametrize(
    ("fault", "level", "reason"),
    [
        (Fault("GetWithHash", STATUS.RESOURCE_EXHAUSTED, times=MANY), "WARNING", "throttled"),
        (Fault("GetWithHash", STATUS.UNAVAILABLE, times=MANY), "WARNING", "unknown_outcome"),
        (Fault("SetIfHash", STATUS.OUT_OF_RANGE), "ERROR", "refused"),
        (Fault("GetWithHash", stale=True, times=MANY), "INFO", "lost_race"),
    ],
    ids=["throttled", "unknown", "refused", "lost race"],
)
def test_a_reason_is_as_loud_as_what_has_to_be_done_about_it(deployed, fault, level, reason):
    for value in (b"1", b"2"):
        deployed.channel.store.put("page:home", value)
    deployed.channel.faults = [fault]
    handle(deployed, record("m1", increment()), context=Context(deployed.clock, 5))
    [line] = [line for line in deployed.log if line["action"] == "message_returned"]
    assert about(line) == ["m1", level, reason, "page:home", name()]


def test_every_reason_has_a_level_a_key_and_a_text():
    assert {reason.value: reason.level for reason in Reason} == {
        "invalid": 40,
        "undecidable": 40,
        "full": 30,
        "lost_race": 20,
        "unknown_outcome": 30,
        "out_of_time": 20,
        "throttled": 30,
        "refused": 40,
        "unreadable": 40,
        "group": 20,
    }
    assert len({reason.text for reason in Reason}) == len(Reason)


def test_a_race_that_is_lost_and_then_won_is_one_line_of_information(deployed):
    def write_elsewhere():
        deployed.channel.store.put("page:home", b"7")

    deployed.channel.faults = [Fault("SetIf", before=write_elsewhere)]
    handle(deployed, record("m1", increment()))
    [line] = deployed.log
    told = {key: line[key] for key in ("level", "message", "action", "counter", "times")}
    assert told == {
        "level": "INFO",
        "message": "another writer was first; decided again",
        "action": "swap_lost",
        "counter": "page:home",
        "times": 1,
    }


def test_a_counter_that_has_vanished_is_one_warning_and_one_of_a_metric(deployed, capsys):
    for seq in range(2):
        handle(deployed, record("m1", increment(seq)))
    deployed.channel.store.drop("page:home")
    capsys.readouterr()
    assert handle(deployed, record("m1", increment(2))) == {"batchItemFailures": []}
    told = [[line[key] for key in ("level", "action", "counter")] for line in deployed.log]
    assert told == [
        ["INFO", "swap_lost", "page:home"],
        ["WARNING", "counter_vanished", "page:home"],
    ]
    assert metrics(capsys) == {
        "EventsApplied": 1,
        "CountersWritten": 1,
        "CountersCreated": 1,
        "CountersVanished": 1,
        "SwapsStored": 1,
        "SwapsLost": 1,
        "StoreOperations": 2 + 1 + 2,
        "ValueBytes": len(deployed.channel.store.get("page:home")),
    }


def test_a_counter_that_was_rolled_back_is_one_warning_and_one_of_a_metric(deployed, capsys):
    handle(deployed, record("m1", increment(0)))
    older = deployed.channel.store.get("page:home")
    handle(deployed, record("m1", increment(1)))
    deployed.channel.store.put("page:home", older)
    capsys.readouterr()
    assert handle(deployed, record("m1", increment(2))) == {"batchItemFailures": []}
    told = [[line[key] for key in ("level", "action", "counter")] for line in deployed.log]
    assert told == [
        ["INFO", "swap_lost", "page:home"],
        ["WARNING", "counter_rolled_back", "page:home"],
    ]
    assert metrics(capsys) == {
        "EventsApplied": 1,
        "CountersWritten": 1,
        "CountersRolledBack": 1,
        "SwapsStored": 1,
        "SwapsLost": 1,
        "StoreOperations": 2 + 1 + 2,
        "ValueBytes": len(deployed.channel.store.get("page:home")),
    }


def test_a_batch_that_settles_says_nothing(deployed):
    handle(deployed, record("m1", increment()), record("m2", increment(1)))
    assert deployed.log == []


def test_no_line_has_a_stack_trace(deployed):
    deployed.channel.store.put("bad", b"words")
    deployed.channel.faults = [Fault("SetIf", STATUS.RESOURCE_EXHAUSTED, times=MANY)]
    handle(
        deployed, record("m1", "{"), record("m2", increment(0, "bad")), record("m3", increment())
    )
    assert [line["reason"] for line in deployed.log] == ["invalid", "unreadable", "throttled"]
    assert all(line.keys().isdisjoint({"exception", "stack_trace"}) for line in deployed.log)
