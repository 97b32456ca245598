"""Turns msgspec's validation errors into ours: which field, what stood there, what is wrong."""

import re
from collections.abc import Mapping

import msgspec

from counters.errors import InvalidIncrementError, shown

_ERROR = re.compile(r"(?P<reason>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_INDEX = re.compile(r"(?<=\]).*|^\..*", re.DOTALL)
_NOTHING = object()
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.(?P<key>[^.\[]+)")


def explained(error: msgspec.ValidationError, raw: object) -> InvalidIncrementError:
    """The error by field and value; `raw` is what was validated, as plain objects."""
    parts = _ERROR.fullmatch(str(error))
    reason, path = (parts["reason"], parts["path"] or "") if parts else (str(error), "")
    if missing := _MISSING.fullmatch(reason):
        path, reason = f"{path}.{missing['field']}", "is missing"
    elif unknown := _UNKNOWN.fullmatch(reason):
        path, reason = f"{path}.{unknown['field']}", "is no field of an increment"
    field = path.removeprefix(".") or "body"
    value, counter = _value_at(raw, path), _value_at(raw, _INDEX.sub("", path) + ".counter")
    name = counter if isinstance(counter, str) else ""
    return InvalidIncrementError(field, reason, "" if value is _NOTHING else shown(value), name)


def readable(body: str) -> object:
    """A JSON text as plain objects, to look up what is wrong in it; None if it cannot be read."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _value_at(raw: object, path: str) -> object:
    """What stands at the path, _NOTHING where there is nothing."""
    for step in _STEP.finditer(path):
        if step["index"] and isinstance(raw, list):
            raw = raw[int(step["index"])]
        elif step["key"] and isinstance(raw, Mapping) and step["key"] in raw:
            raw = raw[step["key"]]
        else:
            return _NOTHING
    return raw
