"""The message contract as JSON Schema, for producers in other languages; made from the type."""

import inspect
from typing import Any

import msgspec

from tally.counters.event import Body

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# The fields' types cannot state that there are three forms, and that they must not be mixed.
_FORMS = [
    {"title": "native", "required": ["source", "seq", "at"], "properties": {"id": False}},
    {
        "title": "named",
        "required": ["id", "at"],
        "properties": {"source": False, "seq": False},
    },
    {
        "title": "anonymous",
        "properties": {"source": False, "seq": False, "id": False, "at": False},
    },
]
# A reset says what the count becomes: it adds nothing, and no bound applies.
_RESET = {"reset": {"properties": {"amount": False, "max": False, "min": False}}}


def body_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a message's body.

    JSON Schema knows no bytes and no arrival time, so the consumer checks a name's length in UTF-8,
    and compares `at` with the message's SentTimestamp.
    """
    schema = msgspec.json.schema(Body)
    increment = schema["$defs"]["Increment"]
    # Python 3.13 removes the indentation of a docstring; 3.12 keeps it.
    increment["description"] = inspect.cleandoc(increment["description"])
    increment["oneOf"] = _FORMS
    increment["dependentSchemas"] = _RESET
    return {"$schema": DIALECT, "title": "Tally message body", **schema}


def main() -> None:
    """Print the schema, as tally/counters/increment.schema.json holds it."""
    text = msgspec.json.format(msgspec.json.encode(body_schema()), indent=2).decode()
    print(text)  # noqa: T201 (a command's answer)


if __name__ == "__main__":
    main()
