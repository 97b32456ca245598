"""`tally send`: publishes increments from arguments, a file or standard input."""

import contextlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tally.cli import lines
from tally.cli.lines import Format, Line
from tally.cli.lookout import Lookout
from tally.cli.output import EXAMPLE, Output, chatter
from tally.cli.sending import Sending, connected
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import build
from tally.publishing.publisher import Publisher
from tally.publishing.stats import Stats

Counter = Annotated[str | None, typer.Argument(help="The counter, if not from a file.")]
Amount = Annotated[int, typer.Option(help="What to add; negative to take away.")]
Count = Annotated[int, typer.Option(min=1, help="How many such increments.")]
Max = Annotated[int | None, typer.Option("--max", help="Reject what would exceed this count.")]
Min = Annotated[int | None, typer.Option("--min", help="Reject what would fall below this count.")]
File = Annotated[
    typer.FileBinaryRead | None, typer.Option("--file", help="JSON lines or CSV; - for stdin.")
]
Form = Annotated[
    Format | None, typer.Option("--format", help="Of the file; by its name if not given.")
]
Unsent = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        writable=True,
        help="Where to keep what SQS did not confirm; what does not fit is printed on stderr.",
    ),
]


_URL = re.compile("https?://[^/]")


def _given(queue_url: str) -> str:
    """The queue's URL.

    Raises:
        BadParameter: there is none, or what there is cannot be one: botocore would take anything,
            and SQS be asked for it again and again.
    """
    if not queue_url:
        message = f"there is none; {EXAMPLE}"
        raise typer.BadParameter(message)
    if not _URL.match(queue_url):
        message = f"must be a URL, as `tally local up` prints one, found {shown(queue_url)}"
        raise typer.BadParameter(message)
    return queue_url


QueueUrl = Annotated[str, typer.Option(envvar="SQS_QUEUE_URL", help="Where to.", callback=_given)]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]


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
    """Publish increments: COUNTER [--count N], or those of a --file, one a line.

    A single one's name is printed, which `tally outcome` takes.

    To send a --file again, as after a SIGKILL, counts its rows again, unless each has an id and at.

    Exit status 0: SQS confirmed all. 1: a line was bad or something is unconfirmed; the good lines
    were sent all the same, and to send --unsent again counts nothing twice. Where SQS confirms
    nothing any more, it stops, and says at which line. 130: so does Ctrl-C or SIGTERM, and what was
    read is sent; a second one gives that up.
    """
    chosen = {"counter": counter, "amount": amount, "max": maximum, "min": minimum}
    given = {name: value for name, value in chosen.items() if value is not None}
    if problem := _problem(given, count, file, form, unsent):
        raise typer.BadParameter(problem)
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


def _problem(
    given: Mapping[str, Any],
    count: int,
    file: BinaryIO | None,
    form: Format | None,
    unsent: Path | None,
) -> str:
    """Why the command makes no sense, before anything is sent; empty if it does."""
    if ("counter" in given) is (file is not None):
        return "give a COUNTER or a --file, and not both"
    if unsent and not unsent.parent.is_dir():
        return f"--unsent: there is no directory {str(unsent.parent)!r}"
    if file is None:
        return "--format is for a --file" if form else _invalid(given)
    if given != {"amount": 1} or count != 1:
        return "--amount, --count, --max and --min are for a COUNTER; a --file has its own"
    if unsent and _is_same(file, unsent):
        return "--unsent: is the --file, and would be written before that is read"
    return ""


def _invalid(fields: Mapping[str, Any]) -> str:
    try:
        build(fields)
    except InvalidIncrementError as error:
        return str(error)
    return ""


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
                # Of bytes nobody knows which are confirmed: their share is that of increments.
                done *= file.tell() / stats.published
            progress.update(task, completed=done, confirmed=stats.confirmed)

        yield show


def _format(file: BinaryIO) -> Format:
    name = str(getattr(file, "name", ""))
    return Format.CSV if name.lower().endswith(".csv") else Format.JSONL


def _size(file: BinaryIO) -> int | None:
    """The bytes of a file; of a pipe nobody knows."""
    if not file.seekable():
        return None
    start = file.tell()  # a shell may hand over a file that is read in part
    size = file.seek(0, os.SEEK_END)
    file.seek(start)
    return size
