"""What a dead letter tells of itself, how it stands with the ledgers, and who chooses it."""

import dataclasses
import json

import msgspec
import pytest
import typer
from rich.console import Console

from tally.cli.dlq.command import duration_s
from tally.cli.dlq.letters import Choice, Standing, judged, read
from tally.cli.dlq.printing import as_json, printable, table, whole
from tally.counters.body import parse
from tally.counters.counter import fold
from tally.counters.event import Envelope, Event
from tally.counters.ledger import Limits
from tests.cli.dead_letters import ANONYMOUS, NAMED, NATIVE, SOURCE
from tests.support.lambda_event import SENT_AT_MS
from tests.support.sqs import message, message_id

CLOUDEVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "order",
    "time": "2026-09-21T14:13:20Z",
    "subject": "c",
}


def standing(*bodies, **values):
    """The standing of a letter of each body, where counters have these values."""
    letters = [read(message(number, body)) for number, body in enumerate(bodies)]
    return [
        letter.standing
        for letter in judged(letters, lambda keys: [values.get(key) for key in keys])
    ]


def counted(body, number=0):
    """The values after the consumer counted a message of this body and number."""
    values: dict[str, bytes | None] = {}
    for event in parse(json.dumps(body), Envelope(message_id(number), SENT_AT_MS)):
        values[event.counter] = fold(values.get(event.counter), [event], Limits()).value
    return values


@pytest.mark.parametrize(
    ("body", "identity", "counters"),
    [
        (NATIVE, "native", ["n"]),
        (NAMED, "named", ["m"]),
        (CLOUDEVENT, "named", ["c"]),
        (ANONYMOUS, "anonymous", ["a"]),
        ([NATIVE, NATIVE], "native", ["n"]),
        ([NATIVE, ANONYMOUS], "mixed", ["n", "a"]),
        ("{", "", []),
    ],
)
def test_a_letter_tells_its_identity_and_its_counters(body, identity, counters):
    letter = read(message(1, body))
    assert (letter.form, letter.counters) == (identity, counters)


def test_an_invalid_letter_tells_what_breaks_the_contract():
    letter = read(message(1, {"counter": "a", "amount": 1.5}))
    problem = "amount: must be an integer, found 1.5"
    assert (letter.standing, letter.problem, letter.events) == (Standing.INVALID, problem, ())


@pytest.mark.parametrize(
    ("body", "counters"),
    [
        ({"counter": "a", "amount": 1.5}, ["a"]),
        ([NATIVE, {"counter": "a", "amount": 1.5}], ["a"]),
        ({**CLOUDEVENT, "time": "noon"}, ["c"]),
        ({"counter": ""}, []),
        ({"counter": 5}, []),
        ("{", []),
    ],
)
def test_an_invalid_letter_names_the_counter_that_can_be_read(body, counters):
    letter = read(message(1, body))
    assert (letter.standing, letter.counters) == (Standing.INVALID, counters)
    assert as_json(letter)["counters"] == counters
    assert Choice(9, counter="a").takes(letter) is ("a" in counters)


def test_the_counter_of_an_invalid_letter_is_not_looked_up():
    letter = read(message(1, {"counter": "x" * 600}))
    assert judged([letter], lambda keys: pytest.fail(f"asked for {keys}")) == [letter]


def test_a_letter_with_an_identity_goes_back_byte_for_byte():
    body = '[ {"counter":"n","source":"9f86d081884c7d65","seq":1,"at":1790000000000} ]'
    assert read(message(1, body)).named() == body


@pytest.mark.parametrize("body", [ANONYMOUS, [ANONYMOUS, NATIVE, NAMED, ANONYMOUS]])
def test_an_anonymous_one_goes_back_as_the_event_that_it_was(body):
    letter = read(message(1, body))
    resent = parse(letter.named(), Envelope("another id", SENT_AT_MS + 86_400_000))
    assert resent == parse(json.dumps(body), Envelope(message_id(1), SENT_AT_MS))


def test_a_letter_stands_as_its_worst_increment():
    body = [NATIVE, NAMED]
    assert standing(body) == [Standing.PENDING]
    assert standing(body, **counted(NATIVE)) == [Standing.PENDING]
    assert standing(body, **counted(body)) == [Standing.DECIDED]
    assert standing(body, **counted(NATIVE), m=b"x") == [Standing.UNREADABLE]
    assert standing("{", body) == [Standing.INVALID, Standing.PENDING]


def test_an_anonymous_letter_is_known_to_the_ledger_by_its_message_id():
    values = counted(ANONYMOUS, number=1)
    assert standing(NATIVE, ANONYMOUS, ANONYMOUS, **values)[1:] == [
        Standing.DECIDED,
        Standing.PENDING,
    ]


def test_a_rejected_increment_is_decided_too():
    body = {**NATIVE, "max": 0}
    assert standing(body, **counted(body)) == [Standing.DECIDED]


def test_what_the_ledger_has_forgotten_is_undecidable():
    tight = Limits(horizon_s=1, free_bytes=1)
    late = Event("n", int(SOURCE, 16) + 1, 0, SENT_AT_MS + 86_400_000)
    old = parse(json.dumps(NATIVE), Envelope("m", SENT_AT_MS))
    value = fold(fold(None, old, tight).value, [late], tight).value
    assert standing(NATIVE, n=value) == [Standing.UNDECIDABLE]


def test_many_counters_are_asked_for_a_hundred_at_once_and_each_once():
    asked = []

    def read_values(keys):
        asked.append(len(keys))
        return [None] * len(keys)

    bodies = [[{"counter": f"c{10 * row + place}"} for place in range(15)] for row in range(20)]
    judged([read(message(row, body)) for row, body in enumerate(bodies)], read_values)
    assert asked == [100, 100, 5]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(9), [0, 1, 2]),
        (Choice(9, counter="a"), [1]),
        (Choice(9, why=Standing.VALID), [0, 1]),
        (Choice(9, why=Standing.INVALID), [2]),
        (Choice(9, why=Standing.DECIDED), []),
        (Choice(9, ids=(message_id(0), message_id(2)[:8])), [0, 2]),
        (Choice(9, sent_before=SENT_AT_MS), [0, 1, 2]),
        (Choice(9, sent_before=SENT_AT_MS - 1), []),
        (Choice(9, counter="n", why=Standing.INVALID), []),
    ],
)
def test_a_letter_is_chosen_by_all_filters_together(choice, expected):
    letters = [read(message(number, body)) for number, body in enumerate([NATIVE, ANONYMOUS, "{"])]
    assert [number for number, letter in enumerate(letters) if choice.takes(letter)] == expected


def test_all_but_the_contract_needs_the_ledgers():
    asked = [each for each in Standing if Choice(1, why=each).needs_ledgers]
    assert asked == [*Standing][2:]
    assert [*Standing][:2] == [Standing.INVALID, Standing.VALID]
    assert not Choice(1).needs_ledgers


def test_times_are_written_with_their_unit():
    assert [duration_s(text) for text in ("90", "90s", "15m", "2h", "3d")] == [
        *(90, 90, 900),
        *(7_200, 259_200),
    ]
    for text in ("", "h", "-1s", "1w", "1.5h", "1e9", "٣s"):
        with pytest.raises(typer.BadParameter, match="a time is written as 90s, 15m, 2h or 3d"):
            duration_s(text)


def test_a_letter_is_json_with_or_without_its_body():
    attribute = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    letter = read(message(1, NATIVE, "g", trace=attribute))
    told = {
        "id": message_id(1),
        "sent_at": SENT_AT_MS,
        "receive_count": 6,
        "counters": ["n"],
        "increments": 1,
        "identity": "native",
        "why": "valid",
        "remark": "the reason is in the consumer's log",
    }
    assert msgspec.to_builtins(as_json(letter)) == told
    assert msgspec.to_builtins(as_json(letter, whole=True)) == told | {
        "group": "g",
        "attributes": {"trace": "00ff"},
        "events": [{"counter": "n", "event": f"{SOURCE}:1:{SENT_AT_MS}"}],
        "body": json.dumps(NATIVE),
    }


def test_a_letter_is_text_with_its_group_its_times_and_its_age(capsys):
    reset = {**NATIVE, "counter": "r\x07", "reset": 7}
    letter = read(message(1, reset, "g", trace={"DataType": "String", "StringValue": "t"}))
    whole(dataclasses.replace(letter, sent_at=SENT_AT_MS + 7), SENT_AT_MS + 7_300_000)
    assert capsys.readouterr().out.splitlines() == [
        f"id        {message_id(1)}",
        "sent      2026-09-21T14:13:20.007Z, 2h ago",
        "receives  6",
        "group     g",
        "attribute trace = t",
        "why       valid: the reason is in the consumer's log",
        f"increment r\\x07 =7 {SOURCE}:1:{SENT_AT_MS} at 2026-09-21T14:13:20.000Z",
        f"body      {letter.body}",
    ]


def test_a_row_names_few_of_many_counters(capsys):
    letters = [read(message(1, [{"counter": f"c{place}"} for place in range(5)]))]
    table(letters, SENT_AT_MS + 86_400_000, Console(width=120))
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split()[:3] == ["00000001", "1d", "6"]
    assert "c0, c1, c2, … 5 in all" in row


def test_a_narrow_terminal_has_a_line_for_each_letter(capsys):
    letters = [read(message(1, {"counter": "page:home", "amount": 1.5})), read(message(2, NATIVE))]
    table(letters, SENT_AT_MS + 86_400_000, Console(width=40))
    assert capsys.readouterr().out.splitlines() == [
        "00000001: age 1d; received 6; counter",
        "  page:home; why invalid: amount: must",
        "  be an integer, found 1.5",
        "00000002: age 1d; received 6; counter n;",
        "  events 1; identity native; why valid",
    ]


@pytest.mark.parametrize("width", [50, 60, 80])
def test_a_counter_is_whole_however_wide_the_terminal_is(capsys, width):
    letter = read(message(1, {**NATIVE, "counter": "q" * 512, "amount": 1.5}))
    table([letter], SENT_AT_MS, Console(width=width))
    said = capsys.readouterr().out
    assert (said.count("q"), said.count("…")) == (512, 0)


def test_a_stranger_cannot_speak_to_the_terminal():
    assert printable("a\x1b[31mé\n\x9b\u202e🙂") == "a\\x1b[31mé\\n\\x9b\\u202e🙂"
