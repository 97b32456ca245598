"""What a `tally dlq` command says in the end, and the exit status that says the same."""

from collections import Counter
from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.console import Console

from tally.cli.dlq import view
from tally.cli.dlq.letter import REMARKS, Letter, Standing
from tally.cli.dlq.queue import Failures
from tally.cli.dlq.session import Session, say
from tally.cli.dlq.work import Result
from tally.cli.output import FAILED, OK, Output, chatter, counted, say_json
from tally.publishing.sequence import now_ms

MAX_SHOWN_FAILURES = 20
"""How many letters are named that a call failed for; the others are counted."""


def listed(result: Result, output: Output) -> None:
    """The letters that were chosen, on stdout."""
    letters = result.chosen
    if output is Output.JSON:
        say_json([view.as_json(letter) for letter in letters])
    elif letters:
        view.table(letters, now_ms(), Console(markup=False, emoji=False, highlight=False))
        _explain(letters)
    else:
        say(_none(result))


def confirm(letters: Sequence[Letter]) -> None:
    """Show on stderr what would be deleted, and ask; ends the command if the answer is not yes."""
    view.table(letters, now_ms(), chatter())
    _explain(letters)
    found = Counter(letter.standing for letter in letters)
    if lost := len(letters) - found[Standing.DECIDED]:
        say(f"{lost} of them may hold increments that were never counted: deleting loses those")
    try:
        what = counted(len(letters), "dead letter")
        is_agreed = typer.confirm(f"Delete {what} for good?", err=True)
    except typer.Abort:  # Ctrl-C, or nobody is there to answer
        is_agreed = False
        say("")
    if not is_agreed:
        say("nothing is deleted")
        raise typer.Exit(FAILED)


def redriven(result: Result, output: Output) -> NoReturn:
    """What a redrive has done."""
    _say_failures("not sent (it may have arrived; to redrive it again is safe)", result.unsent)
    _say_failures("sent, and not deleted (to redrive it again is safe)", result.undeleted)
    if result.anonymous:
        say(f"{result.anonymous} left: anonymous; see --include-anonymous")
    left = len(result.unsent) + len(result.undeleted) + result.anonymous
    if left or result.deleted:
        say(f"{result.deleted} redriven, {left} not")
    else:
        say(f"none to redrive: {_none(result)}")
    if output is Output.JSON:
        say_json(
            {
                "redriven": result.deleted,
                "anonymous": result.anonymous,
                "unsent": result.unsent,
                "undeleted": result.undeleted,
            }
        )
    raise typer.Exit(FAILED if left else OK)


def purged(result: Result, output: Output) -> NoReturn:
    """What a purge has done."""
    _say_failures("not deleted", result.undeleted)
    if result.undeleted or result.deleted:
        say(f"{result.deleted} deleted, {len(result.undeleted)} not")
    else:
        say(f"none to delete: {_none(result)}")
    if output is Output.JSON:
        say_json({"deleted": result.deleted, "undeleted": result.undeleted})
    raise typer.Exit(FAILED if result.undeleted else OK)


def say_unseen(session: Session, result: Result, limit: int) -> None:
    """How many letters were looked at, if these were not all; of a FIFO group SQS shows ten."""
    if result.looked_at < session.expected:
        is_limit = len(result.chosen) == limit
        why = f"; --limit is {limit}" if is_limit else ", which is all that it shows now"
        say(f"looked at {result.looked_at} of the {session.expected} that SQS counts{why}")


def _none(result: Result) -> str:
    """Why nothing is chosen: there is nothing, or the filters let nothing pass."""
    if not result.looked_at:
        return "no dead letters"
    return f"{counted(result.looked_at, 'dead letter')} looked at, and none matches"


def _explain(letters: Sequence[Letter]) -> None:
    """What each standing means that is among them."""
    for standing in dict.fromkeys(letter.standing for letter in letters):
        if standing in REMARKS:
            say(f"{standing}: {REMARKS[standing]}")


def _say_failures(what: str, failures: Failures) -> None:
    for letter_id, reason in list(failures.items())[:MAX_SHOWN_FAILURES]:
        say(f"{what}: {letter_id}: {reason}")
