"""`tally dlq list | show | redrive | purge`: the dead letters, and what becomes of them."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tally.aws import AWS_ERRORS, CONNECT_ERRORS, connect, described
from tally.cli.dlq import printing
from tally.cli.dlq.letters import Choice, Judge, Letter, Standing, judge_from
from tally.cli.dlq.printing import MIN_ID_CHARS, SECONDS, say
from tally.cli.dlq.queue import (
    HOLD_S,
    MAX_REDRIVEN,
    DeadLetterQueue,
    Handling,
    WrongQueueError,
    locate,
)
from tally.cli.output import INTERRUPTED, Output, fail, refuse, say_json
from tally.cli.reading import STORE_ERRORS
from tally.cli.signals import interruptible
from tally.environment import store_name
from tally.publishing.sequence import now_ms

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
"""The most letters of one command, since it holds them; of a redrive, MAX_REDRIVEN."""

_DURATION = re.compile("([0-9]{1,9})([smhd]?)")


def duration_s(text: str) -> int:
    """Seconds from `90`, `90s`, `15m`, `2h` or `3d`; BadParameter for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        refuse(f"a time is written as 90s, 15m, 2h or 3d, found {text!r}")
    return int(found[1]) * SECONDS[found[2] or "s"]


def _sent_before(age: str) -> int:
    return now_ms() - duration_s(age) * 1_000


def _id(text: str) -> str:
    if len(text) < MIN_ID_CHARS:
        refuse(f"an id has at least {MIN_ID_CHARS} characters, found {text!r}")
    return text


QueueUrl = Annotated[
    str,
    typer.Option(envvar="SQS_DLQ_URL", help="The dead-letter queue; by default --source-url's."),
]
SourceUrl = Annotated[
    str, typer.Option(envvar="SQS_QUEUE_URL", help="The queue whose dead letters they are.")
]
OfCounter = Annotated[
    str | None, typer.Option("--counter", help="With increments of this counter.")
]
Reason = Annotated[
    Standing | None, typer.Option("--reason", help="That are there for this reason.")
]
Ids = Annotated[
    list[str] | None,
    typer.Option(
        "--id",
        parser=_id,
        metavar="ID",
        help=f"With this id, or its first {MIN_ID_CHARS} characters; repeatable.",
    ),
]
Before = Annotated[
    int | None,
    typer.Option(
        "--older-than",
        parser=_sent_before,
        metavar="AGE",
        help="Older than this: 90s, 15m, 2h, 3d.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="The most letters.")]
RedriveLimit = Annotated[int, typer.Option(min=1, max=MAX_REDRIVEN, help="The most letters.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Anonymous = Annotated[
    bool,
    typer.Option("--include-anonymous", help="Also those that only their message id identifies."),
]
StdOut = Annotated[Output, typer.Option("--output", help="What stdout is for.")]

dlq = typer.Typer(
    help="Dead letters: messages that SQS gave up after too many receives.", no_args_is_help=True
)


@dlq.command("list")
def list_(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    counter: OfCounter = None,
    reason: Reason = None,
    ids: Ids = None,
    sent_before: Before = None,
    limit: Limit = DEFAULT_LIMIT,
    output: StdOut = Output.TEXT,
) -> None:
    """List dead letters, and why each is there, as far as contract and ledgers tell.

    To look at a letter is to receive it: it is hidden meanwhile, and its receive count rises, which
    has no effect here. The consumer's log says, under its message id, why a valid one is here.
    """
    choice = Choice(limit, counter, reason, ids or (), sent_before)
    with _opened(queue_url, source_url, choice) as handling:
        handling.look()
        printing.listed(handling, output)


@dlq.command()
def show(
    letter_id: Annotated[
        str, typer.Argument(metavar="ID", parser=_id, help="The id, or how it begins.")
    ],
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    output: StdOut = Output.TEXT,
) -> None:
    """Print one dead letter whole."""
    with _opened(queue_url, source_url, Choice(1, ids=[letter_id])) as handling:
        handling.look()
    if not handling.chosen:
        fail(f"there is no dead letter {letter_id!r} among those that SQS shows now")
    if output is Output.JSON:
        say_json(printing.as_json(handling.chosen[0], whole=True))
    else:
        printing.whole(handling.chosen[0], now_ms())


@dlq.command()
def redrive(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    counter: OfCounter = None,
    reason: Reason = None,
    ids: Ids = None,
    sent_before: Before = None,
    limit: RedriveLimit = DEFAULT_LIMIT,
    include_anonymous: Anonymous = False,
    dry_run: DryRun = False,
    output: StdOut = Output.TEXT,
) -> None:
    """Send dead letters to their queue again; valid ones, if neither --reason nor --id is given.

    Each is sent, then deleted: one may arrive twice, none is lost, and increments with an identity
    still count once. An anonymous one would count again under its new message id, so it is left;
    --include-anonymous sends it with its present identity written into it.
    Exit status 1: not all was done.
    """
    why = reason or (None if ids else Standing.VALID)
    choice = Choice(limit, counter, why, ids or (), sent_before)
    with _opened(queue_url, source_url, choice, asks=dry_run) as handling:
        if dry_run:
            handling.look()
            printing.listed(handling, output)
            return
        target_url = handling.queue.source(source_url)
        counts = handling.redrive(target_url, include_anonymous=include_anonymous)
        for line in printing.progress(counts, min(limit, handling.expected)):
            say(line)
        printing.say_unseen(handling)
    printing.redriven(handling, output)


@dlq.command()
def purge(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    counter: OfCounter = None,
    reason: Reason = None,
    ids: Ids = None,
    sent_before: Before = None,
    limit: Limit = DEFAULT_LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: StdOut = Output.TEXT,
) -> None:
    """Show dead letters, ask, and delete them for good.

    Letters that were not looked at stay. The others are held for some 110 s: a later answer
    deletes nothing. Exit status 1: not confirmed, or not all were deleted.
    """
    choice = Choice(limit, counter, reason, ids or (), sent_before)
    with _opened(queue_url, source_url, choice) as handling:
        handling.look()
        if dry_run:
            printing.listed(handling, output)
            return
        printing.say_unseen(handling)
        if handling.chosen and not yes:
            printing.confirm(handling.chosen)
        handling.purge()
    printing.purged(handling, output)


@contextlib.contextmanager
def _opened(
    queue_url: str, source_url: str, choice: Choice, *, asks: bool = True
) -> Iterator[Handling]:
    """Open the dead-letter queue; errors of AWS and the store end the command with one line.

    If the choice needs no ledger, it works without the store; if not `asks`, it never asks it.
    """
    _check_given(queue_url, source_url)
    with _in_one_line(), contextlib.ExitStack() as parts:
        parts.enter_context(interruptible())
        try:
            sqs = connect("sqs", queue_url=queue_url or source_url)
            client = parts.enter_context(contextlib.closing(sqs))
        except CONNECT_ERRORS as error:  # no region, no such profile, no endpoint
            fail(str(error))
        judge = parts.enter_context(_judge(needed=choice.needs_ledgers, wanted=asks))
        queue = DeadLetterQueue(client, locate(client, queue_url, source_url))
        parts.enter_context(closing(queue))
        visible, held = queue.depth()
        if held:
            say(f"{held} more messages are held by somebody else, for now")
        yield Handling(queue, choice, judge, visible)


def _check_given(queue_url: str, source_url: str) -> None:
    if not (queue_url or source_url):
        refuse("give --queue-url or set SQS_DLQ_URL; or --source-url or SQS_QUEUE_URL")
    if queue_url == source_url:
        refuse(f"{queue_url} is given for the queue and for its dead letters")


@contextlib.contextmanager
def closing(queue: DeadLetterQueue) -> Iterator[None]:
    """Give back what is held, however the command ends, and say why it ended."""
    try:
        with _in_one_line():
            yield
    finally:
        if not queue.give_back():
            say(f"not all was given back: it is hidden for up to {HOLD_S} s")


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """End the command with one line if AWS or the store fails, or a signal comes."""
    try:
        yield
    except AWS_ERRORS as error:
        fail(f"SQS: {described(error)}")
    except STORE_ERRORS as error:
        fail(f"{store_name(os.environ)}: {error}")
    except WrongQueueError as error:
        fail(str(error))
    except KeyboardInterrupt:
        say("interrupted; giving back what was held")
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _judge(*, needed: bool, wanted: bool) -> Iterator[Judge]:
    """Tells the standing of letters.

    If the store fails but is not needed, letters keep the standing that they have.
    """
    with contextlib.ExitStack() as parts:
        judge: Judge = list
        try:
            if needed or wanted:
                judge = parts.enter_context(judge_from(os.environ))
        except STORE_ERRORS as error:
            if needed:
                raise
            say(f"{store_name(os.environ)} is not asked: {error}")

        def judged(letters: Sequence[Letter]) -> list[Letter]:
            nonlocal judge
            try:
                return judge(letters)
            except STORE_ERRORS as error:
                if needed:
                    raise
                say(f"{store_name(os.environ)} is not asked any more: {error}")
                judge = list
                return list(letters)

        yield judged
