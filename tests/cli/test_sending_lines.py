"""What becomes of every line that is sent: confirmed, invalid, or kept."""

import io
import json

import botocore.exceptions as boto
import msgspec
import pytest

from tally.cli import lines
from tally.cli.lines import Format, Line
from tally.cli.output import FAILED, OK, Output
from tally.cli.send import MAX_SHOWN_PROBLEMS
from tally.counters.event import INT64_MAX, Increment
from tally.counters.identity import identity_of
from tally.publishing.inbox import MAX_PLACES, PLACE_BYTES
from tally.publishing.outbox import MAX_UNSENT_BYTES
from tests.cli.sending import WAIT_S, Try, line, refuse
from tests.support.sqs import NOW_MS, failing, stored

LONG = "x" * 500
MANY = 6 * MAX_UNSENT_BYTES // len(LONG)


def count(sqs):
    return sum(event.amount for event in sqs.events)


def test_all_is_confirmed_and_nothing_is_a_result(capsys):
    attempt = Try()
    status, said = attempt.send([line(number) for number in range(1, 514)])
    summary = "513 increments confirmed in 1 message, 0 not confirmed, 0 invalid"
    assert (status, said) == (OK, [summary])
    assert count(attempt.sqs) == 513
    assert capsys.readouterr() == ("", "")


def test_nothing_to_send_is_no_failure(capsys):
    attempt = Try()
    said = ["0 increments confirmed in 0 messages, 0 not confirmed, 0 invalid"]
    assert attempt.send([]) == (OK, said)
    assert attempt.sqs.requests == []
    assert capsys.readouterr() == ("", "")


def test_a_bad_line_is_named_by_number_and_field_and_its_neighbours_are_sent():
    content = (
        b'{"counter":"a"}\n{"counter":"a","amount":"3"}\nnonsense\n{"amount":4}\n'
        b'{"counter":"a","amuont":5}\n{"counter":"a","source":"1"}\n{"counter":"a","amount":6}\n'
    )
    attempt = Try()
    assert attempt.send(lines.read(io.BytesIO(content), Format.JSONL)) == (
        FAILED,
        [
            "line 2: amount: must be an integer, found '3'",
            "line 3: is not JSON: JSON is malformed: invalid character (byte 4)",
            "line 4: counter: is missing",
            "line 5: amuont: is no field of an increment, found 5",
            "line 6: seq: is missing, but source is given",
            "2 increments confirmed in 1 message, 0 not confirmed, 5 invalid",
        ],
    )
    assert count(attempt.sqs) == 7


def test_a_remark_is_one_line_and_shows_names_as_they_are():
    [status, said] = Try().send([line(1, amount=":key: [bold]x[/]" + "y" * 90)])
    reason = "line 1: amount: must be an integer, found ':key: [bold]x[/]" + "y" * 90 + "'"
    summary = "0 increments confirmed in 0 messages, 0 not confirmed, 1 invalid"
    assert (status, said) == (FAILED, [reason, summary])


def test_of_many_bad_lines_the_first_are_named_and_all_are_counted():
    bad = [Line(number, {}, "is bad") for number in range(1, MAX_SHOWN_PROBLEMS + 100)]
    status, said = Try().send(bad)
    assert said == [
        *(f"line {number}: is bad" for number in range(1, MAX_SHOWN_PROBLEMS + 1)),
        f"0 increments confirmed in 0 messages, 0 not confirmed, {len(bad)} invalid",
    ]
    assert status == FAILED


def test_the_summary_for_programs(capsys):
    attempt = Try(failing(0, "InternalError", sender_fault=False))
    source = [line(1), line(2, max=INT64_MAX + 1), line(3, amount=2)]
    status, _ = attempt.send(source, Output.JSON)
    summary = json.loads(capsys.readouterr().out)
    seconds = summary.pop("seconds")
    assert status == FAILED
    assert summary == {
        "confirmed": 2,
        "unsent": 0,
        "invalid": 1,
        "messages": 1,
        "requests": 2,
        "retries": 1,
    }
    assert 0 <= seconds < WAIT_S


def test_what_is_refused_is_kept_and_sending_it_again_counts_nothing_twice(tmp_path):
    path = tmp_path / "unsent.jsonl"
    first = Try(refuse, unsent=path)
    status, said = first.send([line(1, amount=3, max=9), line(2, id="order-17")])
    assert (status, said) == (
        FAILED,
        [
            "not confirmed: AccessDenied (HTTP 403)",
            "kept, to be sent again: 2 increments",
            "0 increments confirmed in 0 messages, 2 not confirmed, 0 invalid",
        ],
    )
    kept = [msgspec.json.decode(kept) for kept in path.read_bytes().splitlines()]
    native = {"source": f"{1:016x}", "seq": 0, "at": NOW_MS}
    assert kept == [
        {"counter": "a", "amount": 3, "max": 9} | native,
        {"counter": "a", "id": "order-17", "at": NOW_MS},
    ]
    identities = []
    for _ in range(2):
        again = Try()
        with path.open("rb") as stream:
            assert again.send(lines.read(stream, Format.JSONL))[0] == OK
        identities.append([(one.identity, one.at, one.amount) for one in again.sqs.events])
    assert identities[0] == identities[1]


def test_a_file_for_the_unsent_is_written_only_if_there_are_any(tmp_path):
    path = tmp_path / "unsent.jsonl"
    assert Try(unsent=path).send([line(1)])[0] == OK
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    path = tmp_path / "gone" / "unsent.jsonl"
    status, said = Try(refuse, unsent=path).send([line(1)])
    printed = "not kept, but printed above, one a line: 1 increment"
    assert said[0].startswith('{"counter":"a","source":')
    assert (status, said[1:]) == (
        FAILED,
        [
            "not confirmed: AccessDenied (HTTP 403)",
            f"{printed} ({path}: No such file or directory)",
            "0 increments confirmed in 0 messages, 1 not confirmed, 0 invalid",
        ],
    )


def test_no_line_is_lost_where_the_publisher_has_given_up_more_than_it_keeps(tmp_path):
    path = tmp_path / "unsent.jsonl"
    attempt = Try(*[stored, refuse] * MANY, unsent=path)
    status, said = attempt.send(line(number, id=f"{number:0500}") for number in range(MANY))
    kept = [msgspec.json.decode(one, type=Increment) for one in path.read_bytes().splitlines()]
    confirmed = [event.identity for event in attempt.sqs.events]
    assert len(kept) + len(confirmed) == MANY
    assert len({*map(identity_of, kept), *confirmed}) == MANY
    assert len(kept) * len(LONG) > MAX_UNSENT_BYTES
    assert (status, said[0]) == (FAILED, "not confirmed: AccessDenied (HTTP 403)")
    assert said[-1].endswith(f", {len(kept)} not confirmed, 0 invalid")


@pytest.mark.parametrize(("first_line", "unit"), [(1, "line"), (None, "increment")])
def test_it_stops_where_sqs_confirms_nothing(tmp_path, capsys, first_line, unit):
    path = tmp_path / "unsent.jsonl"
    path.write_text("of another run")
    attempt = Try(*[refuse] * MANY, unsent=path)
    source = (
        Line(first_line + number if first_line else 0, {"counter": LONG}) for number in range(MANY)
    )
    status, said = attempt.send(source, Output.JSON)
    kept = [msgspec.json.decode(one)["seq"] for one in path.read_bytes().splitlines()]
    stopped_at = json.loads(capsys.readouterr().out)["stopped_at"]
    assert kept == list(range(stopped_at - 1))
    assert (
        MAX_UNSENT_BYTES / 2 < path.stat().st_size < MAX_UNSENT_BYTES + 2 * MAX_PLACES * PLACE_BYTES
    )
    where = f"stopped at {unit} {stopped_at}"
    assert (status, said[:2]) == (
        FAILED,
        [
            f"{where}; it and all that follows were not sent: SQS has stopped confirming",
            "not confirmed: AccessDenied (HTTP 403)",
        ],
    )


def test_what_was_confirmed_at_first_makes_it_go_on_once_and_not_for_ever(tmp_path):
    path = tmp_path / "unsent.jsonl"
    attempt = Try(stored, *[refuse] * MANY, unsent=path)
    said = attempt.send(line(number, counter=LONG) for number in range(1, 3 * MANY))[1]
    taken = len(path.read_bytes().splitlines()) + len(attempt.sqs.events)
    where = f"stopped at line {taken + 1}"
    assert said[0] == f"{where}; it and all that follows were not sent: SQS has stopped confirming"


def test_an_error_of_the_source_is_not_swallowed_and_what_was_read_is_sent():
    def failing_source():
        yield line(1)
        raise boto.ConnectionError(error=OSError("gone"))

    attempt = Try()
    with pytest.raises(boto.ConnectionError):
        attempt.sending.run(failing_source())
    assert count(attempt.sqs) == 1
