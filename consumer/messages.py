"""The messages of a batch: read into events, and marked with why they are not settled."""

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
"""The most digits of a SentTimestamp: any sum with it fits 64 bits."""

MAX_ID_CHARS = 512
"""How much of a producer's id a log line carries: an id may be as long as a message."""


class ReceivedMessage(msgspec.Struct, gc=False):
    """An SQS record and its events; if it has failed, also why, and because of which event.

    Attributes:
        record: as Lambda hands it over.
        events: what its body holds; empty if it is invalid.
        group: its message group on a FIFO queue; None on a standard one, where groups keep no
            order.
        unsettled: why it is reported; None unless it has failed.
        event: the first event that is not settled; None if the message is invalid.
        counter: the event's; if the message is invalid, the one that its increment names.
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
        """Mark the message, unless it is marked already: the first reason is reported."""
        if self.unsettled is None:
            self.unsettled, self.event = unsettled, event
            self.counter, self.identity = event.counter, event.identity

    @property
    def id(self) -> str:
        """The id (cut) that the producer gave the unsettled event; empty if it gave none."""
        if self.event is None:
            return ""
        published = increment_at(self.record["body"], self.events.index(self.event))
        return "" if published.id is UNSET else published.id[:MAX_ID_CHARS]

    @property
    def trace_id(self) -> str:
        """Its producer's trace, of X-Ray or of W3C; empty if the message has none."""
        return trace_of(self.record)

    @property
    def sent_at_ms(self) -> int:
        """When SQS took the message; an invalid message may lack it."""
        return int(_attribute(self.record, "SentTimestamp"))

    @property
    def receive_count(self) -> int:
        """How often SQS has delivered the message, this time included; 0 if it does not say."""
        count = _attribute(self.record, "ApproximateReceiveCount")
        return int(count) if _DECIMAL.fullmatch(count) else 0


def read(records: Sequence[dict[str, Any]], default_max: int) -> list[ReceivedMessage]:
    """The messages of a batch; invalid ones are marked."""
    messages = [_read(record, default_max) for record in records]
    if _are_of_a_fifo_queue(records):
        for message in messages:
            message.group = _attribute(message.record, "MessageGroupId")
    return messages


def _read(record: dict[str, Any], default_max: int) -> ReceivedMessage:
    """Parse the body; a bad message fails here, and stops no other.

    It makes as few calls as possible: reading messages takes most of a batch's time.
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
    """Whether the first record says so; all records of a batch are from one queue."""
    return any(record.get("eventSourceARN", "").endswith(".fifo") for record in records[:1])


def _attribute(record: dict[str, Any], name: str) -> str:
    """A system attribute of a message; SQS writes all of them as text."""
    return str(record.get("attributes", {}).get(name, ""))
