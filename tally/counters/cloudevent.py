"""CloudEvents 1.0 in their JSON format: another form of the named increment.

The event's source and id together are the increment's id. Its time is `at`. The counter is the
`counter` of its data, or else its subject. The other fields of its data are those of an increment.
Other attributes are ignored, since CloudEvents allow extensions.
"""

import calendar
import re
from collections.abc import Mapping
from typing import Any

from tally.counters.errors import InvalidIncrementError, shown
from tally.counters.event import Increment, build

VERSION = "1.0"
"""The `specversion` of every event of CloudEvents 1.0.x."""

_DATA = ("counter", "amount", "max", "min", "reset")
_WORDS = {name: f"data.{name}" for name in _DATA} | {"at": "time"}
_JSON_TYPE = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)
# RFC 3339, section 5.6; its grammar has the year 0, Python's calendar has not.
_TIME = re.compile(
    r"(?!0000)([0-9]{4})-(0[1-9]|1[0-2])-([0-3][0-9])"
    r"[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DAY_S, _HOUR_S, _MINUTE_S, _LEAP = 86_400, 3_600, 60, "60"


def is_cloudevent(body: object) -> bool:
    """Whether a body, as plain objects, is meant to be a CloudEvent or a batch of them."""
    first = body[0] if isinstance(body, list) and body else body
    return isinstance(first, Mapping) and "specversion" in first


def increments(body: object) -> list[Increment]:
    """The increments of a CloudEvent or of a batch of them, from plain objects.

    Raises:
        InvalidIncrementError: an event is not of version 1.0, or makes no increment; `field` names
            the event's own attribute.
    """
    read = []
    for position, event in enumerate(body if isinstance(body, list) else [body]):
        attributes = event if isinstance(event, Mapping) else {}
        try:
            read.append(_increment(attributes))
        except InvalidIncrementError as error:
            place = f"[{position}]." if isinstance(body, list) else ""
            raise error.within(place, *_claims(attributes)) from None
    return read


def in_its_words(error: InvalidIncrementError) -> InvalidIncrementError:
    """The error with the event's attribute in place of the increment's field."""
    field = _WORDS.get(error.field, error.field)
    return InvalidIncrementError(field, error.reason, error.value, error.counter)


def _increment(event: Mapping[str, Any]) -> Increment:
    version = _text(event, "specversion")
    if version != VERSION:
        raise InvalidIncrementError("specversion", f"must be {VERSION}", shown(version))
    source = _text(event, "source")
    if re.search(r"\s", source):  # so the first blank of the joined id ends the source
        raise InvalidIncrementError("source", "must be a URI-reference", shown(source))
    _text(event, "type")
    data = _data(event)
    fields = {"id": f"{source} {_text(event, 'id')}", "at": _at_ms(_text(event, "time")), **data}
    if "counter" not in data:
        fields["counter"] = _text(event, "subject")
    try:
        return build(fields)
    except InvalidIncrementError as error:
        if error.field == "counter" and "counter" not in data:
            raise InvalidIncrementError("subject", error.reason, error.value) from None
        raise in_its_words(error) from None


def _text(event: Mapping[str, Any], name: str) -> str:
    """An attribute that an increment needs; null means that it is not set."""
    value = event.get(name)
    if value is None:
        raise InvalidIncrementError(name, "is missing")
    if not isinstance(value, str) or not value:
        raise InvalidIncrementError(name, "must be text, and not empty", shown(value))
    return value


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    content = event.get("datacontenttype")
    if content is not None and not (isinstance(content, str) and _JSON_TYPE.fullmatch(content)):
        raise InvalidIncrementError("datacontenttype", "must be a type of JSON", shown(content))
    if event.get("data_base64") is not None:
        raise InvalidIncrementError("data_base64", "cannot be read: data must be JSON")
    data = event.get("data")
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise InvalidIncrementError("data", "must be an object", shown(data))
    for name in data:
        if name not in _DATA:
            unknown = f"data.{name}"
            raise InvalidIncrementError(unknown, "is no field of an increment", shown(data[name]))
    return data


def _at_ms(time: str) -> int:
    """A time of RFC 3339 in ms since the epoch; fractions of a millisecond are cut off.

    Parsed by hand, since no parser here takes all that the standard allows: a leap second, any
    number of digits. A leap second equals the second after it, as in POSIX.
    """
    found = _TIME.fullmatch(time)
    if found is None or int(found[3]) not in range(1, _month_days(found) + 1):
        raise InvalidIncrementError("time", "is no time of RFC 3339", shown(time))
    local_s = calendar.timegm(tuple(int(part) for part in found.groups()[:6]))
    offset_s = int(found[9] or 0) * _HOUR_S + int(found[10] or 0) * _MINUTE_S
    utc_s = local_s + offset_s if found[8] == "-" else local_s - offset_s
    if found[6] == _LEAP and utc_s % _DAY_S:
        raise InvalidIncrementError("time", "has a leap second before the day's end", shown(time))
    at_ms = utc_s * 1_000 + int(f"{found[7] or ''}000"[:3])
    if at_ms < 1:
        raise InvalidIncrementError("time", "must be later than 1970 began", shown(time))
    return at_ms


def _month_days(found: re.Match[str]) -> int:
    return calendar.monthrange(int(found[1]), int(found[2]))[1]


def _claims(event: Mapping[str, Any]) -> tuple[str, str]:
    """The counter and the id that an event states, if they can be read."""
    data = event.get("data")
    counter = data.get("counter") if isinstance(data, Mapping) and "counter" in data else None
    named = [counter or event.get("subject"), event.get("source"), event.get("id")]
    counter, source, number = (part if isinstance(part, str) else "" for part in named)
    return counter, f"{source} {number}".strip()
