"""CloudEvents as increments without our parser: a schema of their own, and Python's own time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
TEXT = {"type": "string", "minLength": 1}
JSON_TYPE = r"^[^/;\s]+/([^/;\s]+\+)?[jJ][sS][oO][nN]\s*(;|\Z)"
SCHEMA = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": {"type": "string", "pattern": r"^\S+\Z"},
        "type": TEXT,
        "time": {"type": "string"},
        "datacontenttype": {"type": ["string", "null"], "pattern": JSON_TYPE},
        "data_base64": {"type": "null"},
        "data": {
            "type": ["object", "null"],
            "propertyNames": {"enum": ["counter", "amount", "max", "min", "reset"]},
        },
    },
}
_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def are_cloudevents(said: Any) -> bool:
    """Whether a body is one, or an array that begins with one."""
    first = said[0] if isinstance(said, list) and said else said
    return isinstance(first, dict) and "specversion" in first


def as_increments(said: Any) -> Any:
    """The named increments that a body's events say; None where one of them breaks the rules."""
    if not isinstance(said, list):
        return _as_increment(said)
    return [_as_increment(event) for event in said]


def _as_increment(event: Any) -> dict[str, Any] | None:
    if not _VALIDATOR.is_valid(event):
        return None
    identity = {"id": f"{event['source']} {event['id']}", "at": _at_ms(event["time"])}
    return {"counter": event.get("subject")} | (event.get("data") or {}) | identity


def _at_ms(time: str) -> int | None:
    """Milliseconds since the epoch; None if it is no time."""
    if not RFC3339.fullmatch(time):
        return None
    is_leap = time[17:19] == "60"
    try:
        read = datetime.fromisoformat((f"{time[:17]}59{time[19:]}" if is_leap else time).upper())
    except ValueError:
        return None
    since = read - EPOCH + timedelta(seconds=is_leap)
    if is_leap and since.seconds:
        return None
    return since // timedelta(milliseconds=1)
