"""`tally get`: prints counts."""

import os
from typing import Annotated

import typer

from cli.momento import ReadError, read_counts
from cli.output import FAILED, Output, fail, say_json
from store.errors import SettingsError


def get(
    counters: Annotated[list[str], typer.Argument(help="The counters' names.")],
    output: Annotated[Output, typer.Option(help="How to print.")] = Output.TEXT,
) -> None:
    """Print the count of each COUNTER, one a line, with its name if there are several.

    Exit status 1 if one does not exist, or Momento does not answer.
    """
    try:
        counts = dict(read_counts(counters, os.environ))
    except (ReadError, SettingsError) as error:
        fail(str(error))
    if output is Output.JSON:
        say_json(counts)
    for name, count in counts.items():
        if count is None:
            typer.echo(f"tally: there is no counter {name!r}", err=True)
        elif output is Output.TEXT:
            typer.echo(str(count) if len(counts) == 1 else f"{name}\t{count}")
    if None in counts.values():
        raise typer.Exit(FAILED)
