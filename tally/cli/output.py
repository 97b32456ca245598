"""How commands answer: results on stdout, remarks on stderr, and exit statuses."""

import enum
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import typer

if TYPE_CHECKING:
    from rich.console import Console

OK = 0
FAILED = 1
"""Something asked for did not happen; stderr says what."""
INTERRUPTED = 130
"""Ended by Ctrl-C, as shells write it: 128 + SIGINT."""

EXAMPLE = "`tally local up` prints an example"
"""For people who have not set the variables."""


class Output(enum.StrEnum):
    """What stdout is for."""

    TEXT = "text"
    JSON = "json"


def chatter() -> "Console":
    """Where progress and remarks go; without markup, since they may hold names of counters."""
    from rich.console import Console  # noqa: PLC0415 # it takes half of the import's time

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 message`, `2 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say_json(result: Any) -> None:  # noqa: ANN401 (anything that JSON can hold)
    """One line of JSON on stdout."""
    typer.echo(msgspec.json.encode(result).decode())


def refuse(problem: str) -> NoReturn:
    """End with a usage error."""
    raise typer.BadParameter(problem)


def fail(text: str) -> NoReturn:
    """Say on stderr why nothing more happens, and end with FAILED."""
    typer.echo(f"tally: {text}", err=True)
    raise typer.Exit(FAILED)
