"""`tally send`: publishes increments from arguments, a file or standard input."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from botocore.exceptions import BotoCoreError
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli import lines
from cli.lines import Format, Line
from cli.output import Output, chatter, fail
from cli.sending import Sending
from producer.publisher import Publisher

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
    Path | None, typer.Option(help="Where to keep what SQS did not confirm, as JSON lines.")
]
QueueUrl = Annotated[str, typer.Option(envvar="SQS_QUEUE_URL", help="Where to.")]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]


def send(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    queue_url: QueueUrl,
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

    Exit status 0: SQS confirmed all. 1: a line was bad or something is unconfirmed; the good lines
    were sent all the same, and to send --unsent again counts nothing twice.
    """
    if (counter is None) is (file is None):
        message = "give a COUNTER or a --file, and not both"
        raise typer.BadParameter(message)
    source: Iterable[Line]
    if file is not None:
        source, total = lines.read(file, form or _format(file)), _size(file)
    else:
        fields = {"counter": counter, "amount": amount, "max": maximum, "min": minimum}
        given = {name: value for name, value in fields.items() if value is not None}
        source, total = itertools.repeat(Line(0, given), count), count
    sending = Sending(Publisher(queue_url), unsent)
    try:
        with _progress(total) as show:
            for done in sending.run(source):
                show(file.tell() if file and total else done)
    except BotoCoreError as error:  # before anything was sent: no region, no such profile
        fail(str(error))
    sending.report(output)


@contextlib.contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, if a person is watching."""
    columns = TextColumn("sending"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=chatter(), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("sending", total=total)
        yield lambda done: progress.update(task, completed=done)


def _format(file: BinaryIO) -> Format:
    name = str(getattr(file, "name", ""))
    return Format.CSV if name.lower().endswith(".csv") else Format.JSONL


def _size(file: BinaryIO) -> int | None:
    """The bytes of a file; of a pipe nobody knows."""
    if not file.seekable():
        return None
    size = file.seek(0, 2)
    file.seek(0)
    return size
