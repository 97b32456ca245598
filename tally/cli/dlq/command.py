"""`tally dlq list | show | redrive | purge`: the dead letters, and what becomes of them."""

import functools
from typing import Annotated

import typer

from tally.cli.dlq import report, view, work
from tally.cli.dlq.choice import Choice
from tally.cli.dlq.letter import Standing
from tally.cli.dlq.options import (
    DEFAULT_LIMIT,
    Anonymous,
    DryRun,
    Ids,
    Limit,
    OfCounter,
    Older,
    QueueUrl,
    Reason,
    SourceUrl,
    StdOut,
    Yes,
    choice,
)
from tally.cli.dlq.places import source_of
from tally.cli.dlq.queue import send
from tally.cli.dlq.session import Session, opened, say
from tally.cli.output import Output, fail, say_json
from tally.publishing.sequence import now_ms

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
    older_than: Older = None,
    limit: Limit = DEFAULT_LIMIT,
    output: StdOut = Output.TEXT,
) -> None:
    """List dead letters, and why each is there, as far as contract and ledgers tell.

    Looking means receiving: a letter is hidden meanwhile, and its receive count rises, which means
    nothing here. Why a valid one came here is in the consumer's log, under its message id.
    """
    chosen = choice(limit, counter, reason, ids, older_than)
    with opened(queue_url, source_url, chosen, asks=True) as session:
        report.listed(_looked(session, chosen), output)


@dlq.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or how it begins.")],
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    output: StdOut = Output.TEXT,
) -> None:
    """Print one dead letter whole."""
    chosen = choice(1, ids=[letter_id])
    with opened(queue_url, source_url, chosen, asks=True) as session:
        found = _looked(session, chosen, show=False).chosen
    if not found:
        fail(f"there is no dead letter {letter_id!r} among those that SQS shows now")
    if output is Output.JSON:
        say_json(view.as_json(found[0], whole=True))
    else:
        view.whole(found[0], now_ms())


@dlq.command()
def redrive(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    counter: OfCounter = None,
    reason: Reason = None,
    ids: Ids = None,
    older_than: Older = None,
    limit: Limit = DEFAULT_LIMIT,
    include_anonymous: Anonymous = False,
    dry_run: DryRun = False,
    output: StdOut = Output.TEXT,
) -> None:
    """Send dead letters to their queue again; valid ones, if neither --reason nor --id is given.

    Each is sent, then deleted: one may arrive twice, none is lost, and increments with an identity
    are counted once all the same. An anonymous one would count again under its new message id: it
    is left, or with --include-anonymous gets the identity written into it that it has had so far.
    Exit status 1: not all that was asked for is done.
    """
    why = reason or (None if ids else Standing.VALID)
    chosen = choice(limit, counter, why, ids, older_than)
    with opened(queue_url, source_url, chosen, asks=dry_run) as session:
        if dry_run:
            report.listed(_looked(session, chosen), output)
            return
        target = source_of(session.client, session.place)
        result = work.Result()
        pages = work.choose(session.queue, session.expected, chosen, session.judge, result)
        call = functools.partial(send, session.client, target)
        for sent in work.redrive(
            session.queue, pages, call, result, include_anonymous=include_anonymous
        ):
            say(f"{sent} sent")
        report.say_unseen(session, result, limit)
    report.redriven(result, output)


@dlq.command()
def purge(  # noqa: PLR0913 (the options of a command, which typer passes by name)
    *,
    queue_url: QueueUrl = "",
    source_url: SourceUrl = "",
    counter: OfCounter = None,
    reason: Reason = None,
    ids: Ids = None,
    older_than: Older = None,
    limit: Limit = DEFAULT_LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: StdOut = Output.TEXT,
) -> None:
    """Delete dead letters for good, once they were shown and that is confirmed.

    What was not looked at stays. What was is held for some 110 s: an answer that comes later
    deletes nothing. Exit status 1: not confirmed, or not all is deleted.
    """
    chosen = choice(limit, counter, reason, ids, older_than)
    with opened(queue_url, source_url, chosen, asks=True) as session:
        result = _looked(session, chosen)
        if dry_run:
            report.listed(result, output)
            return
        if result.chosen and not yes:
            report.confirm(result.chosen)
        work.purge(session.queue, result)
    report.purged(result, output)


def _looked(session: Session, chosen: Choice, *, show: bool = True) -> work.Result:
    """Look at all letters that there are, up to the limit of those that are chosen."""
    result = work.Result()
    for _ in work.choose(session.queue, session.expected, chosen, session.judge, result):
        pass
    if show:
        report.say_unseen(session, result, chosen.limit)
    return result
