"""Envelopes of AWS: the error says what to set, whatever is inside."""

import json

import pytest

from tally.counters.body import parse
from tally.counters.errors import MAX_SHOWN_CHARS, InvalidIncrementError
from tally.counters.event import Envelope

SENT = Envelope("m1", 1_790_000_000_123)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:likes"
OF_SNS = {"Type": "Notification", "MessageId": "22b8", "TopicArn": TOPIC, "Message": "{}"}
EVENT = {
    "version": "0",
    "id": "1779",
    "detail-type": "Liked",
    "source": "com.example.blog",
    "detail": {"counter": "page:home"},
}
RAW = "belongs to an envelope of SNS; set raw message delivery on the subscription"
DETAIL = "belongs to an event of EventBridge; give the rule's target the input path $.detail"


def complaint(body):
    with pytest.raises(InvalidIncrementError) as caught:
        parse(json.dumps(body), SENT)
    return caught.value.field, caught.value.reason, caught.value.value


def without(fields, name):
    return {key: value for key, value in fields.items() if key != name}


@pytest.mark.parametrize("inside", ["{}", '{"counter": "page:home"}', "no JSON", ""])
def test_an_envelope_of_sns_names_its_topic_and_what_to_set(inside):
    assert complaint({**OF_SNS, "Message": inside}) == ("TopicArn", RAW, f"'{TOPIC}'")


@pytest.mark.parametrize("detail", [{"counter": "page:home"}, {}, None])
def test_an_event_of_eventbridge_names_its_kind_and_what_to_set(detail):
    assert complaint({**EVENT, "detail": detail}) == ("detail-type", DETAIL, "'Liked'")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((without(OF_SNS, name), None) for name in ("Type", "TopicArn", "Message")),
        *((without(EVENT, name), None) for name in ("detail-type", "source", "detail")),
        ([OF_SNS], "[0].Type"),
        ({"counter": "c", "detail": 1}, "detail"),
    ],
)
def test_what_only_looks_like_one_is_told_of_its_first_unknown_field(body, field):
    told, reason, _ = complaint(body)
    assert (told, reason) == (field or next(iter(body)), "is no field of an increment")


def test_an_event_that_is_a_cloudevent_is_read_as_one():
    told = {"specversion": "1.0", "type": "like", "id": "1", "time": "2026-09-21T14:13:20Z"}
    events = parse(json.dumps({**EVENT, **told, "subject": "likes"}), SENT)
    assert [event.counter for event in events] == ["likes"]


def test_the_error_stays_short_whatever_the_envelope_says():
    _, _, value = complaint({**OF_SNS, "TopicArn": ["x" * 100_000]})
    assert len(value) <= MAX_SHOWN_CHARS
