"""Turns msgspec's validation errors into ours: which field, its value, what is wrong."""

import re
from collections.abc import Mapping

import msgspec

from tally.counters.errors import InvalidIncrementError, shown

# Only a path at the very end counts, and only with the steps that our types can have: the text
# before it quotes a field as it was sent, which may itself look like a path.
_PLACED = re.compile(
    r"(?P<reason>.*?)(?: - at `\$(?P<path>(?:\[[0-9]{1,9}\]|\.[a-z]+)*)`)?", re.DOTALL
)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_WORDS = {
    "Expected `int`, got": "must be an integer",
    "Expected `str`, got": "must be text",
    "Expected `object`, got": "must be an object",
    "Expected `array`, got": "must be an array",
    "Expected `object | array`, got": "must be an object or an array",
    "Expected `int` <=": "must be at most {}",
    "Expected `int` >=": "must be at least {}",
    "Expected `str` of length <=": "must have at most {} bytes",
    "Expected `str` of length >=": "must not be empty",
    "Expected `array` of length >=": "must not be empty",
}
"""Msgspec's text before its last word (a type or a bound), and what a person reads instead."""

_NOTHING = object()
_STEP = re.compile(r"\[(?P<index>[0-9]+)\]|\.(?P<key>[a-z]+)")


def explained(error: msgspec.ValidationError, raw: object) -> InvalidIncrementError:
    """Our error for msgspec's; `raw` is what was validated, as plain objects."""
    reason, path = _placed(str(error), raw)
    value = _value_at(raw, path)
    counter = _value_at(raw, f"{path.partition('.')[0]}.counter")
    if missing := _MISSING.fullmatch(reason):
        path, reason, value = f"{path}.{missing['field']}", "is missing", _NOTHING
    elif unknown := _UNKNOWN.fullmatch(reason):
        name = unknown["field"]
        path, reason = f"{path}.{name}", "is no field of an increment"
        value = value.get(name, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    else:
        reason = _in_our_words(reason)
    field = path.removeprefix(".") or "body"
    name = counter if isinstance(counter, str) else ""
    return InvalidIncrementError(field, reason, "" if value is _NOTHING else shown(value), name)


def readable(body: str) -> object:
    """A JSON text as plain objects, to look up what is wrong in it; None if it nests too deeply.

    Raises:
        msgspec.DecodeError: it is no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        return None


def _placed(text: str, raw: object) -> tuple[str, str]:
    """What msgspec says, and the path of the field: `[3].amount`, or empty for the whole body."""
    if isinstance(raw, Mapping) and _UNKNOWN.fullmatch(text):
        return text, ""  # what looks like a path is part of the field's name
    parts = _PLACED.fullmatch(text)
    return (parts["reason"], parts["path"] or "") if parts else (text, "")


def _in_our_words(reason: str) -> str:
    """A reason in words for people; if it is not in the table, as it is."""
    said, _, last = reason.rpartition(" ")
    return _WORDS[said].format(last) if said in _WORDS else reason


def _value_at(raw: object, path: str) -> object:
    """The value at the path; _NOTHING if there is none."""
    for step in _STEP.finditer(path):
        if step["index"] and isinstance(raw, list) and int(step["index"]) < len(raw):
            raw = raw[int(step["index"])]
        elif step["key"] and isinstance(raw, Mapping) and step["key"] in raw:
            raw = raw[step["key"]]
        else:
            return _NOTHING
    return raw
