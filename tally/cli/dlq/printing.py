"""What the `tally dlq` commands print: letters and what became of them; and their exit status."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from tally.cli.dlq.letters import REMARKS, Letter, Standing
from tally.cli.dlq.queue import Failures, Handling
from tally.cli.output import FAILED, OK, Output, chatter, counted, say_json
from tally.cli.tables import say_table
from tally.publishing.sequence import now_ms

MIN_ID_CHARS = 8
"""How much of an id is enough to name a message, as `tally dlq list` shows it."""

MAX_SHOWN_COUNTERS = 3
"""How many counters of a packed message are named in a row."""

MAX_SHOWN_FAILURES = 20
"""How many letters whose call failed are named; the rest are only counted."""

PROGRESS_S = 1.0
"""A redrive reports its progress at most this often."""

SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""The units of an age, the longest first."""


def say(text: str) -> None:
    """A remark on stderr, in one line."""
    chatter().print(text, soft_wrap=True)


def listed(done: Handling, output: Output) -> None:
    """The letters that were chosen, on stdout."""
    say_unseen(done)
    if output is Output.JSON:
        say_json([as_json(letter) for letter in done.chosen])
    elif done.chosen:
        console = Console(markup=False, emoji=False, highlight=False)
        table(done.chosen, now_ms(), console)
        _explain(done.chosen)
    else:
        say(_none(done))


def confirm(letters: Sequence[Letter]) -> None:
    """Show on stderr what would be deleted, and ask; unless the answer is yes, the command ends."""
    table(letters, now_ms(), chatter())
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


def progress(
    counts: Iterable[int], total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[str]:
    """The lines that report a redrive's progress: one every PROGRESS_S, and one at the end."""
    sent = told = -1
    due_s = clock() + PROGRESS_S
    for sent in counts:
        if clock() >= due_s:
            due_s, told = clock() + PROGRESS_S, sent
            yield f"{sent} of {total} sent"
    if sent != told:
        yield f"{sent} sent"


def redriven(done: Handling, output: Output) -> NoReturn:
    """What a redrive has done."""
    _say_failures("not sent (it may have arrived; to redrive it again is safe)", done.unsent)
    _say_failures("sent, and not deleted (to redrive it again is safe)", done.undeleted)
    if done.anonymous:
        say(f"{done.anonymous} left: anonymous; see --include-anonymous")
    failures = {"unsent": done.unsent, "undeleted": done.undeleted}
    left = len(done.unsent) + len(done.undeleted) + done.anonymous
    _say_sum(done, left, "redrive", "redriven")
    if output is Output.JSON:
        say_json({"redriven": done.deleted, "anonymous": done.anonymous, **failures})
    raise typer.Exit(FAILED if left else OK)


def purged(done: Handling, output: Output) -> NoReturn:
    """What a purge has done."""
    _say_failures("not deleted", done.undeleted)
    _say_sum(done, len(done.undeleted), "delete", "deleted")
    if output is Output.JSON:
        say_json({"deleted": done.deleted, "undeleted": done.undeleted})
    raise typer.Exit(FAILED if done.undeleted else OK)


def _say_sum(done: Handling, left: int, verb: str, participle: str) -> None:
    if left or done.deleted:
        say(f"{done.deleted} {participle}, {left} not")
    else:
        say(f"none to {verb}: {_none(done)}")


def say_unseen(done: Handling) -> None:
    """Say how many letters were looked at, if not all; of a FIFO group SQS shows only ten."""
    if done.looked_at < done.expected:
        limit = done.choice.limit
        is_limit = done.taken == limit
        why = f"; --limit is {limit}" if is_limit else ", which is all that it shows now"
        say(f"looked at {done.looked_at} of the {done.expected} that SQS counts{why}")


def table(letters: Sequence[Letter], now_ms: int, console: Console) -> None:
    """A row for each letter."""
    found = Table("id", "age", "received", "counter", "events", "identity", "why", box=None)
    for column in found.columns:
        may_be_long = column.header in {"counter", "why"}
        column.no_wrap, column.overflow = not may_be_long, "fold"
        column.justify = "right" if column.header in {"age", "received", "events"} else "left"
    for letter in letters:
        problem = printable(letter.problem)
        found.add_row(
            letter.id[:MIN_ID_CHARS],
            _age(letter, now_ms),
            str(letter.receive_count),
            _counters(letter),
            str(len(letter.events) or ""),
            letter.form,
            f"{letter.standing}: {problem}" if problem else letter.standing,
        )
    say_table(console, found)


def whole(letter: Letter, now_ms: int) -> None:
    """Print one letter whole: what SQS says of it, its increments, and its body."""
    typer.echo(f"id        {letter.id}")
    typer.echo(f"sent      {_time(letter.sent_at)}, {_age(letter, now_ms)} ago")
    typer.echo(f"receives  {letter.receive_count}")
    if letter.group:
        typer.echo(f"group     {printable(letter.group)}")
    for name, value in letter.message_attributes.items():
        typer.echo(f"attribute {printable(name)} = {printable(_content(value))}")
    typer.echo(f"why       {letter.standing}: {printable(letter.remark)}")
    for event in letter.events:
        change = f"{event.amount:+}" if event.reset is None else f"={event.reset}"
        counter, at = printable(event.counter), _time(event.at)
        typer.echo(f"increment {counter} {change} {event.identity} at {at}")
    typer.echo(f"body      {printable(letter.body)}")


def as_json(letter: Letter, *, whole: bool = False) -> dict[str, Any]:
    """A letter for programs; with its events and its body if `whole`."""
    fields: dict[str, Any] = {
        "id": letter.id,
        "sent_at": letter.sent_at,
        "receive_count": letter.receive_count,
        "counters": letter.counters,
        "increments": len(letter.events),
        "identity": letter.form,
        "why": letter.standing,
        "remark": letter.remark,
    }
    if whole:
        attributes = letter.message_attributes.items()
        events = [{"counter": event.counter, "event": event.identity} for event in letter.events]
        fields |= {
            "group": letter.group,
            "attributes": {name: _content(value) for name, value in attributes},
            "events": events,
            "body": letter.body,
        }
    return fields


def printable(text: str) -> str:
    """Somebody else's text, made harmless to a terminal: a sender may write anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _none(done: Handling) -> str:
    """Why nothing is chosen: there is no letter, or none passes the filters."""
    if not done.looked_at:
        return "no dead letters"
    return f"{counted(done.looked_at, 'dead letter')} looked at, and none matches"


def _explain(letters: Sequence[Letter]) -> None:
    """Say what each standing among them means."""
    for standing in dict.fromkeys(letter.standing for letter in letters):
        if standing in REMARKS:
            say(f"{standing}: {REMARKS[standing]}")


def _say_failures(what: str, failures: Failures) -> None:
    for letter_id, reason in list(failures.items())[:MAX_SHOWN_FAILURES]:
        say(f"{what}: {letter_id}: {reason}")


def _time(at_ms: int) -> str:
    """Such as 2026-09-21T14:13:20.000Z. Counted from the epoch: a float would lose milliseconds."""
    time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _age(letter: Letter, now_ms: int) -> str:
    age_s = max(0, now_ms - letter.sent_at) // 1_000
    unit = next((unit for unit in SECONDS if age_s >= SECONDS[unit]), "s")
    return f"{age_s // SECONDS[unit]}{unit}"


def _counters(letter: Letter) -> str:
    names = letter.counters
    shown = ", ".join(printable(name) for name in names[:MAX_SHOWN_COUNTERS])
    return shown if len(names) <= MAX_SHOWN_COUNTERS else f"{shown}, … {len(names)} in all"


def _content(value: Any) -> str:  # noqa: ANN401 (boto3's)
    content = value.get("BinaryValue", b"")
    return content.hex() if content else str(value.get("StringValue", ""))
