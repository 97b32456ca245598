"""What `tally dlq` says in the end, however it ends, and that its status says the same."""

import pytest
import typer

from tally.cli.dlq import printing
from tally.cli.dlq.command import closing
from tally.cli.dlq.queue import DeadLetterQueue
from tally.cli.output import Output
from tests.cli.dead_letters import NATIVE, URL, handling
from tests.support.clock import Clock
from tests.support.sqs import FakeSqs, client_error, message, message_id


def said(capsys, report_of, result):
    with pytest.raises(typer.Exit) as ended:
        report_of(result, Output.TEXT)
    return ended.value.exit_code, capsys.readouterr().err.splitlines()


def test_a_redrive_names_what_failed_and_how_safe_it_is_to_repeat(capsys):
    result = handling(
        sent=2,
        deleted=1,
        anonymous=3,
        unsent={message_id(1): "InternalError"},
        undeleted={message_id(2): "ReceiptHandleIsInvalid"},
    )
    repeat = "to redrive it again is safe"
    assert said(capsys, printing.redriven, result) == (
        1,
        [
            f"not sent (it may have arrived; {repeat}): {message_id(1)}: InternalError",
            f"sent, and not deleted ({repeat}): {message_id(2)}: ReceiptHandleIsInvalid",
            "3 left: anonymous; see --include-anonymous",
            "1 redriven, 5 not",
        ],
    )


def test_of_many_failures_the_first_are_named_and_all_are_counted(capsys):
    result = handling(undeleted={message_id(number): "InternalError" for number in range(30)})
    status, lines = said(capsys, printing.purged, result)
    assert (status, len(lines), lines[-1]) == (1, 21, "0 deleted, 30 not")
    assert lines[0] == f"not deleted: {message_id(0)}: InternalError"


@pytest.mark.parametrize(
    ("looked_at", "why"),
    [
        (0, "no dead letters"),
        (1, "1 dead letter looked at, and none matches"),
        (2, "2 dead letters looked at, and none matches"),
    ],
)
def test_that_nothing_is_chosen_is_told_with_its_reason(capsys, looked_at, why):
    result = handling(looked_at=looked_at)
    printing.listed(result, Output.TEXT)
    assert capsys.readouterr() == ("", f"{why}\n")
    assert said(capsys, printing.redriven, result) == (0, [f"none to redrive: {why}"])
    assert said(capsys, printing.purged, result) == (0, [f"none to delete: {why}"])


@pytest.mark.parametrize(
    ("looked_at", "taken", "line"),
    [
        (3, 1, ["looked at 3 of the 9 that SQS counts; --limit is 1"]),
        (3, 0, ["looked at 3 of the 9 that SQS counts, which is all that it shows now"]),
        (9, 0, []),
    ],
)
def test_what_was_not_looked_at_is_told(capsys, looked_at, taken, line):
    printing.say_unseen(handling(expected=9, looked_at=looked_at, taken=taken))
    assert capsys.readouterr().err.splitlines() == line


def test_how_far_a_redrive_is_is_told_once_a_second_and_in_the_end():
    clock = Clock()

    def counts():
        for sent in range(10, 60, 10):
            clock.now_s += 0.4
            yield sent

    lines = list(printing.progress(counts(), 70, clock))
    assert lines == ["30 of 70 sent", "50 sent"]
    assert list(printing.progress([], 0, clock)) == []
    clock.now_s = 0.0
    assert list(printing.progress([7], 7, lambda: clock.now_s)) == ["7 sent"]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted; giving back what was held"),
        (client_error("AccessDenied", 403), 1, "tally: SQS: AccessDenied (HTTP 403)"),
    ],
)
def test_however_a_command_ends_what_it_held_is_given_back(capsys, error, status, line):
    client = FakeSqs(pages=[[message(1, NATIVE)]], give_back=[client_error("InternalError", 500)])
    queue = DeadLetterQueue(client, URL)
    assert [len(page) for page in queue.pages(1)] == [1]
    with pytest.raises(typer.Exit) as ended, closing(queue):
        raise error
    assert ended.value.exit_code == status
    hidden = "not all was given back: it is hidden for up to 120 s"
    assert capsys.readouterr().err.splitlines() == [line, hidden]
    assert len(client.told("give_back")) == 1
