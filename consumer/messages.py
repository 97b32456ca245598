"""The messages of a batch: read into events, and marked with what keeps them from settling."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from tally.counters.body import increment_at, parse
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import Envelope, Event
from tally.settling.reason import Reason

_DECIMAL = re.compile("[0-9]{1,18}")

MAX_SENT_AT_DIGITS = 18
"""Of a SentTimestamp: any sum with it fits 64 bits."""

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


class Message(msgspec.Struct, gc=False):
    """An SQS record, its events, and its failure once it has one.

    `group` is its message group on a FIFO queue; None on a standard one, where groups keep no
    order.
    """

    record: dict[str, Any]
    events: Sequence[Event] = ()
    group: str | None = None
    failure: Failure | None = None

    def fail(self, reason: Reason, detail: str, event: Event) -> None:
        """Mark the message, unless it is marked: the first reason is the one reported."""
        if self.failure is None:
            self.failure = Failure(reason, detail, event.counter, event)

    @property
    def identity(self) -> str:
        """The name of the event that failed; of an invalid message, what its increment claims."""
        if self.failure is None:
            return ""
        event = self.failure.event
        return event.identity if event else self.failure.identity[:MAX_IDENTITY_CHARS]

    @property
    def id(self) -> str:
        """The id (cut) that its producer gave the event that failed; empty if it gave none."""
        event = self.failure.event if self.failure else None
        if event is None:
            return ""
        published = increment_at(self.record["body"], self.events.index(event))
        return "" if published.id is UNSET else published.id[:MAX_IDENTITY_CHARS]

    @property
    def receive_count(self) -> int:
        """How often SQS has delivered the message, this time included; 0 if it does not say."""
        count = _attribute(self.record, "ApproximateReceiveCount")
        return int(count) if _DECIMAL.fullmatch(count) else 0


def read(records: Sequence[dict[str, Any]], default_max: int) -> list[Message]:
    """The messages of a batch; what follows a bad one in its FIFO group has failed with it."""
    messages = [_read(record, default_max) for record in records]
    if _are_of_a_fifo_queue(records):
        for message in messages:
            message.group = _attribute(message.record, "MessageGroupId")
        fail_groups(messages)
    return messages


def _read(record: dict[str, Any], default_max: int) -> Message:
    """Parse the body; a bad message fails here, and stops no other."""
    try:
        body, envelope = _opened(record)
        return Message(record, parse(body, envelope, default_max))
    except InvalidIncrementError as error:
        why = Failure(Reason.INVALID, str(error), error.counter, identity=error.identity)
    return Message(record, failure=why)


def _opened(record: dict[str, Any]) -> tuple[str, Envelope]:
    """The body, and what SQS says of it."""
    body, sent_at = record.get("body"), _attribute(record, "SentTimestamp")
    if not isinstance(body, str):
        raise InvalidIncrementError("body", "is no text", shown(body))
    if not (sent_at.isdecimal() and len(sent_at) <= MAX_SENT_AT_DIGITS):
        reason = "is no time in ms" if sent_at else "is missing"
        raise InvalidIncrementError("attributes.SentTimestamp", reason, sent_at and shown(sent_at))
    return body, Envelope(record["messageId"], int(sent_at))


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


def _are_of_a_fifo_queue(records: Sequence[dict[str, Any]]) -> bool:
    """What the first one says: an event source, and so a batch, is of one queue."""
    return any(record.get("eventSourceARN", "").endswith(".fifo") for record in records[:1])


def _attribute(record: dict[str, Any], name: str) -> str:
    """A system attribute of a message; SQS writes all of them as text."""
    return str(record.get("attributes", {}).get(name, ""))
