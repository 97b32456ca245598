"""SQS on this machine: a queue and its dead-letter queue, in a process of their own."""

import argparse
import contextlib
import json
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import ConnectionClosedError

from tally.local.child import (
    EXIT_WITH_PARENT,
    Child,
    ChildError,
    announce,
    hold_signals,
    wait_for_end,
)
from tally.local.sqs.aws import (
    MAX_RECEIVE_COUNT,
    VISIBILITY_TIMEOUT_S,
    Queues,
    create_queues,
    sqs_client,
    sqs_variables,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

NOT_RUNNING = "the local SQS is not running"


@dataclass(frozen=True)
class Depth:
    """How many messages a queue and its dead-letter queue hold, as SQS reports it."""

    visible: int
    in_flight: int
    dead: int
    dead_in_flight: int


class LocalQueue:
    """A queue and its dead-letter queue in moto, served on 127.0.0.1 by a process of its own.

    Beside one busy thread, moto serves 12 messages a second in this process, but 110 in its own,
    which ends with this one. It walks the whole queue at each call, so keep the queue shallow.

    Use it as a context manager; the URLs and the client are there after `__enter__`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        fifo: bool = False,
        visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        arguments = [
            f"--port={port}",
            f"--visibility-timeout={visibility_timeout_s}",
            f"--max-receive-count={max_receive_count}",
            *(["--fifo"] if fifo else []),
        ]
        self._server = Child("tally.local.sqs.queue", arguments)
        self._queues: Queues | None = None
        self._client: SQSClient | None = None

    def __enter__(self) -> Self:
        """Start the server and create the queues; ChildError if it does not start."""
        with contextlib.ExitStack() as undo:  # after any error, and on Ctrl-C
            undo.callback(self.stop)
            self._queues = Queues(**json.loads(self._server.start()))
            self._client = sqs_client(self._queues.endpoint_url)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, and with it the queues and their messages."""
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """Where SQS listens."""
        return self._located.endpoint_url

    @property
    def queue_url(self) -> str:
        """The queue."""
        return self._located.queue_url

    @property
    def dead_letter_url(self) -> str:
        """The queue for messages that were received `max_receive_count` times."""
        return self._located.dead_letter_url

    @property
    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._server.is_alive

    @property
    def variables(self) -> dict[str, str]:
        """The environment that points any AWS SDK to this SQS."""
        return sqs_variables(self.endpoint_url)

    def client(self) -> "SQSClient":
        """The client of this queue, one for all threads; it is closed when the queue stops."""
        if self._client is None:
            raise ChildError(NOT_RUNNING)
        return self._client

    def depth(self) -> Depth:
        """Count the messages of both queues; BotoCoreError if the server does not answer."""
        return Depth(*self._count(self.queue_url), *self._count(self.dead_letter_url))

    def stop(self) -> None:
        """End the server; a second call does nothing."""
        if self._client:
            self._client.close()
        self._client = self._queues = None
        self._server.stop()

    @property
    def _located(self) -> Queues:
        if self._queues is None:
            raise ChildError(NOT_RUNNING)
        return self._queues

    def _count(self, url: str) -> tuple[int, int]:
        names: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        answer = self.client().get_queue_attributes(QueueUrl=url, AttributeNames=names)
        if "Attributes" not in answer:  # botocore takes a missing body for an empty one
            raise ConnectionClosedError(endpoint_url=self.endpoint_url)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight


def main(arguments: list[str] | None = None) -> None:
    """Serve SQS until SIGINT or SIGTERM; print the URLs in one line of JSON once it listens."""
    from tally.local.sqs.server import make_sqs_server  # noqa: PLC0415 - others don't pay for moto

    options = _options(arguments)
    hold_signals()
    server = make_sqs_server(options.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with contextlib.closing(sqs_client(f"http://{server.host}:{server.port}")) as client:
        queues = create_queues(
            client,
            fifo=options.fifo,
            visibility_timeout_s=options.visibility_timeout,
            max_receive_count=options.max_receive_count,
        )
    announce(json.dumps(asdict(queues)))
    wait_for_end(with_parent=options.exit_with_parent)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tally.local.sqs.queue", description=main.__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: any free one")
    parser.add_argument("--visibility-timeout", type=int, default=VISIBILITY_TIMEOUT_S, help="in s")
    parser.add_argument("--max-receive-count", type=int, default=MAX_RECEIVE_COUNT)
    parser.add_argument("--fifo", action="store_true", help="first-in-first-out queues")
    parser.add_argument(EXIT_WITH_PARENT, action="store_true", help="end when stdin does")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
