"""What is wrong with an option, in our words and with what was typed; not in pydantic's."""

from typing import Any

import typer

from tally.counters.errors import shown

_KINDS = {
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""By the type of pydantic's error; a type that is not here keeps the text it has."""


def in_our_words(error: typer.BadParameter) -> None:
    """Give an error that typer took from pydantic a text for people; any other stays as it is."""
    details = getattr(error.__cause__, "errors", None)
    if details is None:
        return
    first = details()[0]
    context = first.get("ctx", {})
    if words := _KINDS.get(first["type"]):
        bounds = {name: _plain(bound) for name, bound in context.items()}
        error.message = f"{words.format(**bounds)}, found {shown(first['input'])}"
    elif "error" in context:  # a ValueError of typer's own, which names the value
        error.message = str(context["error"]).removesuffix(".")


def _plain(bound: Any) -> str:  # noqa: ANN401 (whatever pydantic compares with)
    return str(int(bound)) if bound == int(bound) else str(bound)
