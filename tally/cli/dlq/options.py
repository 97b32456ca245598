"""The options that the `tally dlq` commands share, as typer takes them, and what they mean."""

from collections.abc import Sequence
from typing import Annotated

import typer

from tally.cli.dlq.choice import MIN_ID_CHARS, Choice, duration_s
from tally.cli.dlq.letter import Standing
from tally.cli.output import Output
from tally.publishing.sequence import now_ms

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
"""Letters that one command takes; for more, run it again."""

QueueUrl = Annotated[
    str,
    typer.Option(envvar="SQS_DLQ_URL", help="The dead-letter queue; by default --source-url's."),
]
SourceUrl = Annotated[
    str, typer.Option(envvar="SQS_QUEUE_URL", help="The queue whose dead letters they are.")
]
OfCounter = Annotated[str | None, typer.Option("--counter", help="With increments of this one.")]
Reason = Annotated[Standing | None, typer.Option("--reason", help="Why they are there.")]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", help=f"Of this id, or its first {MIN_ID_CHARS} characters; repeatable."),
]
Older = Annotated[str | None, typer.Option("--older-than", help="Sent before: 90s, 15m, 2h, 3d.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Anonymous = Annotated[
    bool,
    typer.Option("--include-anonymous", help="Those too that are known by their message id only."),
]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]


def choice(
    limit: int,
    counter: str | None = None,
    why: Standing | None = None,
    ids: Sequence[str] | None = None,
    older_than: str | None = None,
) -> Choice:
    """What the options choose.

    Raises:
        BadParameter: an id is too short to name one message, or a time is none.
    """
    for one in ids or ():
        if len(one) < MIN_ID_CHARS:
            message = f"an id has at least {MIN_ID_CHARS} characters, found {one!r}"
            raise typer.BadParameter(message)
    try:
        age_s = None if older_than is None else duration_s(older_than)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    sent_before = None if age_s is None else now_ms() - age_s * 1_000
    return Choice(limit, counter, why, tuple(ids or ()), sent_before)
