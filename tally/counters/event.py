"""The message contract: what a producer publishes, and the event that a counter decides."""

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.explain import explained

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
"""The bounds of every count and amount; Momento's own counters have the same."""

MAX_COUNTER_BYTES = 512
"""A counter's name is its key in the store, in UTF-8."""

MAX_FUTURE_MS = 300_000
"""How far `at` may lie after the message's SentTimestamp; it limits how far a wrong clock can raise
the floor (docs/guarantees.md, "What is not promised")."""

MAX_KNOWN_SOURCES = 4_096
"""How many sources are remembered in parsed form: the events of a batch have few."""

Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
# Not the field's default: a reset with an amount of 1 must be told from one without an amount.
Amount = Annotated[
    Int64, Meta(description="what to add to the count", extra_json_schema={"default": 1})
]
Reset = Annotated[Int64, Meta(description="what the count becomes, whatever it was")]
# The schema publishes the limit in bytes and the pattern; our own code checks them, since msgspec
# would run the pattern for each event, and we remember the sources that we have seen.
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
    msgspec.Struct,
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
    omit_defaults=True,
    repr_omit_defaults=True,
):
    """An increment as it is published; native, named or anonymous, by the fields that it has.

    With amount > 0 it is rejected if the count would exceed `max`, with amount < 0 if the count
    would fall below `min`. A reset has none of these three fields, and is never rejected.
    """

    counter: CounterName
    amount: Amount | UnsetType = UNSET
    max: Int64 | UnsetType = UNSET
    min: Int64 | UnsetType = UNSET
    reset: Reset | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    seq: Seq | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    at: At | UnsetType = UNSET


Body = Increment | Annotated[list[Increment], Meta(min_length=1)]
"""What the body of a message holds: one increment, or a packed array of them."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """An increment with its identity resolved and its bounds filled in: what a counter decides.

    `source` is the 64-bit number of the hexadecimal digits; `at` is in ms since the epoch.
    If there is a `reset`, the count becomes that; `amount` and the bounds are ignored.
    """

    counter: str
    source: int
    seq: int
    at: int
    amount: int = 1
    low: int = INT64_MIN
    high: int = INT64_MAX
    reset: int | None = None

    @property
    def identity(self) -> str:
        """The event's name, the same everywhere."""
        return str(EventName(self.source, self.seq, self.at))


_NAME = re.compile("([0-9a-f]{16}):(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})")


class EventName(NamedTuple):
    """The name of an event; its text is `source:seq:at`, the source in hexadecimal."""

    source: int
    seq: int
    at: int

    def __str__(self) -> str:
        return f"{self.source:016x}:{self.seq}:{self.at}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the name of an event.

        Raises:
            InvalidIncrementError: the text is no such name; its field is `event`.
        """
        found = _NAME.fullmatch(text)
        name = cls(int(found[1], 16), int(found[2]), int(found[3])) if found else None
        if name is None or name.seq > INT64_MAX or name.at > INT64_MAX:
            raise InvalidIncrementError("event", "must be source:seq:at", shown(text))
        return name


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What SQS says of a message; `sent_at` is its SentTimestamp, in ms since the epoch."""

    message_id: str
    sent_at: int


def check(increment: Increment) -> None:
    """Check the rules that the types cannot state, except the digits of a source.

    Raises:
        InvalidIncrementError: a name has too many bytes, forms are mixed, or a reset has an
            amount or a bound.
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
    if increment.reset is not UNSET:
        _check_reset(increment)


def build(fields: Mapping[str, Any]) -> Increment:
    """Make an increment from a program's or a person's fields, by the rules of the contract.

    Raises:
        InvalidIncrementError: a field is unknown, missing, or not what the contract says.
    """
    texts = {
        name: str.__str__(value)  # a subclass, such as markupsafe's, becomes plain text
        for name, value in fields.items()
        if isinstance(value, str) and type(value) is not str
    }
    try:
        increment = msgspec.convert({**fields, **texts} if texts else fields, Increment)
    except msgspec.ValidationError as error:
        raise explained(error, fields) from None
    except UnicodeEncodeError as error:
        raise InvalidIncrementError("body", "is not UTF-8", shown(error.object)) from None
    _check_utf8("counter", increment.counter, MAX_COUNTER_BYTES)
    if increment.id is not UNSET:
        _check_utf8("id", increment.id, INT64_MAX)
    check(increment)
    if increment.source is not UNSET:
        source_number(increment.source)
    # An amount of 1 is left out, to save bytes.
    return replace(increment, amount=UNSET) if increment.amount == 1 else increment


def prepare() -> None:
    """Let msgspec inspect the types now: meanwhile it swallows exceptions that signals raise."""
    encode(build({"counter": "c"}))


def encode(increment: Increment) -> bytes:
    """The JSON of an increment, with only the fields that are set."""
    return msgspec.json.encode(increment)


_SOURCE = re.compile("[0-9a-f]{16}")


@functools.lru_cache(maxsize=MAX_KNOWN_SOURCES)
def source_number(source: str) -> int:
    """The 64-bit number of a source's digits.

    Raises:
        InvalidIncrementError: they are not 16 lower-case hexadecimal digits.
    """
    if not _SOURCE.fullmatch(source):
        raise InvalidIncrementError("source", "must be 16 lower-case hex digits", shown(source))
    return int(source, 16)


def _check_reset(increment: Increment) -> None:
    for field in ("amount", "max", "min"):
        value = getattr(increment, field)
        if value is not UNSET:
            raise InvalidIncrementError(field, "excludes reset", shown(value))


def _check_utf8(field: str, text: str, limit: int) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidIncrementError(field, "is not UTF-8", shown(text)) from None
    if length > limit:
        raise InvalidIncrementError(field, f"has {length} bytes, over {limit}", shown(text))
