"""The messages of a batch: read into events, and marked with what keeps them from settling."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from tally.counters.body import increment_at, parse
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import Envelope, Event
from tally.settling.reason import Reason, Unsettled
from tally.tracing import trace_of

_DECIMAL = re.compile("[0-9]{1,18}")

MAX_SENT_AT_DIGITS = 18
"""Of a SentTimestamp: any sum with it fits 64 bits."""

MAX_ID_CHARS = 512
"""How much of a producer's id a log line carries: an id may be as long as a message."""


class ReceivedMessage(msgspec.Struct, gc=False):
    """An SQS record and its events; if it has failed also why, and which event is to blame.

    Attributes:
        record: as Lambda hands it over.
        events: what its body holds; none if it is invalid.
        group: its message group on a FIFO queue; None on a standard one, where groups keep no
            order.
        unsettled: why it is reported; None unless it has failed.
        event: the first that is not settled; None in an invalid message.
        counter: the event's; in an invalid message what its increment claims, if that is readable.
        identity: likewise.
    """

    record: dict[str, Any]
    events: Sequence[Event] = ()
    group: str | None = None
    unsettled: Unsettled | None = None
    event: Event | None = None
    counter: str = ""
    identity: str = ""

    def fail(self, unsettled: Unsettled, event: Event) -> None:
        """Mark the message, unless it is marked: the first reason is the one reported."""
        if self.unsettled is None:
            self.unsettled, self.event = unsettled, event
            self.counter, self.identity = event.counter, event.identity

    @property
    def id(self) -> str:
        """The id (cut) that its producer gave the event not settled; empty if it gave none."""
        if self.event is None:
            return ""
        published = increment_at(self.record["body"], self.events.index(self.event))
        return "" if published.id is UNSET else published.id[:MAX_ID_CHARS]

    @property
    def trace_id(self) -> str:
        """The trace that its producer was in, of X-Ray or of W3C; empty if it does not say."""
        return trace_of(self.record)

    @property
    def sent_at_ms(self) -> int:
        """When SQS took the message, as it says; an invalid message may lack it."""
        return int(_attribute(self.record, "SentTimestamp"))

    @property
    def receive_count(self) -> int:
        """How often SQS has delivered the message, this time included; 0 if it does not say."""
        count = _attribute(self.record, "ApproximateReceiveCount")
        return int(count) if _DECIMAL.fullmatch(count) else 0


def read(records: Sequence[dict[str, Any]], default_max: int) -> list[ReceivedMessage]:
    """The messages of a batch, those that are invalid marked."""
    messages = [_read(record, default_max) for record in records]
    if _are_of_a_fifo_queue(records):
        for message in messages:
            message.group = _attribute(message.record, "MessageGroupId")
    return messages


def _read(record: dict[str, Any], default_max: int) -> ReceivedMessage:
    """Parse the body; a bad message fails here, and stops no other.

    With as few calls as there can be: reading messages is most of what a batch takes.
    """
    body, sent_at = record.get("body"), str(record.get("attributes", {}).get("SentTimestamp", ""))
    try:
        if not (
            isinstance(body, str) and sent_at.isdecimal() and len(sent_at) <= MAX_SENT_AT_DIGITS
        ):
            raise _unlike_sqs(body, sent_at)
        envelope = Envelope(record["messageId"], int(sent_at))
        return ReceivedMessage(record, parse(body, envelope, default_max))
    except InvalidIncrementError as error:
        return ReceivedMessage(
            record,
            unsettled=Unsettled(Reason.INVALID, str(error)),
            counter=error.counter,
            identity=error.identity[:MAX_ID_CHARS],
        )


def _unlike_sqs(body: object, sent_at: str) -> InvalidIncrementError:
    """What is wrong with a record that SQS would not send."""
    if not isinstance(body, str):
        return InvalidIncrementError("body", "is no text", shown(body))
    reason = "is no time in ms" if sent_at else "is missing"
    return InvalidIncrementError("attributes.SentTimestamp", reason, sent_at and shown(sent_at))


def _are_of_a_fifo_queue(records: Sequence[dict[str, Any]]) -> bool:
    """What the first one says: an event source, and so a batch, is of one queue."""
    return any(record.get("eventSourceARN", "").endswith(".fifo") for record in records[:1])


def _attribute(record: dict[str, Any], name: str) -> str:
    """A system attribute of a message; SQS writes all of them as text."""
    return str(record.get("attributes", {}).get(name, ""))
