"""Traces: what is read of a header, and which one a message carries."""

import pytest

from tally.publishing.packing import Message
from tally.publishing.sending import Sender
from tally.tracing import system_attributes, trace_header, trace_id, trace_of, well_formed
from tests.support.clock import Clock
from tests.support.sqs import QUEUE_URL, FakeSqs, client_error, lost_before

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
HEADER = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
W3C = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (HEADER, HEADER),
        (f"{HEADER};Lineage=1:a87bd80c:0", HEADER),
        (f"Sampled=0; Root={ROOT}", f"Root={ROOT};Sampled=0"),
        (f"Root={ROOT};Parent=x;Sampled=?", f"Root={ROOT}"),
        (f"Root={ROOT}\r\nX: y", ""),
        ("Root=1-5759e988;Sampled=1", ""),
        ("Parent=53995c3f42cd8ad8;Sampled=1", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_of_a_header_only_what_x_ray_documents_is_sent_on(said, kept):
    assert trace_header({"_X_AMZN_TRACE_ID": said}) == well_formed(said) == kept


def test_outside_of_lambda_there_is_no_trace():
    assert trace_header({}) == ""


@pytest.mark.parametrize(
    ("header", "trace"), [(HEADER, ROOT), ("Root=*", ""), ("", ""), (f"Self={ROOT}", "")]
)
def test_a_header_names_a_trace_or_none(header, trace):
    assert trace_id(header) == trace


def with_parent(text):
    return {"messageAttributes": {"traceparent": {"stringValue": text, "dataType": "String"}}}


@pytest.mark.parametrize(
    ("record", "trace"),
    [
        ({"attributes": {"AWSTraceHeader": HEADER}}, ROOT),
        (with_parent(f"00-{W3C}-00f067aa0ba902b7-01"), W3C),
        ({"attributes": {"AWSTraceHeader": HEADER}} | with_parent(f"00-{W3C}-{'0' * 16}-01"), ROOT),
        (with_parent(f"00-{W3C}"), ""),
        ({"messageAttributes": {"traceparent": {"binaryValue": "AA=="}}}, ""),
        ({"attributes": {}, "messageAttributes": {}}, ""),
        ({}, ""),
    ],
)
def test_a_message_tells_the_trace_of_x_ray_or_else_that_of_open_telemetry(record, trace):
    assert trace_of(record) == trace


def sender(sqs, *headers):
    """A sender whose requests belong to these traces, one after the other."""
    told = iter(headers)
    return Sender(QUEUE_URL, Clock().pacer, sqs, trace_header=lambda: next(told))


def message(part=b"{}"):
    made = Message("")
    made.add(part)
    return made


def carried(sqs):
    """The attributes of each message of each request."""
    return [
        [entry.get("MessageSystemAttributes") for entry in entries] for _, entries in sqs.requests
    ]


def test_all_messages_of_a_request_carry_the_trace_in_which_it_is_sent():
    sqs = FakeSqs()
    one = sender(sqs, HEADER, "")
    for _ in range(2):
        one.send([message(), message(b"[]")])
    assert carried(sqs) == [[system_attributes(HEADER)] * 2, [None] * 2]
    assert system_attributes(HEADER) == {
        "AWSTraceHeader": {"DataType": "String", "StringValue": HEADER}
    }


def test_a_repeat_carries_the_trace_of_its_first_attempt():
    sqs = FakeSqs(lost_before(client_error("ServiceUnavailable", 503)))
    sender(sqs, HEADER, "another").send([message()])
    assert carried(sqs) == [[system_attributes(HEADER)]] * 2


def test_a_trace_does_not_change_what_a_fifo_queue_knows_a_message_by():
    grouped = Message("a")
    grouped.add(b"{}")
    plain, traced = grouped.entry(0), grouped.entry(0, HEADER)
    assert traced == {**plain, "MessageSystemAttributes": system_attributes(HEADER)}
