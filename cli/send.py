"""`tally send`: publishes increments from arguments, a file or standard input."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli import lines
from cli.lines import Format, Line
from cli.output import Output, chatter
from cli.sending import Sending
from producer.publisher import Publisher


def send(  # noqa: PLR0913, PLR0917 (the options of a command, which typer passes by name)
    counter: Annotated[str | None, typer.Argument(help="The counter, if not from a file.")] = None,
    amount: Annotated[int, typer.Option(help="What to add; negative to take away.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="How many such increments.")] = 1,
    maximum: Annotated[
        int | None, typer.Option("--max", help="Reject what would exceed this count.")
    ] = None,
    minimum: Annotated[
        int | None, typer.Option("--min", help="Reject what would fall below this count.")
    ] = None,
    file: Annotated[
        typer.FileBinaryRead | None, typer.Option(help="JSON lines or CSV; - for stdin.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Of the file; by its name if not given.")
    ] = None,
    unsent: Annotated[
        Path | None, typer.Option(help="Where to keep what SQS did not confirm, as JSON lines.")
    ] = None,
    queue_url: Annotated[
        str, typer.Option(envvar="SQS_QUEUE_URL", help="Where to.", show_default=False)
    ] = "",
    output: Annotated[Output, typer.Option(help="What stdout is for.")] = Output.TEXT,
) -> None:
    """Publish increments: COUNTER [--count N], or those of a --file, one a line.

    Exit status 0: SQS confirmed all. 1: a line was bad or something is unconfirmed; the good lines
    were sent all the same, and to send --unsent again counts nothing twice.
    """
    if (counter is None) is (file is None):
        message = "give a COUNTER or a --file, and not both"
        raise typer.BadParameter(message)
    if not queue_url:
        message = "give --queue-url, or set SQS_QUEUE_URL"
        raise typer.BadParameter(message)
    if file is not None:
        source, total = lines.read(file, form or _format(file)), _size(file)
    else:
        fields = {"counter": counter, "amount": amount, "max": maximum, "min": minimum}
        given = {name: value for name, value in fields.items() if value is not None}
        source, total = (Line(0, given) for _ in range(count)), count
    sending = Sending(Publisher(queue_url), unsent)
    with _progress(total) as (progress, task):
        for done in sending.run(source):
            progress.update(task, completed=file.tell() if file and total else done)
    sending.report(output)


@contextlib.contextmanager
def _progress(total: int | None) -> Iterator[tuple[Progress, TaskID]]:
    """A bar on stderr, if a person is watching."""
    columns = (
        TextColumn("sending"),
        BarColumn(),
        TextColumn("{task.completed}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=chatter(), disable=not sys.stderr.isatty()) as progress:
        yield progress, progress.add_task("sending", total=total)


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
