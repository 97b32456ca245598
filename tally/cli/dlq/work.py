"""Lists, redrives and purges: what a command does with the letters that it chose."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from tally.cli.dlq.choice import Choice
from tally.cli.dlq.ledgers import Judge
from tally.cli.dlq.letter import Letter
from tally.cli.dlq.queue import DeadLetterQueue, Failures


@dataclasses.dataclass
class Result:
    """What became of the letters.

    Attributes:
        looked_at: how many were received.
        chosen: those that passed the filters, in the order in which they came.
        anonymous: of these, those that a redrive has left, since they have no identity.
        sent: of these, those that their queue has confirmed.
        deleted: of these, those whose deletion is confirmed.
        unsent: why, by the letter's id; SQS may have stored some of these.
        undeleted: the same, of those that are in the dead-letter queue still.
    """

    looked_at: int = 0
    chosen: list[Letter] = dataclasses.field(default_factory=list)
    anonymous: int = 0
    sent: int = 0
    deleted: int = 0
    unsent: Failures = dataclasses.field(default_factory=dict)
    undeleted: Failures = dataclasses.field(default_factory=dict)


def choose(
    queue: DeadLetterQueue, expected: int, choice: Choice, judge: Judge, result: Result
) -> Iterator[list[Letter]]:
    """Look at page after page, and yield what passes the filters, until the limit is reached."""
    for page in queue.pages(expected):
        result.looked_at += len(page)
        room = choice.limit - len(result.chosen)
        chosen = [letter for letter in judge(page) if choice.takes(letter)][:room]
        result.chosen += chosen
        yield chosen
        if len(result.chosen) == choice.limit:
            return


def redrive(
    queue: DeadLetterQueue,
    pages: Iterator[Sequence[Letter]],
    send: Callable[[Sequence[Letter]], Failures],
    result: Result,
    *,
    include_anonymous: bool,
) -> Iterator[int]:
    """Send letters to their queue, and then delete them, page by page; yields how many were sent.

    In this order nothing is ever lost: what fails in between is in both queues, and its increments
    are known by their identity.
    """
    for page in pages:
        ready = [letter for letter in page if include_anonymous or not letter.is_anonymous]
        result.anonymous += len(page) - len(ready)
        unsent = send(ready)
        sent = [letter for letter in ready if letter.id not in unsent]
        undeleted = queue.delete(sent)
        result.sent += len(sent)
        result.deleted += len(sent) - len(undeleted)
        result.unsent |= unsent
        result.undeleted |= undeleted
        yield result.sent


def purge(queue: DeadLetterQueue, result: Result) -> None:
    """Delete the letters that were chosen, by their handles: what was not looked at stays."""
    result.undeleted = queue.delete(result.chosen)
    result.deleted = len(result.chosen) - len(result.undeleted)
