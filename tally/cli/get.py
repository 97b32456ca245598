"""`tally get`: prints counts."""

from typing import Annotated

import typer

from tally.cli.momento import Counters, Shards, counts_of, reading
from tally.cli.output import FAILED, Output, say_json


def get(
    counters: Counters,
    shards: Shards = None,
    output: Annotated[Output, typer.Option(help="How to print.")] = Output.TEXT,
) -> None:
    """Print the count of each COUNTER, one a line, with its name if there are several.

    All are read in one call. Exit status 1 if one does not exist, or Momento does not answer.
    """
    with reading() as reader:
        counts = counts_of(reader, counters, shards)
    if output is Output.JSON:
        say_json(counts)
    for name, count in counts.items():
        if count is None:
            typer.echo(f"tally: there is no counter {name!r}", err=True)
        elif output is Output.TEXT:
            typer.echo(str(count) if len(counts) == 1 else f"{name}\t{count}")
    if None in counts.values():
        raise typer.Exit(FAILED)
