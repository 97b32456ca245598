"""The published JSON Schema: equal to what the type makes, and of one mind with parse()."""

import json
import runpy
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tally.counters import schema
from tally.counters.body import parse
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import INT64_MAX, INT64_MIN, Envelope, Event, build, encode

PUBLISHED = Path(schema.__file__).with_name("increment.schema.json")
VALIDATOR = Draft202012Validator(schema.body_schema())
ENVELOPE = Envelope("m-1", INT64_MAX)  # sent so late that no `at` lies in the future
EDGES = [INT64_MIN - 1, INT64_MIN, -1, 0, 1, INT64_MAX, INT64_MAX + 1, 2**64]
# JSON Schema takes 1.0 for an integer, and counts a name's characters instead of its bytes.
JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, False, 1.5, "", "x", "1", [], {}, [1]]
)
NUMBERS = st.sampled_from(EDGES) | st.integers(-9, 9) | JUNK
FIELDS = {
    "counter": st.text(alphabet="ab:", max_size=5) | st.sampled_from(["a" * 512, "a" * 513]) | JUNK,
    "amount": NUMBERS,
    "max": NUMBERS,
    "min": NUMBERS,
    "reset": NUMBERS,
    "source": st.sampled_from(["00000000000000ff", "00000000000000FF", "ff", "0" * 17]) | JUNK,
    "seq": NUMBERS,
    "id": st.text(alphabet="ab", max_size=2) | JUNK,
    "at": NUMBERS,
    "zz": JUNK,
}
FORMS = st.sampled_from([("source", "seq", "at"), ("id", "at"), ()])
INT64S = st.integers(INT64_MIN, INT64_MAX)
NATURALS = st.integers(0, INT64_MAX)
VALID_FIELDS = {
    "counter": st.text(st.characters(codec="utf-8"), min_size=1, max_size=128),
    "amount": INT64S,
    "max": INT64S,
    "min": INT64S,
    "reset": INT64S,
    "source": st.integers(0, 2**64 - 1).map("{:016x}".format),
    "seq": NATURALS,
    "id": st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    "at": st.integers(1, INT64_MAX),
}


def of(fields, chosen):
    """Objects that have just these of the fields."""
    return st.fixed_dictionaries({name: fields[name] for name in chosen})


def some(fields, always):
    """Objects with the fields that must be there, and any of the others, drawn as they come."""
    rest = [name for name in fields if name not in always]
    chosen = st.lists(st.sampled_from(rest), unique=True, max_size=2)
    return chosen.flatmap(lambda names: of(fields, (*always, *names)))


CHANGES = st.lists(st.sampled_from(["amount", "max", "min"]), unique=True) | st.just(["reset"])
VALID = FORMS.flatmap(
    lambda form: CHANGES.flatmap(lambda names: of(VALID_FIELDS, ("counter", *form, *names)))
)
ALMOST = FORMS.flatmap(lambda form: some(FIELDS, ("counter", *form)))
ANYTHING = some(FIELDS, ())
BODIES = ALMOST | ANYTHING | JUNK | st.lists(ALMOST | VALID | JUNK, max_size=3)


def parses(body):
    try:
        parse(body, ENVELOPE)
    except InvalidIncrementError:
        return False
    return True


def test_the_published_schema_is_what_the_type_makes():
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == schema.body_schema()


def test_the_published_file_is_what_the_module_prints(capsys):
    runpy.run_path(schema.__file__, run_name="__main__")
    assert PUBLISHED.read_text(encoding="utf-8") == capsys.readouterr().out


def test_the_schema_is_a_schema_of_its_dialect():
    assert schema.body_schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema.body_schema())


@given(VALID)
def test_a_valid_increment_satisfies_the_schema_and_the_parser(fields):
    assert VALIDATOR.is_valid(fields)
    assert parses(json.dumps(fields))


@settings(max_examples=300)
@given(BODIES)
def test_the_schema_and_the_parser_agree_on_every_body(body):
    assert VALIDATOR.is_valid(body) is parses(json.dumps(body))


@pytest.mark.parametrize(
    ("fields", "sent_at"),
    [
        ({"counter": "c", "amount": 1.0}, INT64_MAX),
        ({"counter": "é" * 257}, INT64_MAX),
        ({"counter": "c", "id": "x", "at": 300_002}, 1),
    ],
)
def test_the_schema_cannot_see_integral_floats_bytes_and_the_clock(fields, sent_at):
    assert VALIDATOR.is_valid(fields)
    with pytest.raises(InvalidIncrementError):
        parse(json.dumps(fields), Envelope("m-1", sent_at))


def test_the_schema_describes_our_own_form_and_no_cloudevent():
    event = {"specversion": "1.0", "id": "1", "source": "/", "type": "t", "subject": "c"}
    event["time"] = "2026-09-21T14:13:20Z"
    assert parses(json.dumps(event))
    assert not VALIDATOR.is_valid(event)


@given(VALID)
def test_what_is_built_and_encoded_is_parsed_to_the_same_event(fields):
    [event] = parse(encode(build(fields)).decode(), ENVELOPE)
    [expected] = parse(json.dumps(fields), ENVELOPE)
    assert event == expected
    assert event.counter == fields["counter"]
    assert (event.amount, event.low, event.high, event.reset) == (
        fields.get("amount", 1),
        fields.get("min", INT64_MIN),
        fields.get("max", INT64_MAX),
        fields.get("reset"),
    )
    if "source" in fields:
        assert event.identity == f"{fields['source']}:{fields['seq']}:{fields['at']}"


@given(st.lists(VALID, min_size=1, max_size=4))
def test_a_packed_message_holds_the_events_of_its_increments(packed):
    body = b"[" + b",".join(encode(build(fields)) for fields in packed) + b"]"
    events = parse(body.decode(), ENVELOPE)
    alone = [parse(json.dumps(fields), ENVELOPE)[0] for fields in packed]
    assert [
        moved(event, 0) if "at" not in fields else event
        for event, fields in zip(events, packed, strict=True)
    ] == alone


def moved(event: Event, position: int) -> Event:
    """An anonymous event as if it stood at another position."""
    return msgspec.structs.replace(event, seq=position)


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_no_text_makes_the_parser_fail_otherwise(body):
    assert parses(body) in (True, False)


@given(st.text(alphabet='{}[]":,0123456789.eE+-\\u countersidqamxt', max_size=60))
def test_no_text_that_looks_like_json_makes_the_parser_fail_otherwise(body):
    assert parses('{"counter":"c",' + body) in (True, False)
