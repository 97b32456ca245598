"""`tally send`: publishes increments from arguments, a file or standard input.

It names the bad lines, keeps what SQS did not confirm, and leaves nothing half done at Ctrl-C.
"""

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import typer
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tally.cli import lines
from tally.cli.lines import Format, Line
from tally.cli.lookout import Lookout
from tally.cli.output import (
    EXAMPLE,
    FAILED,
    INTERRUPTED,
    OK,
    Output,
    chatter,
    counted,
    fail,
    refuse,
    say_json,
)
from tally.cli.signals import Interrupts, interruptible
from tally.cli.unsent import UnsentFile
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import build, encode
from tally.counters.identity import identity_of
from tally.environment import A_QUEUE_URL, is_queue_url
from tally.publishing.connection import SqsClient, connect
from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Stats

MAX_SHOWN_PROBLEMS = 20
"""How many bad lines are named; the rest are only counted."""

PATIENCE = "Waiting for SQS to confirm what was read; Ctrl-C again gives it up."

NOTHING_READ = "interrupted before anything was read"

INTERRUPTION = "interrupted"
OUTAGE = "SQS has stopped confirming"
"""The two reasons to stop before the end."""

Counter = Annotated[str | None, typer.Argument(help="The counter, if not from a file.")]
Amount = Annotated[int, typer.Option(help="What to add; negative to take away.")]
Count = Annotated[int, typer.Option(min=1, help="How many such increments.")]
Max = Annotated[int | None, typer.Option("--max", help="Reject what would exceed this count.")]
Min = Annotated[int | None, typer.Option("--min", help="Reject what would fall below this count.")]
File = Annotated[
    typer.FileBinaryRead | None, typer.Option("--file", help="JSON lines or CSV; - for stdin.")
]
Form = Annotated[
    Format | None, typer.Option("--format", help="The file's; by default from its name.")
]
Unsent = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        writable=True,
        help="Where to keep what SQS did not confirm; what does not fit is printed on stderr.",
    ),
]


def _given(queue_url: str) -> str:
    """The queue's URL; an invalid one is refused now, since boto3 would try it again and again."""
    if not queue_url:
        refuse(f"it is missing; {EXAMPLE}")
    if not is_queue_url(queue_url):
        refuse(f"must be {A_QUEUE_URL}, as `tally local up` prints one, found {shown(queue_url)}")
    return queue_url


QueueUrl = Annotated[str, typer.Option(envvar="SQS_QUEUE_URL", help="The queue.", callback=_given)]
StdOut = Annotated[Output, typer.Option("--output", help="What to print on stdout.")]


def send(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    queue_url: QueueUrl = "",
    counter: Counter = None,
    amount: Amount = 1,
    count: Count = 1,
    maximum: Max = None,
    minimum: Min = None,
    file: File = None,
    form: Form = None,
    unsent: Unsent = None,
    output: StdOut = Output.TEXT,
) -> None:
    """Publish increments: of COUNTER [--count N], or from a --file, one per line.

    For a single increment it prints the name, which `tally outcome` takes.

    If a --file is sent again, as after a SIGKILL, its rows count again, unless each has an id and
    an at.

    Exit status 0: SQS confirmed all. 1: a line was bad or something is unconfirmed; the good lines
    were sent, and sending the --unsent file again counts nothing twice. If SQS stops confirming,
    the command stops, and names the line. 130: Ctrl-C or SIGTERM; what was read is still sent,
    unless a second one comes.
    """
    chosen = {"counter": counter, "amount": amount, "max": maximum, "min": minimum}
    given = {name: value for name, value in chosen.items() if value is not None}
    _check(given, count, file, form, unsent)
    source: Iterable[Line]
    if file is not None:
        source, total = lines.read(file, form or _format(file)), _size(file)
    else:
        source, total = itertools.repeat(Line(0, given), count), count
    console = chatter()
    with connected(queue_url) as client, interruptible(), _progress(total, file, console) as show:
        publisher = Publisher(queue_url, client=client)
        sending = Sending(publisher, unsent, console, tell_event=file is None and count == 1)
        with Lookout(publisher, sending.say, show).watching():
            sending.run(source)
    sending.report(output)


def _check(
    given: Mapping[str, Any],
    count: int,
    file: BinaryIO | None,
    form: Format | None,
    unsent: Path | None,
) -> None:
    """End with a usage error if the command makes no sense, before anything is sent."""
    if ("counter" in given) is (file is not None):
        refuse("give a COUNTER or a --file, and not both")
    if unsent and not unsent.parent.is_dir():
        refuse(f"--unsent: there is no directory {str(unsent.parent)!r}")
    if file is not None:
        if given != {"amount": 1} or count != 1:
            refuse("--amount, --count, --max and --min are for a COUNTER; a --file has its own")
        if unsent and _is_same(file, unsent):
            refuse("--unsent: is the --file, and would be written before that is read")
        return
    if form:
        refuse("--format is for a --file")
    try:
        build(given)
    except InvalidIncrementError as error:
        refuse(str(error))


def _is_same(file: BinaryIO, path: Path) -> bool:
    return path.is_file() and os.path.samestat(os.fstat(file.fileno()), path.stat())


@contextlib.contextmanager
def _progress(
    total: int | None, file: BinaryIO | None, console: Console
) -> Iterator[Callable[[Stats], None]]:
    """A bar on stderr, if a person is watching: how much is confirmed, not how much was read."""
    confirmed = TextColumn("{task.fields[confirmed]:,} confirmed")
    columns = TextColumn("sending"), BarColumn(), TimeElapsedColumn(), confirmed
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("sending", total=total, confirmed=0)

        def show(stats: Stats) -> None:
            done: float = stats.confirmed
            if file and total and stats.published:
                # Nobody knows which bytes are confirmed: take the share of increments.
                done *= file.tell() / stats.published
            progress.update(task, completed=done, confirmed=stats.confirmed)

        yield show


def _format(file: BinaryIO) -> Format:
    name = str(getattr(file, "name", ""))
    return Format.CSV if name.lower().endswith(".csv") else Format.JSONL


def _size(file: BinaryIO) -> int | None:
    """The bytes of a file; None for a pipe."""
    if not file.seekable():
        return None
    start = file.tell()  # a shell may hand over a partly read file
    size = file.seek(0, os.SEEK_END)
    file.seek(start)
    return size


@contextlib.contextmanager
def connected(queue_url: str) -> Iterator[SqsClient]:
    """A client from the environment; if it cannot be made, the command ends with one line."""
    try:
        client = connect(queue_url)
    except (BotoCoreError, ValueError) as error:  # no region, no such profile, no endpoint
        fail(str(error))
    with contextlib.closing(client):
        yield client


class Sending:
    """Publishes lines, names the bad ones, and keeps what SQS does not confirm in `unsent`.

    It stops when the publisher has given up more than it keeps, and SQS has confirmed nothing since
    the last time. Remarks go to the console of the progress bar; if `tell_event`, the event's name
    is the result.
    """

    def __init__(
        self,
        publisher: Publisher,
        unsent: Path | None,
        chatter: Console,
        *,
        tell_event: bool = False,
    ) -> None:
        self._publisher = publisher
        self._unsent = UnsentFile(unsent) if unsent else None
        self._chatter = chatter
        self._tell_event = tell_event
        self._confirmed = 0
        self._reasons: dict[str, None] = {}
        self._interrupts = Interrupts(self._answer)
        self._invalid = 0
        self._stopped_at = 0  # the line, or the increment of so many, after which nothing was sent
        self._event = ""
        self._took_s = 0.0

    def run(self, source: Iterable[Line]) -> None:
        """Publish all.

        Ctrl-C ends the reading, and what was read is still sent; a second one gives that up.
        """
        started_at = time.monotonic()
        with self._interrupts.counted():
            try:
                self._send(self._interrupts.until_first(source))
            finally:
                self._keep_unsent_of(self._publisher.close)
            self._took_s = round(time.monotonic() - started_at, 3)

    def say(self, text: str) -> None:
        """Print a remark on one line, for programs that read stderr."""
        self._chatter.print(text, soft_wrap=True)

    def report(self, output: Output) -> NoReturn:
        """Say what happened, and end with the status that says the same."""
        stats = self._publisher.stats
        unsent = stats.published - stats.confirmed
        for reason in self._reasons:
            self.say(f"not confirmed: {reason}")
        if self._unsent and self._unsent.kept:
            self.say(f"kept, to be sent again: {counted(self._unsent.kept, 'increment')}")
        if self._unsent and self._unsent.problem:
            lost = counted(self._unsent.lost, "increment")
            self.say(f"not kept, but printed above, one a line: {lost} ({self._unsent.problem})")
        self.say(
            f"{counted(stats.confirmed, 'increment')} confirmed "
            f"in {counted(stats.messages, 'message')}, "
            f"{unsent} not confirmed, {self._invalid} invalid"
        )
        if output is Output.JSON:
            say_json(self._summary(stats))
        elif self._event:
            typer.echo(self._event)
        if self._interrupts.came:
            raise typer.Exit(INTERRUPTED)
        raise typer.Exit(FAILED if unsent or self._invalid else OK)

    def _send(self, source: Iterable[Line]) -> None:
        done, last = 0, Line(0, {})
        for done, last in enumerate(source, 1):
            if not self._take(last):
                self._stop(last, done)
                break
        if self._interrupts.cut:
            self._cut(last, done)

    def _take(self, line: Line) -> bool:
        """Publish a line; returns whether it makes sense to go on."""
        if line.problem:
            self._problem(line.number, line.problem)
            return True
        try:
            return self._publish(line.fields)
        except InvalidIncrementError as error:
            self._problem(line.number, str(error))
            return True
        except PublisherClosedError:  # a second signal closed it
            return False

    def _publish(self, fields: Mapping[str, Any]) -> bool:
        try:
            published = self._publisher.publish_fields(fields)
        except UnsentError as error:
            # It had given up more than it keeps, and did not take this one; now there is room.
            self._keep(error)
            before, self._confirmed = self._confirmed, self._publisher.stats.confirmed
            return before < self._confirmed and self._publish(fields)
        if self._tell_event:
            self._event = identity_of(published)
        return True

    def _answer(self, number: int) -> None:
        """Ask for patience at the first signal; at the second, wait no longer."""
        if number == 1:
            with contextlib.suppress(OSError, SystemExit):  # rich's, if nobody reads any more
                self.say(PATIENCE)
        else:
            self._keep_unsent_of(self._publisher.abandon)

    def _summary(self, stats: Stats) -> dict[str, Any]:
        """What became of the increments, for programs."""
        happened = {"stopped_at": self._stopped_at, "event": self._event}
        return {
            "confirmed": stats.confirmed,
            "unsent": stats.published - stats.confirmed,
            "invalid": self._invalid,
            "messages": stats.messages,
            "requests": stats.requests,
            "retries": stats.retries,
            "seconds": self._took_s,
        } | {name: value for name, value in happened.items() if value}

    def _stop(self, line: Line, done: int) -> None:
        self._stopped_at = line.number or done
        why = INTERRUPTION if self._interrupts.came else OUTAGE
        self.say(f"stopped at {_name(line, done)}; it and all that follows were not sent: {why}")

    def _cut(self, last: Line, done: int) -> None:
        self._stopped_at = (last.number or done) + 1
        after = f"interrupted after {_name(last, done)}: nothing after it was sent"
        self.say(after if done else NOTHING_READ)

    def _problem(self, number: int, text: str) -> None:
        self._invalid += 1
        if self._invalid <= MAX_SHOWN_PROBLEMS:
            self.say(f"line {number}: {text}")

    def _keep_unsent_of(self, ending: Callable[[], object]) -> None:
        """Keep what the publisher gives up at its end: it would be lost with the error."""
        try:
            ending()
        except UnsentError as error:
            self._keep(error)

    def _keep(self, error: UnsentError) -> None:
        self._reasons |= dict.fromkeys(error.reasons)
        if self._unsent:
            for one in self._unsent.keep(error.increments):
                self.say(encode(one).decode())


def _name(line: Line, done: int) -> str:
    return f"line {line.number}" if line.number else f"increment {done}"
