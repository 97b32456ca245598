"""The identity of an increment, from its fields, and the name that follows from it."""

import hashlib

from msgspec import UNSET

from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import (
    INT64_MIN,
    MAX_FUTURE_MS,
    Envelope,
    Event,
    EventName,
    Increment,
    check,
    source_number,
)


def identify(increment: Increment, envelope: Envelope, position: int, default_max: int) -> Event:
    """Resolve an increment's identity, by the form that its fields make: one of three.

    Raises:
        InvalidIncrementError: the fields make none of the forms, or `at` is too far in the future.
    """
    source, seq, at = increment.source, increment.seq, increment.at
    plain = increment.id is UNSET and increment.reset is UNSET and increment.counter.isascii()
    if plain and source is not UNSET and seq is not UNSET and at is not UNSET:
        number = source_number(source)  # the usual case; nothing else can be wrong
    else:
        number, seq, at = _checked(increment, envelope, position)
    if at > envelope.sent_at + MAX_FUTURE_MS:
        reason = f"is over {MAX_FUTURE_MS} ms later than the SentTimestamp {envelope.sent_at}"
        raise InvalidIncrementError("at", reason, shown(at))
    return Event(
        increment.counter,
        number,
        seq,
        at,
        1 if increment.amount is UNSET else increment.amount,
        INT64_MIN if increment.min is UNSET else increment.min,
        default_max if increment.max is UNSET else increment.max,
        None if increment.reset is UNSET else increment.reset,
    )


def _checked(increment: Increment, envelope: Envelope, position: int) -> EventName:
    if increment.at is UNSET:
        check(increment)
        return EventName(derived_source(envelope.message_id), position, envelope.sent_at)
    return name_of(increment)


def derived_source(unique_id: str) -> int:
    """The source that stands for an id: its BLAKE2b digest, 64 bits, big-endian."""
    return int.from_bytes(hashlib.blake2b(unique_id.encode(), digest_size=8).digest(), "big")


def name_of(increment: Increment) -> EventName:
    """The name of a native or named increment; its event has the same name.

    Raises:
        InvalidIncrementError: the fields make neither form; only its message identifies an
            anonymous increment.
    """
    check(increment)
    if increment.at is UNSET:
        raise InvalidIncrementError("at", "is missing: an anonymous increment has no name")
    if increment.source is UNSET or increment.seq is UNSET:
        return EventName(derived_source(str(increment.id)), 0, increment.at)
    return EventName(source_number(increment.source), increment.seq, increment.at)


def identity_of(increment: Increment) -> str:
    """The name of a native or named increment; its event has the same `identity`.

    Raises:
        InvalidIncrementError: it is anonymous: only its message identifies it.
    """
    return str(name_of(increment))


def claimed(increment: Increment) -> str:
    """The identity that an increment states, even if its fields make none of the three forms."""
    if increment.id is not UNSET:
        return increment.id
    native = (increment.source, increment.seq, increment.at)
    return ":".join(str(part) for part in native if part is not UNSET)
