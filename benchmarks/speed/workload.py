"""The increments of every comparison, drawn by a seed, as Lambda hands them to a function."""

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

from tally.counters.event import Increment
from tally.publishing.packing import Packer, to_json
from tally.publishing.sequence import Sequence

PRODUCERS = 4
"""Sources that publish at the same time, and so the live sources of each counter."""

RATE_PER_MS = 10
"""Increments that are published in a millisecond, by all producers together."""

AMPLE = 10**12
"""The bound that every increment brings, and that no benchmark reaches."""

EPOCH_MS = 1_790_000_000_000
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:counters"
UUID_BITS = 128


class Batch(NamedTuple):
    """A batch as a function is handed it, and how many increments it brings."""

    event: dict[str, Any]
    increments: int


class Workload:
    """A stream of increments by 1, none of which comes twice; `published` counts them by counter.

    Args:
        seed: the same seed draws the same stream.
        counters: how many; each increment is for one of them, all equally likely.
        sources: how many producers publish.
        name: what the counters' names begin with.
    """

    def __init__(
        self, seed: int, counters: int, *, sources: int = PRODUCERS, name: str = "page"
    ) -> None:
        self.counters = [f"{name}:{number:05}" for number in range(counters)]
        self._random = Random(seed)  # noqa: S311 (for repeating a run, not for a secret)
        self.published: Counter[str] = Counter()
        self._total = 0
        self._paused_ms = 0
        self._sequences = [
            Sequence(clock_ms=self.now_ms, entropy=self._random.randbytes) for _ in range(sources)
        ]

    def now_ms(self) -> int:
        """The time, which publishing moves on."""
        return EPOCH_MS + self._paused_ms + self._total // RATE_PER_MS

    def batch(self, increments: int, *, packed: bool = False) -> Batch:
        """The next increments, each for a counter drawn and from a producer drawn."""
        drawn = self._random.choices(self.counters, k=increments)
        return self._batch((self._next(counter) for counter in drawn), packed=packed)

    def of_each_counter(self) -> Batch:
        """One increment for each counter: what a comparison warms up with."""
        return self._batch(self._next(counter) for counter in self.counters)

    def of_each_source(self, pause_ms: int) -> Batch:
        """One increment from each producer for each counter, with pauses between producers."""
        return self._batch(self._slowly(pause_ms))

    def _slowly(self, pause_ms: int) -> Iterator[Increment]:
        for sequence in self._sequences:
            self._paused_ms += pause_ms
            for counter in self.counters:
                yield self._next(counter, sequence)

    def _next(self, counter: str, sequence: Sequence | None = None) -> Increment:
        source, seq, at = (sequence or self._random.choice(self._sequences)).next(counter)
        self.published[counter] += 1
        self._total += 1
        return Increment(counter=counter, max=AMPLE, source=source, seq=seq, at=at)

    def _batch(self, increments: Iterable[Increment], *, packed: bool = False) -> Batch:
        """Messages in no order, as a standard queue may deliver them."""
        parts = [(each.counter, to_json(each)) for each in increments]
        bodies = list(_packed(parts)) if packed else [part.decode() for _, part in parts]
        self._random.shuffle(bodies)
        return Batch({"Records": [self._record(body) for body in bodies]}, len(parts))

    def _record(self, body: str) -> dict[str, Any]:
        message_id = f"{self._random.getrandbits(UUID_BITS):032x}"
        return {
            "messageId": message_id,
            "receiptHandle": message_id * 4,
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(self.now_ms()),
                "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": str(self.now_ms()),
            },
            "messageAttributes": {},
            "md5OfBody": message_id,
            "eventSource": "aws:sqs",
            "eventSourceARN": QUEUE_ARN,
            "awsRegion": "us-east-1",
        }


def _packed(parts: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """The bodies that our Publisher would send."""
    packer = Packer(fifo=False)
    for counter, part in parts:
        packer.add(counter, part)
    packer.hurry()
    while messages := packer.take():
        for message in messages:
            yield message.entry(0)["MessageBody"]
