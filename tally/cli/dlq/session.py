"""What every `tally dlq` command begins and ends with: the queues, Momento, and giving back."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from tally.aws import AWS_ERRORS, CONNECT_ERRORS, connect, described
from tally.cli.dlq.choice import Choice, needs_momento
from tally.cli.dlq.ledgers import Judge, judge_from
from tally.cli.dlq.letter import Letter
from tally.cli.dlq.places import Place, PlaceError, locate
from tally.cli.dlq.queue import HOLD_S, DeadLetterQueue
from tally.cli.momento import MOMENTO_ERRORS
from tally.cli.output import INTERRUPTED, chatter, fail
from tally.cli.signals import interruptible


@dataclasses.dataclass(frozen=True)
class Session:
    """An open dead-letter queue; what is looked at is given back in the end.

    Attributes:
        client: boto3's SQS client.
        expected: how many letters SQS says there are.
    """

    client: Any
    place: Place
    queue: DeadLetterQueue
    judge: Judge
    expected: int


@contextlib.contextmanager
def opened(queue_url: str, source_url: str, choice: Choice, *, asks: bool) -> Iterator[Session]:
    """Open the dead-letter queue; errors of AWS and Momento end the command with one line.

    Args:
        queue_url: the dead-letter queue, if it was given.
        source_url: the queue that it belongs to, if it was given.
        choice: says whether the command can do without Momento.
        asks: whether Momento is asked if it can be.
    """
    with _told(), contextlib.ExitStack() as parts:
        parts.enter_context(interruptible())
        client = _client(parts)
        judge = parts.enter_context(_judge(needed=needs_momento(choice.why), wanted=asks))
        place = locate(client, queue_url, source_url)
        queue = DeadLetterQueue(client, place.url)
        parts.enter_context(closing(queue))
        visible, held = queue.depth()
        if held:
            say(f"{held} more messages are held by somebody else, for now")
        yield Session(client, place, queue, judge, visible)


@contextlib.contextmanager
def closing(queue: DeadLetterQueue) -> Iterator[None]:
    """Give back what is held, however the command ends; and say why it ended."""
    with contextlib.ExitStack() as parts:
        parts.callback(_give_back, queue)
        parts.enter_context(_told())
        yield


def say(text: str) -> None:
    """A remark on stderr, in one line."""
    chatter().print(text, soft_wrap=True)


def _client(parts: contextlib.ExitStack) -> Any:  # noqa: ANN401 (boto3's)
    try:
        client = connect("sqs")
    except CONNECT_ERRORS as error:  # no region, no such profile, no endpoint
        fail(str(error))
    parts.callback(client.close)
    return client


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """End the command with one line if AWS or Momento fails, or a signal comes."""
    try:
        yield
    except AWS_ERRORS as error:
        fail(f"SQS: {described(error)}")
    except MOMENTO_ERRORS as error:
        fail(f"Momento: {error}")
    except PlaceError as error:
        fail(str(error))
    except KeyboardInterrupt:
        say("interrupted; giving back what was held")
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _judge(*, needed: bool, wanted: bool) -> Iterator[Judge]:
    """What tells the standing of letters; if Momento fails where it is not needed, nobody does."""
    if needed:
        with judge_from(os.environ) as judge:
            yield judge
        return
    with contextlib.ExitStack() as parts:
        judge = list
        if wanted:
            try:
                judge = parts.enter_context(judge_from(os.environ))
            except MOMENTO_ERRORS as error:
                say(f"Momento is not asked: {error}")
        yield _Lenient(judge)


class _Lenient:
    """Asks Momento until it fails; from then on letters keep the standing that they have."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __call__(self, letters: Sequence[Letter]) -> list[Letter]:
        try:
            return self._judge(letters)
        except MOMENTO_ERRORS as error:
            say(f"Momento is not asked any more: {error}")
            self._judge = list
            return list(letters)


def _give_back(queue: DeadLetterQueue) -> None:
    if not queue.give_back():
        say(f"not all was given back: it is hidden for up to {HOLD_S} s")
