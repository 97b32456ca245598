"""Our publisher against a request an increment, on moto: until SQS has confirmed everything."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from benchmarks.speed.timing import Timed, interleaved, timed
from tally.counters.event import Increment, encode
from tally.local.sqs.queue import LocalQueue
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

OURS = "Publisher"
ONE_EACH = "`send_message` an increment"
TEN_EACH = "`send_message_batch` of ten"
COUNTERS = 100
BATCH_ENTRIES = 10

INCREMENTS = {OURS: 50_000, ONE_EACH: 300, TEN_EACH: 300}
"""Of a repeat, for a second or less: moto slows down with each message that it holds."""


class Published(msgspec.Struct, frozen=True):
    """How long each took to publish its INCREMENTS, repeat by repeat."""

    times: dict[str, list[Timed]]
    share: float

    def rates(self, name: str) -> list[float]:
        """Increments a second."""
        return [_share(name, self.share) / each.wall_s for each in self.times[name]]


def publish(repeats: int, share: float = 1.0) -> Published:
    """Publish in each way in turn, to a queue that is empty each time.

    Args:
        repeats: how often.
        share: of INCREMENTS.
    """
    with LocalQueue() as queue:
        client = queue.client()

        def run(name: str) -> Timed:
            url = client.create_queue(QueueName="increments")["QueueUrl"]
            took = timed(lambda: _WAYS[name](client, url, _share(name, share)))
            client.delete_queue(QueueUrl=url)
            return took

        runs = {name: lambda _, name=name: run(name) for name in _WAYS}
        interleaved(runs, range(1))
        return Published(interleaved(runs, range(repeats)), share)


def _ours(client: "SQSClient", queue_url: str, many: int) -> None:
    with Publisher(queue_url, client=client) as publisher:
        for counter in itertools.islice(_counters(), many):
            publisher.publish(counter)


def _one_each(client: "SQSClient", queue_url: str, many: int) -> None:
    for body in _bodies(many):
        client.send_message(QueueUrl=queue_url, MessageBody=body)


def _ten_each(client: "SQSClient", queue_url: str, many: int) -> None:
    bodies = _bodies(many)
    while ten := list(itertools.islice(bodies, BATCH_ENTRIES)):
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(ten)]
        client.send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type] # its stubs want their own dicts


_WAYS = {OURS: _ours, ONE_EACH: _one_each, TEN_EACH: _ten_each}


def _bodies(many: int) -> Iterator[str]:
    """Increments with an identity, as ours."""
    sequence = Sequence()
    for counter in itertools.islice(_counters(), many):
        source, seq, at = sequence.next(counter)
        yield encode(Increment(counter=counter, source=source, seq=seq, at=at)).decode()


def _counters() -> Iterator[str]:
    return itertools.cycle([f"page:{number:05}" for number in range(COUNTERS)])


def _share(name: str, share: float) -> int:
    return max(1, int(INCREMENTS[name] * share))
