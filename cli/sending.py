"""Publishes lines for `tally send`: names the bad ones, keeps what SQS did not confirm."""

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import typer

from cli.lines import Line
from cli.output import FAILED, INTERRUPTED, OK, Output, chatter, say_json
from counters.errors import InvalidIncrementError
from counters.event import Increment, encode
from producer.errors import UnsentError
from producer.publisher import Publisher

MAX_SHOWN_PROBLEMS = 20
"""How many bad lines are named; the others are counted."""

PROGRESS_EVERY = 256
"""Increments between two looks at the progress bar."""


@dataclasses.dataclass
class Summary:
    """What became of the increments that were given, for people and for programs."""

    confirmed: int = 0
    unsent: int = 0
    invalid: int = 0
    messages: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0


class Sending:
    """Publishes lines, names the bad ones, and keeps what SQS does not confirm."""

    def __init__(self, publisher: Publisher, unsent: Path | None) -> None:
        self._publisher = publisher
        self._unsent_path = unsent
        self._unsent: list[Increment] = []
        self._reasons: dict[str, None] = {}
        self._interrupted = False
        self._summary = Summary()
        self._chatter = chatter()

    def run(self, source: Iterable[Line]) -> Iterator[int]:
        """Publish all, and tell now and then how many lines that were."""
        started_at = time.monotonic()
        done = 0
        try:
            for done, line in enumerate(source, 1):
                self._publish(line)
                if done % PROGRESS_EVERY == 0:
                    yield done
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            with self._kept():
                self._publisher.close()
        yield done
        stats = self._publisher.stats
        self._summary.confirmed = stats.confirmed
        self._summary.unsent = len(self._unsent)
        self._summary.messages = stats.messages
        self._summary.requests = stats.requests
        self._summary.retries = stats.retries
        self._summary.seconds = round(time.monotonic() - started_at, 3)

    def report(self, output: Output) -> NoReturn:
        """Say what happened, and end with the status that says the same."""
        summary = self._summary
        if self._unsent_path and self._unsent:
            self._unsent_path.write_bytes(b"".join(encode(kept) + b"\n" for kept in self._unsent))
        for reason in self._reasons:
            self._chatter.print(f"not confirmed: {reason}")
        self._chatter.print(
            f"{summary.confirmed} increments confirmed in {summary.messages} messages, "
            f"{summary.unsent} not confirmed, {summary.invalid} invalid"
        )
        if output is Output.JSON:
            say_json(summary)
        if self._interrupted:
            raise typer.Exit(INTERRUPTED)
        raise typer.Exit(FAILED if summary.unsent or summary.invalid else OK)

    def _publish(self, line: Line) -> None:
        if line.problem:
            self._problem(line.number, line.problem)
            return
        try:
            with self._kept():
                self._publisher.publish_fields(line.fields)
        except InvalidIncrementError as error:
            self._problem(line.number, str(error))

    def _problem(self, number: int, text: str) -> None:
        self._summary.invalid += 1
        if self._summary.invalid <= MAX_SHOWN_PROBLEMS:
            self._chatter.print(f"line {number}: {text}" if number else text)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Take over what the publisher gives up, so that nothing is lost with its exception."""
        try:
            yield
        except UnsentError as error:
            self._unsent += error.increments
            self._reasons |= dict.fromkeys(error.reasons)
