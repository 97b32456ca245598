"""SQS's records, as far as their messages are read: checked in one step for a whole batch."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

MAX_SENT_AT_MS = 10**18
"""A SentTimestamp past which no sum with it fits 64 bits; it lies 31 million years ahead."""


class Attributes(msgspec.Struct, gc=False):
    """The system attributes; SQS writes all of them as text."""

    sent_at: Annotated[int, Meta(ge=0, le=MAX_SENT_AT_MS)] = msgspec.field(name="SentTimestamp")
    """In ms since the epoch."""


class Record(msgspec.Struct, gc=False, rename="camel"):
    """What a message is read from; a record has more, which nothing here needs."""

    message_id: str
    body: str
    attributes: Attributes


def checked(records: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
    """The records, all or none: SQS makes no bad one, and one by one takes twice as long."""
    try:
        return msgspec.convert(records, list[Record], strict=False)
    except msgspec.ValidationError:
        return [None] * len(records)


def check(record: dict[str, Any]) -> Record:
    """A record by itself.

    Raises:
        msgspec.ValidationError: SQS makes no such record; the text says which field is wrong.
    """
    return msgspec.convert(record, Record, strict=False)
