"""`tally reset`: sets a counter to a number, once, through the queue like any event."""

import contextlib
import functools
from typing import Annotated

import typer

from tally.cli.lookout import Lookout
from tally.cli.output import fail, refuse
from tally.cli.reading import OneCounter
from tally.cli.send import QueueUrl, connected
from tally.cli.signals import interruptible
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import INT64_MAX, INT64_MIN
from tally.counters.identity import identity_of
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher

To = Annotated[int, typer.Option("--to", min=INT64_MIN, max=INT64_MAX, help="The new count.")]


def reset(counter: OneCounter, queue_url: QueueUrl = "", to: To = 0) -> None:
    """Set COUNTER to 0, or to another number, whatever its count is.

    It prints the event's name, which `tally outcome` takes. Exit status 0: SQS confirmed it,
    and it will be applied once. 1: it is unconfirmed, and may still be applied.
    """
    try:
        with connected(queue_url) as client, interruptible():
            publisher = Publisher(queue_url, client=client, linger_s=0)
            try:
                typer.echo(identity_of(publisher.reset(counter, to)))
                with Lookout(publisher, functools.partial(typer.echo, err=True)).watching():
                    publisher.close()
            except KeyboardInterrupt:
                with contextlib.suppress(UnsentError):
                    publisher.abandon()  # else it would be sent for some time yet
                raise
    except InvalidIncrementError as error:
        refuse(str(error))
    except UnsentError as error:
        fail(str(error))
