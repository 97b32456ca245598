"""What was published, as the simulation knows it: by the producer's own word, not by parsing."""

import hashlib
from typing import NamedTuple

from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits

EPOCH_MS = 1_790_000_000_000
"""The time 0 of a run, in ms since the epoch."""

MAX_FUTURE_MS = 300_000
"""From the message contract: how far `at` may lie after SentTimestamp."""


NO_MAX = INT64_MAX + 1
"""For `high`: the increment brings no bound, and MAX_COUNTER_VALUE of who decides it is one."""


class Terms(NamedTuple):
    """The settings of a consumer.

    Attributes:
        limits: how much it remembers.
        most: its MAX_COUNTER_VALUE.
        is_bare: whether it counts at least once, on bare integers.
    """

    limits: Limits
    most: int
    is_bare: bool = False


class Fact(NamedTuple):
    """One increment; `origin` numbers it, and its copies have the same.

    An anonymous one has no `source` (None) until its message has an id. With a `reset` the count
    becomes that.
    """

    origin: int
    counter: str
    source: int | None
    seq: int
    at: int
    amount: int
    low: int
    high: int
    reset: int | None = None


class Letter:
    """A message in the queue: its body, and what its producer meant by it."""

    def __init__(
        self, body: str, meant: tuple[Fact, ...], group: str, *, broken: bool = False
    ) -> None:
        self.body = body
        self.meant = meant
        self.group = group
        self.broken = broken
        self.message_id = ""
        self.sent_at = 0
        self.facts: tuple[Fact, ...] = ()
        self.valid = False
        self.receives = 0
        self.visible_at_s = 0.0
        self.reason = ""

    def posted(self, message_id: str, now_s: float) -> "Letter":
        """A copy as SQS takes it: with an id and a SentTimestamp of its own."""
        copy = Letter(self.body, self.meant, self.group, broken=self.broken)
        copy.message_id = message_id
        copy.sent_at = EPOCH_MS + int(now_s * 1_000)
        copy.facts = tuple(copy._known(fact, place) for place, fact in enumerate(self.meant))
        latest = copy.sent_at + MAX_FUTURE_MS
        copy.valid = not self.broken and all(fact.at <= latest for fact in copy.facts)
        return copy

    def echo(self) -> "Letter":
        """The same message once more, as SQS delivers at least once."""
        copy = self.posted(self.message_id, 0.0)
        copy.sent_at, copy.facts, copy.valid = self.sent_at, self.facts, self.valid
        return copy

    def record(self, arn: str) -> dict[str, object]:
        """The record that Lambda hands over."""
        attributes = {
            "ApproximateReceiveCount": str(self.receives),
            "SentTimestamp": str(self.sent_at),
        }
        if self.group:
            attributes["MessageGroupId"] = self.group
        return {
            "messageId": self.message_id,
            "receiptHandle": f"{self.message_id}#{self.receives}",
            "body": self.body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": "eu-central-1",
        }

    def _known(self, fact: Fact, place: int) -> Fact:
        if fact.source is not None:
            return fact
        return fact._replace(source=digest(self.message_id), seq=place, at=self.sent_at)


def digest(text: str) -> int:
    """The source of an increment that is not native, from docs/format.md, "The message"."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Delivery:
    """What one invocation was handed, and which events it may decide, in which order.

    Attributes:
        terms: the settings of who was handed it; None where they are the plan's.
    """

    def __init__(self, letters: list[Letter], *, fifo: bool, terms: Terms | None = None) -> None:
        self.letters = letters
        self.terms = terms
        self.by_id = {letter.message_id: letter for letter in letters}
        self._fifo = fifo
        self._by_counter: dict[str, list[Fact]] | None = None

    def facts(self, counter: str) -> list[Fact]:
        """The events of a counter: the oldest first, on a FIFO queue as delivered."""
        if self._by_counter is None:
            self._by_counter = self._sorted_out()
        return self._by_counter.get(counter, [])

    def _sorted_out(self) -> dict[str, list[Fact]]:
        by_counter: dict[str, list[Fact]] = {}
        spoilt: set[str] = set()
        for letter in self.letters:
            if self._fifo and (letter.group in spoilt or not letter.valid):
                spoilt.add(letter.group)
            elif letter.valid:
                for fact in letter.facts:
                    by_counter.setdefault(fact.counter, []).append(fact)
        if not self._fifo:
            for facts in by_counter.values():
                facts.sort(key=lambda fact: fact.at)
        return by_counter
