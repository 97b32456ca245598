"""The message contract: what a producer publishes, and the event that a counter decides."""

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from counters.errors import InvalidIncrementError, shown
from counters.explain import explained, readable

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
"""The bounds of every count and amount; Momento's own counters have the same."""

MAX_COUNTER_BYTES = 512
"""A counter's name is its Momento key, in UTF-8."""

MAX_FUTURE_MS = 300_000
"""How far `at` may lie after the message's SentTimestamp: a wild clock must not raise the floor."""

MAX_KNOWN_SOURCES = 4_096
"""How many sources are remembered in parsed form: the events of a batch have few."""

Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
# The pattern and the limit in bytes are published here and checked by identify(), which remembers
# the sources that it has seen: msgspec would run the pattern for each event.
CounterName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_COUNTER_BYTES,
        description=f"the counter's name, 1 to {MAX_COUNTER_BYTES} bytes of UTF-8",
    ),
]
Source = Annotated[
    str,
    Meta(
        description="64 random bits in lower-case hexadecimal, new for each producer session",
        extra_json_schema={"pattern": "^[0-9a-f]{16}$"},
    ),
]
Seq = Annotated[int, Meta(ge=0, le=INT64_MAX, description="0, 1, 2, … within (source, counter)")]
Id = Annotated[str, Meta(min_length=1, description="unique for each event")]
At = Annotated[
    int,
    Meta(
        ge=1,
        le=INT64_MAX,
        description="ms since the epoch, stamped once by the producer, the same in every copy",
    ),
]


class Increment(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """An increment as it is published; native, named or anonymous, by the fields that it has.

    With amount > 0 it is rejected if the count would exceed `max`, with amount < 0 if the count
    would fall below `min`.
    """

    counter: CounterName
    amount: Int64 = 1
    max: Int64 | UnsetType = UNSET
    min: Int64 | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    seq: Seq | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    at: At | UnsetType = UNSET


Body = Increment | Annotated[list[Increment], Meta(min_length=1)]
"""What the body of a message holds: one increment, or a packed array of them."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """An increment with its identity resolved and its bounds filled in: what a counter decides.

    `source` is the 64-bit number that the hexadecimal digits write; `at` is in ms since the epoch.
    """

    counter: str
    source: int
    seq: int
    at: int
    amount: int = 1
    low: int = INT64_MIN
    high: int = INT64_MAX

    @property
    def identity(self) -> str:
        """How logs and people name the event: its source in hexadecimal, a colon, its seq."""
        return f"{self.source:016x}:{self.seq}"


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What SQS says of a message; `sent_at` is its SentTimestamp, in ms since the epoch."""

    message_id: str
    sent_at: int


def parse(body: str, envelope: Envelope, default_max: int = INT64_MAX) -> list[Event]:
    """Read the body of a message into its events; `default_max` binds those that bring no `max`.

    Raises:
        InvalidIncrementError: the body breaks the contract. One bad increment fails its message:
            the ledger makes the repeat of the others harmless.
    """
    published = increments(body)
    events = []
    for position, increment in enumerate(published):
        try:
            events.append(identify(increment, envelope, position, default_max))
        except InvalidIncrementError as error:
            place = f"[{position}]." if body.lstrip().startswith("[") else ""
            raise error.within(place, increment.counter, _claimed(increment)) from None
    return events


def increments(body: str) -> list[Increment]:
    """Read the increments of a body, whoever they are.

    Raises:
        InvalidIncrementError: the body is not JSON, or not of the contract's types.
    """
    try:
        decoded = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise explained(error, readable(body)) from None
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise InvalidIncrementError("body", f"is not JSON ({error})", shown(body)) from None
    return decoded if isinstance(decoded, list) else [decoded]


def identify(increment: Increment, envelope: Envelope, position: int, default_max: int) -> Event:
    """Resolve who an increment is, by the one of the three identities that its fields make.

    Raises:
        InvalidIncrementError: the fields make none of the three, or `at` lies in the future.
    """
    check(increment)
    at = increment.at
    if at is UNSET:
        source, seq, at = derived_source(envelope.message_id), position, envelope.sent_at
    elif increment.source is not UNSET and increment.seq is not UNSET:
        source, seq = _source_number(increment.source), increment.seq
    else:
        source, seq = derived_source(str(increment.id)), 0
    if at > envelope.sent_at + MAX_FUTURE_MS:
        reason = f"is over {MAX_FUTURE_MS} ms later than the SentTimestamp {envelope.sent_at}"
        raise InvalidIncrementError("at", reason, shown(at))
    return Event(
        increment.counter,
        source,
        seq,
        at,
        increment.amount,
        INT64_MIN if increment.min is UNSET else increment.min,
        default_max if increment.max is UNSET else increment.max,
    )


def check(increment: Increment) -> None:
    """See to the rules that the types cannot state.

    Raises:
        InvalidIncrementError: a name too long in bytes, or a mixture of identities.
    """
    if not increment.counter.isascii():
        _check_utf8("counter", increment.counter, MAX_COUNTER_BYTES)
    native = increment.source is not UNSET
    named = increment.id is not UNSET
    if native is (increment.seq is UNSET):
        missing, given = ("seq", "source") if native else ("source", "seq")
        raise InvalidIncrementError(missing, f"is missing, but {given} is given")
    if native and named:
        raise InvalidIncrementError("id", "excludes source and seq", shown(increment.id))
    if (native or named) is (increment.at is UNSET):
        if increment.at is UNSET:
            raise InvalidIncrementError("at", "is missing, but the increment has an identity")
        raise InvalidIncrementError("at", "needs source and seq, or id", shown(increment.at))
    if increment.source is not UNSET:
        _source_number(increment.source)


def build(fields: Mapping[str, Any]) -> Increment:
    """Make an increment from a program's or a person's fields, by the rules of the contract.

    Raises:
        InvalidIncrementError: a field is unknown, missing, or not what the contract says.
    """
    try:
        increment = msgspec.convert(fields, Increment)
    except msgspec.ValidationError as error:
        raise explained(error, fields) from None
    except UnicodeEncodeError as error:
        raise InvalidIncrementError("body", "is not UTF-8", shown(error.object)) from None
    _check_utf8("counter", increment.counter, MAX_COUNTER_BYTES)
    if increment.id is not UNSET:
        _check_utf8("id", increment.id, INT64_MAX)
    check(increment)
    return increment


def encode(increment: Increment) -> bytes:
    """The JSON of an increment, without the fields that have their default."""
    return msgspec.json.encode(increment)


def derived_source(identity: str) -> int:
    """The source of an increment that is known by an id: BLAKE2b, 64 bits, big-endian."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big")


_DECODER: msgspec.json.Decoder[Increment | list[Increment]] = msgspec.json.Decoder(Body)
_SOURCE = re.compile("[0-9a-f]{16}")


@functools.lru_cache(maxsize=MAX_KNOWN_SOURCES)
def _source_number(source: str) -> int:
    if not _SOURCE.fullmatch(source):
        raise InvalidIncrementError("source", "must be 16 lower-case hex digits", shown(source))
    return int(source, 16)


def _claimed(increment: Increment) -> str:
    """Who an increment says it is, whether or not that makes an identity."""
    if increment.id is not UNSET:
        return increment.id
    native = (increment.source, increment.seq)
    return ":".join(str(part) for part in native if part is not UNSET)


def _check_utf8(field: str, text: str, limit: int) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidIncrementError(field, "is not UTF-8", shown(text)) from None
    if length > limit:
        raise InvalidIncrementError(field, f"has {length} bytes, over {limit}", shown(text))
