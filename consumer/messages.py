"""The messages of a batch: read into events, and marked with what keeps them from settling."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from consumer.reason import Reason
from counters.body import increments, parse
from counters.errors import InvalidIncrementError, shown
from counters.event import Envelope, Event

_DECIMAL = re.compile("[0-9]{1,18}")

MAX_IDENTITY_CHARS = 512
"""How much of a producer's id a log line carries: an id may be as long as a message."""


class Failure(NamedTuple):
    """Why a message is reported: for the first of its events that is not settled.

    An invalid message has no events, but perhaps the identity that its increment claims.
    """

    reason: Reason
    detail: str = ""
    counter: str = ""
    event: Event | None = None
    identity: str = ""


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
            self.events = parse(_body(self.record), _envelope(self.record), default_max)
        except InvalidIncrementError as error:
            self.failure = Failure(
                Reason.INVALID, str(error), error.counter, identity=error.identity
            )

    def fail(self, reason: Reason, detail: str, event: Event) -> None:
        """Mark the message, unless it is marked: the first reason is the one reported."""
        if self.failure is None:
            self.failure = Failure(reason, detail, event.counter, event)

    @property
    def identity(self) -> str:
        """How the producer knows the event that failed: its id (cut), or its source and seq."""
        if self.failure is None:
            return ""
        event = self.failure.event
        if event is None:
            return self.failure.identity[:MAX_IDENTITY_CHARS]
        published = increments(self.record["body"])[list(self.events).index(event)]
        return event.identity if published.id is UNSET else published.id[:MAX_IDENTITY_CHARS]

    @property
    def receive_count(self) -> int:
        """How often SQS has delivered the message, this time included; 0 if it does not say."""
        count = _attribute(self.record, "ApproximateReceiveCount")
        return int(count) if _DECIMAL.fullmatch(count) else 0


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
    sent_at = _attribute(record, "SentTimestamp")
    if not _DECIMAL.fullmatch(sent_at):
        reason = "is no time in ms" if sent_at else "is missing"
        raise InvalidIncrementError("attributes.SentTimestamp", reason, sent_at and shown(sent_at))
    return Envelope(record["messageId"], int(sent_at))


def _body(record: dict[str, Any]) -> str:
    body = record.get("body")
    if not isinstance(body, str):
        raise InvalidIncrementError("body", "is no text", shown(body))
    return body


def _attribute(record: dict[str, Any], name: str) -> str:
    """A system attribute of a message; SQS writes all of them as text."""
    return str(record.get("attributes", {}).get(name, ""))
