"""One event's way through the log: its name, the trace of its message, and the decision on it."""

import pytest

from consumer.observability import MAX_DECISIONS_TOLD
from tests.support.consumers import Deployed
from tests.support.lambda_event import event, failures, increment, name, record
from tests.support.log import Log

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
HEADER = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
KEYS = ("decision", "counter", "identity", "message_id", "trace_id")


@pytest.fixture
def deployed():
    """A consumer that tells each decision."""
    return Deployed(log=Log("DEBUG"))


def traced(told):
    """The record of a message that was sent within a trace."""
    told["attributes"]["AWSTraceHeader"] = HEADER
    return told


def decided(deployed):
    lines = [line for line in deployed.log if line["action"] == "event_decided"]
    assert {line["level"] for line in lines} <= {"DEBUG"}
    return [tuple(line.get(key) for key in KEYS) for line in lines]


def test_at_debug_each_decision_is_told_with_the_events_name_and_its_messages_trace(deployed):
    deployed.handle(
        event(
            traced(record("m1", [increment(0, max=1), increment(1, max=1)])),
            record("m2", increment(0, max=1)),
        )
    )
    assert decided(deployed) == [
        ("applied", "page:home", name(0), "m1", ROOT),
        ("rejected", "page:home", name(1), "m1", ROOT),
        ("applied_before", "page:home", name(0), "m2", None),
    ]


def test_without_debug_no_line_is_told_of_what_is_settled():
    quiet = Deployed()
    quiet.handle(event(traced(record("m1", [increment(0), increment(1, max=0)]))))
    assert quiet.log == []


def test_a_message_that_comes_back_tells_the_trace_that_it_was_sent_in(deployed):
    deployed.channel.store.put("bad", b"words")
    message = traced(record("m1", [increment(0), increment(1, "bad")]))
    assert deployed.handle(event(message, record("m2", "{"))) == failures("m1", "m2")
    [applied, first, second] = deployed.log
    assert (applied["action"], applied["identity"]) == ("event_decided", name(0))
    assert [first[key] for key in ("identity", "reason", "trace_id")] == [
        name(1),
        "unreadable",
        ROOT,
    ]
    assert (second["reason"], "trace_id" in second) == ("invalid", False)


def test_what_is_reported_is_not_told_as_decided(deployed):
    old = b"5\n\x95\x01\xc4\x00\x91\xce\x7f\x00\x00\x00\x90\x80"
    deployed.channel.store.put("page:home", old)
    deployed.handle(event(record("m1", increment(0))))
    assert [line["action"] for line in deployed.log] == ["message_returned"]


def test_at_least_once_tells_its_decisions_too():
    deployed = Deployed(at_least_once=True, log=Log("DEBUG"))
    deployed.handle(event(traced(record("m1", [increment(0), increment(1, max=0)]))))
    assert [line[0] for line in decided(deployed)] == ["applied", "rejected"]


def test_an_invocation_tells_no_more_decisions_than_it_has_time_for(deployed):
    many = [increment(seq) for seq in range(MAX_DECISIONS_TOLD + 2)]
    messages = [record("m1", many[:501]), record("m2", many[501:])]
    for _ in range(2):
        deployed.handle(event(*messages))
    told = [line["action"] for line in deployed.log]
    assert told == ([*["event_decided"] * MAX_DECISIONS_TOLD, "decisions_untold"]) * 2
    assert [line["untold"] for line in deployed.log if "untold" in line] == [2, 2]
