"""Messages: who an event is to its producer, and how often SQS has tried."""

import json
from hashlib import blake2b

import pytest

from consumer import messages
from tally.counters.event import INT64_MAX
from tally.settling.reason import Reason, Unsettled
from tests.support.lambda_event import SENT_AT_MS, SOURCE, increment, name, record

NAMED = {"counter": "c", "id": "order-1", "at": SENT_AT_MS}


def read(*records):
    return messages.read(records, INT64_MAX)


NAMED_EVENT = f"{blake2b(b'order-1', digest_size=8).hexdigest()}:0:{SENT_AT_MS}"


@pytest.mark.parametrize(
    ("body", "identity", "given"),
    [
        (increment(17), name(17), ""),
        (NAMED, NAMED_EVENT, "order-1"),
        ([increment(16), NAMED, increment(17)], name(17), ""),
        ([increment(16), increment(17), NAMED], NAMED_EVENT, "order-1"),
        ({"counter": "c"}, f"{blake2b(b'm1', digest_size=8).hexdigest()}:0:{SENT_AT_MS}", ""),
    ],
    ids=["native", "named", "packed native", "packed named", "anonymous"],
)
def test_an_event_has_its_one_name_and_the_id_that_its_producer_gave_it(body, identity, given):
    [message] = read(record("m1", body))
    message.fail(Unsettled(Reason.LOST_RACE), message.events[-1])
    assert (message.identity, message.id) == (identity, given)


@pytest.mark.parametrize("other", [7, {"amount": "x"}, {"counter": "c", "specversion": "1.0"}])
def test_the_id_is_read_of_the_increment_that_failed_and_no_other(other):
    [message] = read(record("m1", [increment(), NAMED | {"id": "ördér"}]))
    message.record["body"] = f" {json.dumps([other, NAMED | {'id': 'ördér'}])}"
    message.fail(Unsettled(Reason.LOST_RACE), message.events[1])
    assert message.id == "ördér"


def test_the_id_of_a_cloudevent_is_its_source_and_its_id():
    sold = {"specversion": "1.0", "type": "t", "time": "2026-09-21T14:13:20Z", "subject": "c"}
    batch = [sold | {"source": "/web/shop", "id": number} for number in ("A-1", "A-2")]
    for body, event in ((batch[1], 0), (batch, 1)):
        [message] = read(record("m1", body))
        message.fail(Unsettled(Reason.LOST_RACE), message.events[event])
        assert message.id == "/web/shop A-2"


def test_an_id_as_long_as_a_message_is_cut_for_the_log():
    [message] = read(record("m1", NAMED | {"id": "i" * 100_000}))
    message.fail(Unsettled(Reason.LOST_RACE), message.events[0])
    assert message.id == "i" * messages.MAX_ID_CHARS


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        (NAMED | {"at": 9 * 10**12}, "order-1"),
        (NAMED | {"at": 9 * 10**12, "id": "i" * 100_000}, "i" * messages.MAX_ID_CHARS),
        ([increment(16), increment(17) | {"at": 9 * 10**12}], name(17, at=9 * 10**12)),
        ({"counter": "c", "source": SOURCE}, SOURCE),
        ({"counter": "c", "amount": 1.5, "id": "order-1", "at": 1}, ""),
    ],
    ids=["named", "as long as a message", "packed native", "half", "not readable"],
)
def test_an_invalid_message_tells_the_identity_that_it_claims(body, identity):
    [message] = read(record("m1", body))
    assert (message.unsettled.reason, message.identity, message.id) == (
        Reason.INVALID,
        identity,
        "",
    )


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"body": None}, "body: is no text, found None"),
        ({"attributes": {}}, "attributes.SentTimestamp: is missing"),
        (
            {"attributes": {"SentTimestamp": "soon", "ApproximateReceiveCount": "x"}},
            "attributes.SentTimestamp: is no time in ms, found 'soon'",
        ),
        (
            {"attributes": {"SentTimestamp": "²"}},
            "attributes.SentTimestamp: is no time in ms, found '²'",
        ),
        (
            {"attributes": {"SentTimestamp": "1" * (messages.MAX_SENT_AT_DIGITS + 1)}},
            "attributes.SentTimestamp: is no time in ms, found '1111111111111111111'",
        ),
    ],
    ids=["no body", "no time", "no numbers", "a digit and no number", "too many digits"],
)
def test_a_record_that_sqs_never_makes_is_invalid_and_stops_no_other(changes, detail):
    bad, good = read(record("m1", increment()) | changes, record("m2", increment()))
    assert (bad.unsettled.reason, bad.unsettled.detail) == (Reason.INVALID, detail)
    assert bad.receive_count == (0 if "attributes" in changes else 1)
    assert good.unsettled is None


def test_what_has_not_failed_or_is_invalid_has_no_name_to_tell():
    good, bad = read(record("m1", increment()), record("m2", "{"))
    assert [(one.identity, one.id) for one in (good, bad)] == [("", "")] * 2


def test_an_invalid_message_names_its_counter_and_what_is_wrong():
    packed = [increment(), increment(1, "b", amount=True)]
    [message] = read(record("m1", packed))
    assert message.unsettled.reason is Reason.INVALID
    assert message.counter == "b"
    assert message.unsettled.detail.startswith("[1].amount: ")


def test_the_first_reason_is_the_one_that_is_kept():
    [message] = read(record("m1", [increment(0, "a"), increment(0, "b")]))
    message.fail(Unsettled(Reason.LOST_RACE), message.events[0])
    message.fail(Unsettled(Reason.REFUSED, "no"), message.events[1])
    assert message.unsettled == Unsettled(Reason.LOST_RACE)
    assert (message.event, message.counter) == (message.events[0], "a")


@pytest.mark.parametrize(
    ("said", "count"), [("4", 4), ("9" * 18, 10**18 - 1), ("9" * 5_000, 0), ("\u0664", 0), ("", 0)]
)
def test_the_receive_count_is_what_sqs_says(said, count):
    attributes = {"ApproximateReceiveCount": said} if said else {}
    [message] = read(record("m1", "{") | {"attributes": attributes})
    assert message.receive_count == count


def test_a_record_with_no_queue_to_its_name_has_no_group():
    bare = {"messageId": "m1", "body": "{}"}
    [message] = read(bare)
    assert message.group is None
    assert message.unsettled.detail == "attributes.SentTimestamp: is missing"
