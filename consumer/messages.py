"""The messages of a batch: read into events, and marked with what keeps them from settling."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from consumer.reason import Reason
from counters.errors import InvalidIncrementError
from counters.event import Envelope, Event, increments, parse

MAX_IDENTITY_CHARS = 512
"""How much of a producer's id a log line carries: an id may be as long as a message."""


class Failure(NamedTuple):
    """Why a message is reported; `event` is the first of its events that is not settled."""

    reason: Reason
    detail: str = ""
    counter: str = ""
    event: Event | None = None


class Message:
    """An SQS record, its events, and its failure once it has one.

    `group` is its message group on a FIFO queue; None on a standard one, where groups keep no
    order.
    """

    __slots__ = ("events", "failure", "group", "record")

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self.group = _fifo_group(record)
        self.events: Sequence[Event] = ()
        self.failure: Failure | None = None

    def read(self, default_max: int) -> None:
        """Parse the body; a bad message fails here, and stops no other."""
        try:
            self.events = parse(self.record["body"], _envelope(self.record), default_max)
        except InvalidIncrementError as error:
            self.failure = Failure(Reason.INVALID, str(error), error.counter)

    def fail(self, reason: Reason, detail: str, event: Event) -> None:
        """Mark the message, unless it is marked: the first reason is the one reported."""
        if self.failure is None:
            self.failure = Failure(reason, detail, event.counter, event)

    @property
    def identity(self) -> str:
        """How the producer knows the event that failed: its id (cut), or its source and seq."""
        if self.failure is None or self.failure.event is None:
            return ""
        event = self.failure.event
        published = increments(self.record["body"])[list(self.events).index(event)]
        return event.identity if published.id is UNSET else published.id[:MAX_IDENTITY_CHARS]

    @property
    def receive_count(self) -> int:
        """How often SQS has delivered the message, this time included; 0 if it does not say."""
        return int(self.record.get("attributes", {}).get("ApproximateReceiveCount", 0))


def read(records: Iterable[dict[str, Any]], default_max: int) -> list[Message]:
    """The messages of a batch; what follows a bad one in its FIFO group has failed with it."""
    messages = [Message(record) for record in records]
    for message in messages:
        message.read(default_max)
    fail_groups(messages)
    return messages


def fail_groups(messages: Iterable[Message]) -> None:
    """Mark what follows a failed message in its FIFO group: SQS must bring it back in order."""
    failed_groups = set()
    for message in messages:
        group = message.group
        if group is None:
            continue
        if message.failure:
            failed_groups.add(group)
        elif group in failed_groups:
            message.fail(Reason.GROUP, f"group {group}", message.events[0])


def _fifo_group(record: dict[str, Any]) -> str | None:
    if not record.get("eventSourceARN", "").endswith(".fifo"):
        return None
    group: str | None = record.get("attributes", {}).get("MessageGroupId")
    return group


def _envelope(record: dict[str, Any]) -> Envelope:
    sent_at = record.get("attributes", {}).get("SentTimestamp")
    if sent_at is None:
        raise InvalidIncrementError("attributes.SentTimestamp", "is missing")
    return Envelope(record["messageId"], int(sent_at))
