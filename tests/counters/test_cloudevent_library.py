"""What the CloudEvents library of Python writes is read as it was meant."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tally.counters.body import parse
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Envelope, Event
from tally.counters.identity import derived_source

SENT_AT = 1_790_000_000_000
ENVELOPE = Envelope("m-1", SENT_AT)
TIME = datetime(2026, 9, 21, 14, 13, 20, 123_456, tzinfo=UTC)
ATTRIBUTES = {
    "id": "A-17",
    "source": "/web/shop",
    "type": "com.example.seat.sold",
    "time": TIME,
    "subject": "seats",
}
SOURCE = derived_source("/web/shop A-17")
AT = SENT_AT + 123


def written(data=None, **attributes):
    """The structured form of an event, as the library writes it."""
    return JSONFormat().write(CloudEvent(ATTRIBUTES | attributes, data)).decode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, Event("seats", SOURCE, 0, AT)),
        ({"amount": 2, "max": 500}, Event("seats", SOURCE, 0, AT, 2, high=500)),
        ({"counter": "stock", "amount": -1, "min": 0}, Event("stock", SOURCE, 0, AT, -1, low=0)),
        ({"reset": 0}, Event("seats", SOURCE, 0, AT, reset=0)),
    ],
)
def test_an_event_of_the_library_is_read_as_it_was_meant(data, expected):
    assert parse(written(data), ENVELOPE) == [expected]


def test_what_a_program_would_send_over_http_is_read_too():
    body = to_structured_event(CloudEvent(ATTRIBUTES.copy(), {"amount": 2})).body
    assert parse(body.decode(), ENVELOPE) == [Event("seats", SOURCE, 0, AT, 2)]


def test_extensions_content_type_and_zones_of_the_library_are_taken():
    body = written(
        {"amount": 2},
        time=TIME.astimezone(timezone(timedelta(hours=-9, minutes=-30))),
        datacontenttype="application/json; charset=utf-8",
        dataschema="http://127.0.0.1/schema",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert parse(body, ENVELOPE) == [Event("seats", SOURCE, 0, AT, 2)]


def test_a_batch_of_events_of_the_library_is_read():
    events = [written({"amount": number}, id=str(number)) for number in range(3)]
    assert parse(f"[{','.join(events)}]", ENVELOPE) == [
        Event("seats", derived_source(f"/web/shop {number}"), 0, AT, number) for number in range(3)
    ]


def test_the_id_and_the_time_that_the_library_fills_in_make_an_event():
    now_ms = int(datetime.now(UTC).timestamp() * 1_000)
    event = CloudEvent({"source": "/", "type": "t", "subject": "c"})
    [parsed] = parse(JSONFormat().write(event).decode(), Envelope("m-1", now_ms))
    assert parsed.source == derived_source(f"/ {event.get_id()}")
    assert abs(parsed.at - now_ms) < 60_000


@pytest.mark.parametrize(
    ("data", "attributes", "field"),
    [
        (b"\x00", {}, "data_base64"),
        ("two", {"datacontenttype": "text/plain"}, "datacontenttype"),
        ("two", {}, "data"),
        ({"amount": 1.5}, {}, "data.amount"),
        ({"colour": "red"}, {}, "data.colour"),
    ],
)
def test_what_the_library_may_write_and_is_no_increment_is_refused(data, attributes, field):
    with pytest.raises(InvalidIncrementError) as caught:
        parse(written(data, **attributes), ENVELOPE)
    assert caught.value.field == field
