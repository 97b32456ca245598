"""The body of a message, read: which events it holds, or which field breaks the contract."""

import msgspec

from tally.counters import cloudevent
from tally.counters.cloudevent import is_cloudevent
from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import INT64_MAX, Body, Envelope, Event, Increment
from tally.counters.explain import explained, readable
from tally.counters.identity import claimed, identify
from tally.counters.wrapped import wrapped


def parse(body: str, envelope: Envelope, default_max: int = INT64_MAX) -> list[Event]:
    """Read the body of a message into its events; `default_max` is for those without a `max`.

    Raises:
        InvalidIncrementError: the body breaks the contract. One bad increment fails its message:
            the others may be sent again, since the ledger knows them.
    """
    decoded = _decoded(body)
    events: list[Event] = []
    try:
        if isinstance(decoded, Increment):  # the usual case, which needs no list
            return [identify(decoded, envelope, 0, default_max)]
        for increment in decoded:
            events.append(identify(increment, envelope, len(events), default_max))
    except InvalidIncrementError as error:
        increment = decoded if isinstance(decoded, Increment) else decoded[len(events)]
        if is_cloudevent(readable(body)):
            error = cloudevent.in_its_words(error)
        place = f"[{len(events)}]." if body.lstrip().startswith("[") else ""
        raise error.within(place, increment.counter, claimed(increment)) from None
    return events


def increments(body: str) -> list[Increment]:
    """Read the increments of a body without their identities; CloudEvents become named ones.

    Raises:
        InvalidIncrementError: the body is not JSON, or not of the contract's types.
    """
    decoded = _decoded(body)
    return [decoded] if isinstance(decoded, Increment) else decoded


def increment_at(body: str, position: int) -> Increment:
    """The increment at a position of a body that was read before; the others are not read again."""
    if body.lstrip().startswith("["):
        body = bytes(_ELEMENTS.decode(body)[position]).decode()
    return increments(body)[0]


_DECODER: msgspec.json.Decoder[Increment | list[Increment]] = msgspec.json.Decoder(Body)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def _decoded(body: str) -> Increment | list[Increment]:
    """What a body holds; raises as increments() does."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        return _of_other_types(body, error)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise _not_json(body, error) from None


def _of_other_types(body: str, error: msgspec.ValidationError) -> Increment | list[Increment]:
    """Read a body that is not of our types; if it has a specversion, it is a CloudEvent."""
    try:
        said = _said(body, error)
    except msgspec.DecodeError as broken:
        raise _not_json(body, broken) from None
    if is_cloudevent(said):
        return cloudevent.increments(said)
    raise wrapped(said) or explained(error, said) from None


def _not_json(body: str, error: Exception) -> InvalidIncrementError:
    return InvalidIncrementError("body", f"is not JSON ({error})", shown(body))


def _said(body: str, error: msgspec.ValidationError) -> object:
    """A body that is not of our types, as plain objects; raises if it is no JSON."""
    try:
        return readable(body)
    except msgspec.DecodeError as broken:
        # A number past all ranges stops both decoders; only that of our types knows its field.
        reason, _, _ = str(broken).partition(" - at ")
        if not str(error).startswith(reason):
            raise
        return None
