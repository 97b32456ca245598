"""The message contract: which events a body holds, or which field breaks it and why."""

import json

import pytest

from tally.counters.body import parse
from tally.counters.errors import MAX_SHOWN_CHARS, InvalidIncrementError
from tally.counters.event import (
    INT64_MAX,
    INT64_MIN,
    MAX_COUNTER_BYTES,
    Envelope,
    Event,
    Increment,
    build,
    encode,
)

SENT_AT = 1_790_000_000_000
ENVELOPE = Envelope("m-1", SENT_AT)
MESSAGE_SOURCE = 0xD27A_D701_A685_9B35  # BLAKE2b-64 of "m-1"
ORDER_SOURCE = 0x2599_000E_8C1B_023D  # BLAKE2b-64 of "order-1"
SOURCE = "00000000000000ff"
NATIVE = {"counter": "c", "source": SOURCE, "seq": 1, "at": SENT_AT}
NAMED = {"counter": "c", "id": "order-1", "at": SENT_AT}
OVER_INT64, UNDER_INT64 = INT64_MAX + 1, INT64_MIN - 1
NEST_DEPTHS = range(900, 1_050)  # around the interpreter's limit of 1,000 frames


def complaint(body):
    """What parse() says of a body that breaks the contract: field, reason, value."""
    with pytest.raises(InvalidIncrementError) as caught:
        parse(body, ENVELOPE)
    return caught.value.field, caught.value.reason, caught.value.value


def test_a_native_increment_keeps_the_identity_that_its_publisher_gave():
    body = json.dumps(NATIVE | {"amount": -5, "max": 9, "min": -9})
    assert parse(body, ENVELOPE) == [Event("c", 255, 1, SENT_AT, -5, -9, 9)]


def test_a_named_increment_has_the_hash_of_its_id_for_a_source_and_seq_zero():
    assert parse(json.dumps(NAMED), ENVELOPE) == [Event("c", ORDER_SOURCE, 0, SENT_AT)]


def test_an_anonymous_increment_is_known_by_its_message_and_its_position():
    body = '[{"counter":"a"},{"counter":"b","amount":2},{"counter":"a"}]'
    assert parse(body, ENVELOPE) == [
        Event("a", MESSAGE_SOURCE, 0, SENT_AT),
        Event("b", MESSAGE_SOURCE, 1, SENT_AT, 2),
        Event("a", MESSAGE_SOURCE, 2, SENT_AT),
    ]


def test_an_absent_field_has_its_default():
    assert parse('{"counter":"c"}', ENVELOPE) == [
        Event("c", MESSAGE_SOURCE, 0, SENT_AT, 1, INT64_MIN, INT64_MAX)
    ]


def test_a_packed_message_may_mix_the_three_forms():
    body = json.dumps([NATIVE, NAMED, {"counter": "c"}])
    assert parse(body, ENVELOPE) == [
        Event("c", 255, 1, SENT_AT),
        Event("c", ORDER_SOURCE, 0, SENT_AT),
        Event("c", MESSAGE_SOURCE, 2, SENT_AT),
    ]


def test_the_default_max_binds_only_increments_that_bring_none():
    body = '[{"counter":"a"},{"counter":"a","max":7}]'
    assert [event.high for event in parse(body, ENVELOPE, default_max=100)] == [100, 7]


@pytest.mark.parametrize("field", ["amount", "max", "min"])
@pytest.mark.parametrize("number", [INT64_MIN, -1, 0, INT64_MAX])
def test_every_signed_64_bit_integer_is_an_amount_and_a_bound(field, number):
    [event] = parse(json.dumps({"counter": "c", field: number}), ENVELOPE)
    assert getattr(event, {"amount": "amount", "max": "high", "min": "low"}[field]) == number


@pytest.mark.parametrize("name", ["a", "a" * 512, "é" * 256, "😀" * 128, "page:home", "a\x00b"])
def test_a_counter_name_has_up_to_512_bytes_of_utf8(name):
    for ensure_ascii in (True, False):
        body = json.dumps({"counter": name}, ensure_ascii=ensure_ascii)
        assert [event.counter for event in parse(body, ENVELOPE)] == [name]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "must not be empty"),
        ("a" * 513, "must have at most 512 bytes"),
        ("é" * 256 + "a", "has 513 bytes, over 512"),
        ("😀" * 128 + "a", "has 513 bytes, over 512"),
        ("é" * 512, "has 1024 bytes, over 512"),
    ],
)
@pytest.mark.parametrize("fields", [{}, NATIVE, NAMED], ids=["anonymous", "native", "named"])
def test_a_counter_name_out_of_bounds_is_invalid(name, reason, fields):
    field, said, value = complaint(json.dumps(fields | {"counter": name}))
    assert (field, said) == ("counter", reason)
    assert len(value) <= MAX_SHOWN_CHARS


@pytest.mark.parametrize(
    ("fields", "field", "reason", "value"),
    [
        ({"source": SOURCE}, "seq", "is missing, but source is given", ""),
        ({"source": SOURCE, "at": 5}, "seq", "is missing, but source is given", ""),
        ({"source": SOURCE, "id": "x", "at": 5}, "seq", "is missing, but source is given", ""),
        ({"seq": 0}, "source", "is missing, but seq is given", ""),
        ({"seq": 0, "at": 5}, "source", "is missing, but seq is given", ""),
        ({"seq": 0, "id": "x", "at": 5}, "source", "is missing, but seq is given", ""),
        ({"source": SOURCE, "seq": 0}, "at", "is missing, but the increment has an identity", ""),
        ({"id": "x"}, "at", "is missing, but the increment has an identity", ""),
        (
            {"source": SOURCE, "seq": 0, "id": "x", "at": 5},
            "id",
            "excludes source and seq",
            "'x'",
        ),
        ({"source": SOURCE, "seq": 0, "id": "x"}, "id", "excludes source and seq", "'x'"),
        ({"at": 5}, "at", "needs source and seq, or id", "5"),
    ],
)
def test_any_other_mixture_of_forms_is_invalid(fields, field, reason, value):
    assert complaint(json.dumps({"counter": "c"} | fields)) == (field, reason, value)
    packed = json.dumps([NATIVE, {"counter": "c"} | fields])
    assert complaint(packed) == (f"[1].{field}", reason, value)


@pytest.mark.parametrize("field", ["amount", "max", "min", "reset", "seq", "at"])
@pytest.mark.parametrize(
    ("text", "reason", "value"),
    [
        ("1.0", "must be an integer", "1.0"),
        ("1e3", "must be an integer", "1000.0"),
        ("true", "must be an integer", "True"),
        ("null", "must be an integer", "None"),
        ('"1"', "must be an integer", "'1'"),
        ("[]", "must be an integer", "[]"),
        ("1e400", "Number out of range", ""),
        (f"{OVER_INT64}", f"must be at most {INT64_MAX}", f"{OVER_INT64}"),
        (f"{2**64}", f"must be at most {INT64_MAX}", f"{2**64}"),
        ("9" * 5_000, "Integer value out of range", ""),
    ],
)
def test_a_number_must_be_a_64_bit_integer(field, text, reason, value):
    assert complaint(f'{{"counter":"c","{field}":{text}}}') == (field, reason, value)


@pytest.mark.parametrize(
    ("field", "number", "least"),
    [
        ("amount", UNDER_INT64, INT64_MIN),
        ("max", UNDER_INT64, INT64_MIN),
        ("min", UNDER_INT64, INT64_MIN),
        ("reset", UNDER_INT64, INT64_MIN),
        ("seq", -1, 0),
        ("at", 0, 1),
        ("at", -1, 1),
    ],
)
def test_a_number_must_not_be_too_small(field, number, least):
    reason = f"must be at least {least}"
    assert complaint(json.dumps(NATIVE | {field: number})) == (field, reason, str(number))


@pytest.mark.parametrize(
    ("fields", "field", "reason", "value"),
    [
        ({"counter": None}, "counter", "must be text", "None"),
        ({"counter": 5}, "counter", "must be text", "5"),
        ({"counter": {"a": [1]}}, "counter", "must be text", "{'a': [1]}"),
        ({"id": ""}, "id", "must not be empty", "''"),
        ({"id": 7}, "id", "must be text", "7"),
        ({"source": 255}, "source", "must be text", "255"),
        ({"source": None}, "source", "must be text", "None"),
        ({"zz": 1}, "zz", "is no field of an increment", "1"),
        ({"Amount": 1}, "Amount", "is no field of an increment", "1"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named_with_its_value(fields, field, reason, value):
    assert complaint(json.dumps({"counter": "c"} | fields)) == (field, reason, value)


@pytest.mark.parametrize(
    "source",
    ["", "ff", "00000000000000FF", "00000000000000fg", "0" * 17, SOURCE + "\n", "\u0660" * 16],
)
def test_a_source_is_16_lower_case_hex_digits(source):
    expected = ("source", "must be 16 lower-case hex digits", repr(source))
    assert complaint(json.dumps(NATIVE | {"source": source})) == expected


@pytest.mark.parametrize("identity", [NATIVE, NAMED])
def test_at_may_be_five_minutes_later_than_the_sent_timestamp_and_not_a_millisecond_more(identity):
    at_edge, past_edge = SENT_AT + 300_000, SENT_AT + 300_001
    [event] = parse(json.dumps(identity | {"at": at_edge}), ENVELOPE)
    assert event.at == at_edge
    assert complaint(json.dumps(identity | {"at": past_edge})) == (
        "at",
        f"is over 300000 ms later than the SentTimestamp {SENT_AT}",
        str(past_edge),
    )


def test_at_may_lie_any_time_in_the_past():
    [event] = parse(json.dumps(NATIVE | {"at": 1}), ENVELOPE)
    assert event == Event("c", 255, 1, 1)


@pytest.mark.parametrize(
    ("body", "field", "reason", "value"),
    [
        ("[]", "body", "must not be empty", "[]"),
        ("null", "body", "must be an object or an array", "None"),
        ("1", "body", "must be an object or an array", "1"),
        ('"x"', "body", "must be an object or an array", "'x'"),
        ("{}", "counter", "is missing", ""),
        ("[1]", "[0]", "must be an object", "1"),
        ('[[{"counter":"c"}]]', "[0]", "must be an object", "[{'counter': 'c'}]"),
        ('[{"counter":"c"},{}]', "[1].counter", "is missing", ""),
        ('[{"counter":"c"},{"counter":"c","amount":1.5}]', "[1].amount", None, "1.5"),
    ],
)
def test_a_body_is_one_increment_or_an_array_of_at_least_one(body, field, reason, value):
    reason = reason or "must be an integer"
    assert complaint(body) == (field, reason, value)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        '{"specversion":"1.0","id":"x',
        r'{"specversion":"1.0","id":"\ud800"}',
        '{"specversion":"1.0","data":{"amount":1e400}}',
        '[{"specversion":"1.0"},',
        '{"counter":5,"amount":',
        "page:home",
        '{"counter":"c",}',
        '{"counter":"c"} x',
        "{'counter':'c'}",
        '{"counter":"c","max":NaN}',
        '{"counter":"c","amount":01}',
        '\ufeff{"counter":"c"}',
        '{"counter":"\x01"}',
        "\x00",
    ],
)
def test_what_is_not_json_is_said_to_be_not_json(body):
    field, reason, value = complaint(body)
    assert (field, reason[:13], value) == ("body", "is not JSON (", repr(body))


def test_the_place_of_a_bad_increment_is_told_whatever_stands_before_the_array():
    late = NATIVE | {"at": SENT_AT + 300_001}
    reason = f"is over 300000 ms later than the SentTimestamp {SENT_AT}"
    expected = ("[1].at", reason, str(SENT_AT + 300_001))
    assert complaint(f" \n{json.dumps([NATIVE, late])}") == expected


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800\u0041", "\ud800"])
@pytest.mark.parametrize("fields", ['"counter":"%s"', '"counter":"c","id":"%s","at":5'])
def test_a_lone_surrogate_is_no_text(escape, fields):
    field, reason, _ = complaint("{" + fields % escape + "}")
    assert (field, reason[:13]) == ("body", "is not JSON (")


def test_of_a_key_written_twice_the_last_one_counts_as_in_every_common_json_parser():
    body = '{"counter":"a","amount":2,"counter":"b","amount":3}'
    assert parse(body, ENVELOPE) == [Event("b", MESSAGE_SOURCE, 0, SENT_AT, 3)]


@pytest.mark.parametrize(
    "frame",
    ["%s", '{"counter":%s}', '{"counter":"c","x":%s}', '[{"counter":"c","amount":%s}]', "[1,%s"],
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_of_any_depth_is_an_invalid_increment_and_nothing_worse(frame, opening, closing):
    for depth in (*range(1, 20), *NEST_DEPTHS, 20_000, 100_000):
        nested = opening * depth + "1" + closing * depth
        for body in (frame % nested, frame % (opening * depth)):
            _, _, value = complaint(body)
            assert len(value) <= MAX_SHOWN_CHARS


@pytest.mark.parametrize(
    "key",
    [
        "` - at `$[7].counter`",
        "x` - at `$[7].counter",
        " - at `$.amount",
        "` - at `$[" + "9" * 5_000 + "]",
        "x[9]",
        "x[" + "9" * 5_000 + "]",
        ".x[0]",
    ],
)
def test_a_field_whose_name_reads_like_a_place_is_named_and_looked_up_as_it_is(key):
    fields = {"counter": "c", key: 7, "x": [1]}
    field, reason, value = complaint(json.dumps(fields))
    assert key.startswith(field[:-1])
    assert (reason, value) == ("is no field of an increment", "7")
    field, reason, value = complaint(json.dumps([NATIVE, fields]))
    assert f"[1].{key}".startswith(field[:-1])
    assert (reason, value) == ("is no field of an increment", "7")


@pytest.mark.parametrize("key", ["k" * 100_000, "a.b", "a[0]", "", "a`b\n", "😀" * 50_000])
def test_an_error_stays_short_whatever_the_message_calls_its_fields(key):
    field, reason, value = complaint(json.dumps({"counter": "c", key: 1}))
    assert reason == "is no field of an increment"
    assert len(field) <= MAX_SHOWN_CHARS
    assert len(value) <= MAX_SHOWN_CHARS


def test_the_error_of_a_huge_value_shows_its_beginning():
    field, reason, value = complaint(json.dumps({"counter": "c", "amount": "9" * 100_000}))
    assert (field, reason) == ("amount", "must be an integer")
    assert value == "'" + "9" * (MAX_SHOWN_CHARS - 2) + "…"


@pytest.mark.parametrize(
    ("body", "counter"),
    [
        ('{"counter":"a","amount":true}', "a"),
        ('{"counter":"a","at":5}', "a"),
        ('{"counter":"a","zz":1}', "a"),
        ('[{"counter":"a"},{"counter":"b","amount":true}]', "b"),
        ('[{"counter":"a"},{"counter":"b","at":5}]', "b"),
        ('[{"counter":"a"},{"amount":1}]', ""),
        ('{"counter":5}', ""),
        ("[]", ""),
        ("{", ""),
    ],
)
def test_an_error_tells_of_which_counter_where_that_can_be_read(body, counter):
    with pytest.raises(InvalidIncrementError) as caught:
        parse(body, ENVELOPE)
    assert caught.value.counter == counter


def test_the_counter_of_an_error_is_no_longer_than_a_counter_may_be():
    with pytest.raises(InvalidIncrementError) as caught:
        parse(json.dumps({"counter": "a" * 100_000}), ENVELOPE)
    assert len(caught.value.counter) <= MAX_COUNTER_BYTES


def test_an_error_reads_as_a_sentence_and_is_a_value_error():
    with pytest.raises(ValueError, match=r"^\[1\]\.amount: must be an integer, found True$"):
        parse('[{"counter":"c"},{"counter":"c","amount":true}]', ENVELOPE)
    with pytest.raises(ValueError, match=r"^counter: is missing$"):
        parse("{}", ENVELOPE)


def test_an_increment_is_built_from_fields_and_written_without_defaults():
    built = build(NATIVE | {"amount": 1, "max": 5, "min": -5})
    assert built == Increment("c", max=5, min=-5, source=SOURCE, seq=1, at=SENT_AT)
    assert encode(built) == (
        b'{"counter":"c","max":5,"min":-5,"source":"00000000000000ff","seq":1,"at":1790000000000}'
    )
    assert encode(build({"counter": "c", "amount": 1})) == b'{"counter":"c"}'


@pytest.mark.parametrize(
    ("fields", "field", "reason", "value"),
    [
        ({}, "counter", "is missing", ""),
        ({"counter": "c", "zz": 1}, "zz", "is no field of an increment", "1"),
        ({"counter": "c", "amount": 1.0}, "amount", "must be an integer", "1.0"),
        ({"counter": "c", "amount": True}, "amount", "must be an integer", "True"),
        ({"counter": "c", "amount": None}, "amount", "must be an integer", "None"),
        ({"counter": "c", "amount": "5"}, "amount", "must be an integer", "'5'"),
        ({"counter": b"c"}, "counter", "must be text", "b'c'"),
        ({"counter": "\ud800"}, "counter", "is not UTF-8", r"'\ud800'"),
        (NAMED | {"id": "\ud800"}, "id", "is not UTF-8", r"'\ud800'"),
        ({"counter": "c", "at": 5}, "at", "needs source and seq, or id", "5"),
        (NATIVE | {"source": "FF"}, "source", "must be 16 lower-case hex digits", "'FF'"),
        ({"counter": "c", "reset": 0, "amount": 1}, "amount", "excludes reset", "1"),
    ],
)
def test_fields_that_break_the_contract_build_no_increment(fields, field, reason, value):
    with pytest.raises(InvalidIncrementError) as caught:
        build(fields)
    assert (caught.value.field, caught.value.reason, caught.value.value) == (field, reason, value)


@pytest.mark.parametrize(
    "fields", [{"counter": "c", "amount": 10**5_000}, {"counter": "c", "\ud800": 1}]
)
def test_fields_that_no_json_can_hold_build_no_increment_either(fields):
    with pytest.raises(InvalidIncrementError):
        build(fields)
