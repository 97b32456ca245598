"""How dead letters look: a table, one whole letter, or JSON."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tally.cli.dlq.choice import MIN_ID_CHARS
from tally.cli.dlq.letter import Letter

MAX_SHOWN_COUNTERS = 3
"""How many counters of a packed message are named in a row."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def table(letters: Sequence[Letter], now_ms: int, console: Console) -> None:
    """A row for each letter."""
    found = Table("id", "age", "received", "counter", "events", "identity", "why", box=None)
    for number in (1, 2, 4):
        found.columns[number].justify = "right"
    for fixed in (0, 5):
        found.columns[fixed].no_wrap = True
    for letter in letters:
        found.add_row(
            letter.id[:MIN_ID_CHARS],
            _age(letter, now_ms),
            str(letter.receive_count),
            _counters(letter),
            str(len(letter.events) or ""),
            letter.identity,
            f"{letter.standing}: {printable(letter.problem)}"
            if letter.problem
            else letter.standing,
        )
    console.print(found)


def whole(letter: Letter, now_ms: int) -> None:
    """All of one letter, on stdout: what SQS says, what its increments are, and its body."""
    typer.echo(f"id        {letter.id}")
    typer.echo(f"sent      {letter.sent_at} ms, {_age(letter, now_ms)} ago")
    typer.echo(f"receives  {letter.receive_count}")
    if letter.group:
        typer.echo(f"group     {printable(letter.group)}")
    for name, value in letter.message_attributes.items():
        typer.echo(f"attribute {printable(name)} = {printable(_content(value))}")
    typer.echo(f"why       {letter.standing}: {printable(letter.remark)}")
    for event in letter.events:
        change = f"{event.amount:+}" if event.reset is None else f"={event.reset}"
        typer.echo(f"increment {printable(event.counter)} {change} {event.identity}")
    typer.echo(f"body      {printable(letter.body)}")


def as_json(letter: Letter, *, whole: bool = False) -> dict[str, Any]:
    """What programs see of a letter; its events and its body only if asked for."""
    told: dict[str, Any] = {
        "id": letter.id,
        "sent_at": letter.sent_at,
        "receive_count": letter.receive_count,
        "counters": letter.counters,
        "increments": len(letter.events),
        "identity": letter.identity,
        "why": letter.standing,
        "remark": letter.remark,
    }
    if whole:
        told |= {
            "group": letter.group,
            "attributes": {
                name: _content(value) for name, value in letter.message_attributes.items()
            },
            "events": [
                {"counter": event.counter, "event": event.identity} for event in letter.events
            ],
            "body": letter.body,
        }
    return told


def printable(text: str) -> str:
    """A text of somebody else's, harmless to a terminal: whoever may send may write anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _age(letter: Letter, now_ms: int) -> str:
    age_s = max(0, now_ms - letter.sent_at) // 1_000
    for length_s, unit in _UNITS:
        if age_s >= length_s:
            return f"{age_s // length_s}{unit}"
    return f"{age_s}s"


def _counters(letter: Letter) -> str:
    names = letter.counters
    shown = ", ".join(printable(name) for name in names[:MAX_SHOWN_COUNTERS])
    return shown if len(names) <= MAX_SHOWN_COUNTERS else f"{shown}, … {len(names)} in all"


def _content(value: Any) -> str:  # noqa: ANN401 (boto3's)
    content = value.get("BinaryValue", b"")
    return content.hex() if content else str(value.get("StringValue", ""))
