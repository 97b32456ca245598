"""CloudEvents as increments: which event is meant, or which attribute says no increment and why."""

import json

import pytest

from tally.counters.body import increments, parse
from tally.counters.errors import MAX_SHOWN_CHARS, InvalidIncrementError
from tally.counters.event import INT64_MAX, INT64_MIN, Envelope, Event, Increment
from tally.counters.identity import derived_source

SENT_AT = 1_790_000_000_000
ENVELOPE = Envelope("m-1", SENT_AT)
SOLD = {
    "specversion": "1.0",
    "id": "A-17",
    "source": "/web/shop",
    "type": "com.example.seat.sold",
    "time": "2026-09-21T14:13:20Z",
    "subject": "seats",
}
AT = SENT_AT
SOURCE = derived_source("/web/shop A-17")
NUMBERS = ["amount", "max", "min", "reset"]


def read(event):
    """The one increment of a body."""
    [increment] = increments(json.dumps(event))
    return increment


def complaint(event):
    """What parse() says of a body that breaks the contract: field, reason, value."""
    with pytest.raises(InvalidIncrementError) as caught:
        parse(json.dumps(event), ENVELOPE)
    return caught.value.field, caught.value.reason, caught.value.value


def without(*names):
    return {name: value for name, value in SOLD.items() if name not in names}


def test_an_event_without_data_adds_one_to_its_subject():
    assert read(SOLD) == Increment("seats", id="/web/shop A-17", at=AT)
    assert parse(json.dumps(SOLD), ENVELOPE) == [Event("seats", SOURCE, 0, AT)]


def test_the_data_says_what_an_increment_says():
    data = {"counter": "stock", "amount": -2, "max": 9, "min": 0}
    assert parse(json.dumps(SOLD | {"data": data}), ENVELOPE) == [
        Event("stock", SOURCE, 0, AT, -2, 0, 9)
    ]
    assert parse(json.dumps(SOLD | {"data": {"reset": 5}}), ENVELOPE) == [
        Event("seats", SOURCE, 0, AT, reset=5)
    ]


def test_the_default_max_binds_an_event_that_brings_none():
    assert [each.high for each in parse(json.dumps(SOLD), ENVELOPE, default_max=7)] == [7]


def test_a_batch_holds_the_increments_of_its_events():
    other = SOLD | {"id": "A-18", "data": {"amount": 3}}
    assert parse(json.dumps([SOLD, other]), ENVELOPE) == [
        Event("seats", SOURCE, 0, AT),
        Event("seats", derived_source("/web/shop A-18"), 0, AT, 3),
    ]


def test_source_and_id_together_are_the_identity():
    alike = [("/a", "b c"), ("/a", "b"), ("/ab", "c"), ("/a/b", "c")]
    ids = [read(SOLD | {"source": source, "id": number}).id for source, number in alike]
    assert ids == ["/a b c", "/a b", "/ab c", "/a/b c"]


def test_it_is_the_same_event_as_the_named_increment_with_that_id():
    named = {"counter": "seats", "id": "/web/shop A-17", "at": AT}
    assert parse(json.dumps(SOLD), ENVELOPE) == parse(json.dumps(named), ENVELOPE)


@pytest.mark.parametrize(
    "more",
    [
        {"traceparent": "00-1-2-01", "partitionkey": 7, "x": None, "y": {"a": [1]}},
        {"dataschema": "http://127.0.0.1/schema"},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "text/JSON; charset=utf-8"},
        {"datacontenttype": "application/vnd.shop.v1+json"},
        {"datacontenttype": None, "data": None, "data_base64": None},
        {"counter": "not an attribute that we know", "amount": 1.5},
        {"data": {}},
    ],
)
def test_what_says_nothing_of_the_increment_is_ignored(more):
    assert read(SOLD | more) == read(SOLD)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "subject"])
@pytest.mark.parametrize(
    ("value", "reason", "shown"),
    [
        (None, "is missing", ""),
        ("", "must be text, and not empty", "''"),
        (5, "must be text, and not empty", "5"),
        (["x"], "must be text, and not empty", "['x']"),
    ],
)
def test_an_attribute_that_an_increment_needs_is_text(name, value, reason, shown):
    assert complaint(SOLD | {name: value}) == (name, reason, shown)
    assert complaint([SOLD, SOLD | {name: value}]) == (f"[1].{name}", reason, shown)


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject"])
def test_an_attribute_that_is_not_there_is_missing(name):
    assert complaint(without(name)) == (name, "is missing", "")
    assert complaint([SOLD, {}]) == ("[1].specversion", "is missing", "")
    assert complaint([SOLD, 7]) == ("[1].specversion", "is missing", "")


@pytest.mark.parametrize(
    ("more", "field", "reason", "shown"),
    [
        ({"specversion": "0.3"}, "specversion", "must be 1.0", "'0.3'"),
        ({"specversion": "1.0.2"}, "specversion", "must be 1.0", "'1.0.2'"),
        ({"source": "/web shop"}, "source", "must be a URI-reference", "'/web shop'"),
        ({"source": "/web\tshop"}, "source", "must be a URI-reference", r"'/web\tshop'"),
        ({"source": "/web\u2003shop"}, "source", "must be a URI-reference", r"'/web\u2003shop'"),
        ({"data": 5}, "data", "must be an object", "5"),
        ({"data": [{"amount": 1}]}, "data", "must be an object", "[{'amount': 1}]"),
        ({"data": ""}, "data", "must be an object", "''"),
        ({"data": {"zz": 1}}, "data.zz", "is no field of an increment", "1"),
        ({"data": {"id": "x"}}, "data.id", "is no field of an increment", "'x'"),
        ({"data": {"at": 5}}, "data.at", "is no field of an increment", "5"),
        ({"data": {"counter": 5}}, "data.counter", "must be text", "5"),
        ({"data": {"counter": None}}, "data.counter", "must be text", "None"),
        ({"data": {"counter": ""}}, "data.counter", "must not be empty", "''"),
        ({"data": {"reset": 0, "max": 5}}, "data.max", "excludes reset", "5"),
        ({"data_base64": "e30="}, "data_base64", "cannot be read: data must be JSON", ""),
        ({"data_base64": ""}, "data_base64", "cannot be read: data must be JSON", ""),
        ({"datacontenttype": 5}, "datacontenttype", "must be a type of JSON", "5"),
    ],
)
def test_what_is_wrong_is_told_of_the_attribute_that_it_stands_in(more, field, reason, shown):
    assert complaint(SOLD | more) == (field, reason, shown)
    assert complaint([SOLD, SOLD | more]) == (f"[1].{field}", reason, shown)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.0, "must be an integer"),
        (True, "must be an integer"),
        (None, "must be an integer"),
        ("1", "must be an integer"),
        (INT64_MAX + 1, f"must be at most {INT64_MAX}"),
        (INT64_MIN - 1, f"must be at least {INT64_MIN}"),
    ],
)
def test_a_number_in_the_data_must_be_a_64_bit_integer(name, value, reason):
    assert complaint(SOLD | {"data": {name: value}}) == (f"data.{name}", reason, repr(value))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "json",
        "application/xml",
        "text/plain; x=json",
        "application/jsonx",
        "a/b/json",
        " a/json",
    ],
)
def test_data_of_another_type_than_json_is_refused(content):
    expected = ("datacontenttype", "must be a type of JSON", repr(content))
    assert complaint(SOLD | {"datacontenttype": content}) == expected


@pytest.mark.parametrize("name", ["é" * 257, "a" * 513])
def test_a_name_too_long_is_told_of_where_it_stands(name):
    assert complaint(SOLD | {"subject": name})[0] == "subject"
    assert complaint(SOLD | {"data": {"counter": name}})[0] == "data.counter"


def test_a_time_past_the_sent_timestamp_is_told_as_the_time():
    late = SOLD | {"time": "2026-09-21T14:18:20.001Z"}
    reason = f"is over 300000 ms later than the SentTimestamp {SENT_AT}"
    assert complaint(late) == ("time", reason, str(SENT_AT + 300_001))
    assert complaint([SOLD, late]) == ("[1].time", reason, str(SENT_AT + 300_001))


@pytest.mark.parametrize(
    ("event", "counter", "identity"),
    [
        (SOLD | {"time": "never"}, "seats", "/web/shop A-17"),
        (SOLD | {"time": "2027-01-01T00:00:00Z"}, "seats", "/web/shop A-17"),
        (SOLD | {"data": {"counter": "stock", "zz": 1}}, "stock", "/web/shop A-17"),
        (SOLD | {"data": {"counter": 5}}, "", "/web/shop A-17"),
        (SOLD | {"id": 5, "subject": 5}, "", "/web/shop"),
        ({"specversion": "1.0"}, "", ""),
    ],
)
def test_an_error_tells_of_which_counter_and_event_where_that_can_be_read(event, counter, identity):
    for body in (event, [event]):
        with pytest.raises(InvalidIncrementError) as caught:
            parse(json.dumps(body), ENVELOPE)
        assert (caught.value.counter, caught.value.identity) == (counter, identity)


def test_an_error_stays_short_whatever_the_event_holds():
    for name in ("id", "source", "time", "datacontenttype", "specversion"):
        field, _, shown = complaint(SOLD | {name: ["x" * 100_000] if name == "id" else " " * 10**5})
        assert field == name
        assert len(shown) <= MAX_SHOWN_CHARS
    field, _, _ = complaint(SOLD | {"data": {"x" * 100_000: 1}})
    assert len(field) <= MAX_SHOWN_CHARS


def test_what_has_no_specversion_first_is_read_as_an_increment_of_ours():
    ours = {"counter": "c"}
    assert complaint([ours, SOLD]) == ("[1].specversion", "is no field of an increment", "'1.0'")
    assert complaint(without("specversion")) == (
        "type",
        "is no field of an increment",
        repr(SOLD["type"]),
    )
    assert complaint([]) == ("body", "must not be empty", "[]")


def test_an_event_that_is_not_json_to_its_end_is_no_event():
    with pytest.raises(InvalidIncrementError):
        parse(json.dumps(SOLD)[:-1], ENVELOPE)
