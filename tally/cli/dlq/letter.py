"""A dead letter: a message that SQS has given up, and what it tells of itself."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from tally.counters.body import increments, parse
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Envelope, Event, Increment


class Standing(enum.StrEnum):
    """How a message stands with the counters, as far as the contract and the ledgers tell."""

    INVALID = "invalid"
    VALID = "valid"
    DECIDED = "decided"
    PENDING = "pending"
    UNDECIDABLE = "undecidable"
    UNREADABLE = "unreadable"


REMARKS = {
    Standing.VALID: "the reason is in the consumer's log",
    Standing.DECIDED: "all of it is counted or rejected: safe to purge",
    Standing.PENDING: "not counted: mend what the log tells of, then redrive",
    Standing.UNDECIDABLE: "older than the ledger's memory: it may have been counted or not",
    Standing.UNREADABLE: "the stored value is no counter",
}
"""What a standing means for the one who has to act; of an invalid message its problem says it."""


@dataclasses.dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes:
        sent_at: its SentTimestamp, in ms since the epoch; on a FIFO queue, when it died.
        receive_count: of this receive too; looking at it raises the number, and harms nothing.
        group: its message group; empty if it has none.
        message_attributes: as SendMessage takes them.
        published: its increments, as they are written; none if it breaks the contract.
        events: the same, with the identity that the consumer gives them.
        problem: what breaks the contract.
    """

    id: str
    body: str
    sent_at: int
    receive_count: int
    group: str = ""
    message_attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: Sequence[Increment] = ()
    events: Sequence[Event] = ()
    problem: str = ""
    standing: Standing = Standing.VALID

    @property
    def counters(self) -> list[str]:
        """The counters that it names, each once."""
        return list(dict.fromkeys(event.counter for event in self.events))

    @property
    def identity(self) -> str:
        """Which of the three identities its increments have; mixed, if they differ."""
        kinds = list(dict.fromkeys(map(_kind, self.published)))
        return kinds[0] if len(kinds) == 1 else "mixed" if kinds else ""

    @property
    def is_anonymous(self) -> bool:
        """Whether an increment is known by this message's id only."""
        return any(increment.at is UNSET for increment in self.published)

    @property
    def remark(self) -> str:
        """Why it is here, or what to do."""
        return self.problem or REMARKS[self.standing]

    def named(self) -> str:
        """The body with an identity in each increment: the one that the consumer derived.

        A message that is sent again has another id, by which an anonymous increment would count
        again; with this body it is the event that it was.
        """
        if not self.is_anonymous:
            return self.body
        known = [
            replace(increment, source=f"{event.source:016x}", seq=event.seq, at=event.at)
            if increment.at is UNSET
            else increment
            for increment, event in zip(self.published, self.events, strict=True)
        ]
        return msgspec.json.encode(known).decode()


def read(message: Mapping[str, Any]) -> Letter:
    """A message as boto3 returns it, with all its attributes."""
    attributes = message["Attributes"]
    body, sent_at = message["Body"], int(attributes["SentTimestamp"])
    letter = Letter(
        id=message["MessageId"],
        body=body,
        sent_at=sent_at,
        receive_count=int(attributes["ApproximateReceiveCount"]),
        group=attributes.get("MessageGroupId", ""),
        message_attributes={
            name: {key: value[key] for key in _ATTRIBUTE_FIELDS if key in value}
            for name, value in message.get("MessageAttributes", {}).items()
        },
    )
    try:
        events = parse(body, Envelope(letter.id, sent_at))
    except InvalidIncrementError as error:
        return dataclasses.replace(letter, problem=str(error), standing=Standing.INVALID)
    return dataclasses.replace(letter, events=events, published=increments(body))


_ATTRIBUTE_FIELDS = ("DataType", "StringValue", "BinaryValue")


def _kind(increment: Increment) -> str:
    if increment.at is UNSET:
        return "anonymous"
    return "native" if increment.id is UNSET else "named"
