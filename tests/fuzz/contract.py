"""The message contract without our parser: the published schema, its extra rules, and plain sums.

Written from docs/format.md, as the judge of what the consumer does with whole SQS events.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema

from tally.counters import schema
from tally.counters.event import INT64_MAX, INT64_MIN, MAX_COUNTER_BYTES, MAX_FUTURE_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
TEXT = {"type": "string", "minLength": 1}
JSON_TYPE = r"^[^/;\s]+/([^/;\s]+\+)?[jJ][sS][oO][nN]\s*(;|\Z)"
EVENT_SCHEMA = {
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
_EVENT = jsonschema.Draft202012Validator(EVENT_SCHEMA)
PUBLISHED = Path(schema.__file__).with_name("increment.schema.json")


class NoJsonError(ValueError):
    """A text that Python's own parser takes and RFC 8259 does not."""


class TwiceError(ValueError):
    """An object with a key twice, which RFC 8259 lets every parser read as it likes."""


def _ecma_pattern(_validator: Any, pattern: str, text: object, _schema: Any) -> Any:
    # JSON Schema's patterns are ECMAScript's, where $ does not match before a newline.
    if isinstance(text, str) and not re.search(pattern.replace("$", r"\Z"), text):
        yield jsonschema.ValidationError(f"{text!r} does not match {pattern!r}")


def _is_integer(_checker: Any, number: object) -> bool:
    # The contract has no floats at all; JSON Schema alone would take 1.0 for an integer.
    return isinstance(number, int) and not isinstance(number, bool)


_STRICT = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _ecma_pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
_VALIDATOR = _STRICT(json.loads(PUBLISHED.read_text(encoding="utf-8")))


def read(body: str) -> Any:
    """What a body says, as plain objects.

    Raises:
        TwiceError: it has a key twice.
        ValueError: it is not JSON, or not text.
        RecursionError: it is nested deeper than any increment.
    """
    said = json.loads(body, object_pairs_hook=_object, parse_constant=_no_constant)
    json.dumps(said, ensure_ascii=False).encode()  # an escape may write half a character
    return said


def valid_increments(body: str, sent_at: int) -> list[dict[str, Any]] | None:
    """The increments of a valid body; None if it breaks the contract.

    Raises:
        TwiceError: the contract does not say.
    """
    try:
        said = read(body)
    except TwiceError:
        raise
    except (ValueError, RecursionError):
        return None
    if are_cloudevents(said):
        said = as_increments(said)
    if not _VALIDATOR.is_valid(said):
        return None
    increments = said if isinstance(said, list) else [said]
    for increment in increments:
        if len(increment["counter"].encode()) > MAX_COUNTER_BYTES:
            return None
        if increment.get("at", 0) > sent_at + MAX_FUTURE_MS:
            return None
    return increments


class Ledgerless:
    """Counters as anybody would write them down: every event ever decided, and a sum."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._decided: set[tuple[Any, ...]] = set()

    def settle(self, records: list[dict[str, Any]], *, in_order: bool = False) -> None:
        """Decide the increments of records that are valid, the oldest first or as they came."""
        entries = [entry for record in records for entry in _entries(record)]
        if not in_order:
            entries.sort(key=lambda entry: entry[0])
        for _, identity, increment in entries:
            self._decide((increment["counter"], *identity), increment)

    def _decide(self, event: tuple[Any, ...], increment: dict[str, Any]) -> None:
        if event in self._decided:
            return
        self._decided.add(event)
        counter, amount = increment["counter"], increment.get("amount", 1)
        if "reset" in increment:
            self.counts[counter] = increment["reset"]
            return
        after = self.counts.setdefault(counter, 0) + amount
        if amount > 0 and after > increment.get("max", INT64_MAX):
            return
        if amount < 0 and after < increment.get("min", INT64_MIN):
            return
        self.counts[counter] = after


def _entries(record: dict[str, Any]) -> list[tuple[int, tuple[Any, ...], dict[str, Any]]]:
    """Of each increment: when it was published, who it is, and what it says."""
    sent_at = int(record["attributes"]["SentTimestamp"])
    increments = valid_increments(record["body"], sent_at) or []
    return [
        (increment.get("at", sent_at), _identity(increment, record["messageId"], place), increment)
        for place, increment in enumerate(increments)
    ]


def _identity(increment: dict[str, Any], message_id: str, place: int) -> tuple[Any, ...]:
    if "source" in increment:
        return ("native", increment["source"], increment["seq"])
    if "id" in increment:
        return ("named", increment["id"])
    return ("anonymous", message_id, place)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        raise TwiceError
    return said


def _no_constant(name: str) -> None:
    raise NoJsonError(name)


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
    if not _EVENT.is_valid(event):
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
