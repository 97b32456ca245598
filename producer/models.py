"""The types of the HTTP API's requests and answers: they check requests, and describe the API."""

from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from tally.counters.event import INT64_MAX, INT64_MIN, MAX_COUNTER_BYTES
from tally.counters.outcome import Outcome
from tally.reading.reader import MAX_COUNTERS_PER_CALL

MAX_KEY_CHARS = 255
"""How long an Idempotency-Key may be."""


def _decoded(segment: str) -> str:
    """A segment of the path, decoded: a REST API passes it on percent-encoded."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None  # noqa: TRY003 (pydantic asks for a ValueError)


def _flag(value: object) -> bool:
    """A boolean as JSON writes it: pydantic would also take yes, 1 and on for true."""
    flags = {"true": True, "false": False, True: True, False: False}
    if not isinstance(value, str | bool) or value not in flags:
        raise ValueError("must be true or false")  # noqa: TRY003 (pydantic asks for a ValueError)
    return flags[value]


# Strict, since pydantic would also take "5", 5.0 and true for integers.
Int64 = Annotated[
    int,
    Field(strict=True, ge=INT64_MIN, le=INT64_MAX, json_schema_extra={"format": "int64"}),
]
At = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=INT64_MAX,
        json_schema_extra={"format": "int64"},
        description="when it happened, in ms since the epoch; it needs an Idempotency-Key; if each"
        " repeat has the same, a repeat of any age is safe",
    ),
]

# The limit is in bytes, which a schema cannot say: the contract checks it.
Counter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_COUNTER_BYTES),
    BeforeValidator(_decoded),
    Path(
        description=f"the counter's name, 1 to {MAX_COUNTER_BYTES} bytes of UTF-8,"
        " percent-encoded: a slash in it is %2F",
    ),
]
EventOf = Annotated[
    str,
    StringConstraints(pattern="^[0-9a-f]{16}:(0|[1-9][0-9]{0,18}):[1-9][0-9]{0,18}$"),
    BeforeValidator(_decoded),
    Path(description="the event's name, as the API gave it: source:seq:at"),
]
Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_COUNTER_BYTES)]],
    Query(
        alias="name",
        min_length=1,
        max_length=MAX_COUNTERS_PER_CALL,
        description=f"the counters' names, each as a parameter of its own;"
        f" at most {MAX_COUNTERS_PER_CALL}",
    ),
]
Consistent = Annotated[
    bool,
    BeforeValidator(_flag),
    Query(
        description="asks the table itself, not the cache before it, which may be older; only if"
        " counters are in a table",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY_CHARS,
        pattern="^[!-~]+$",
        description="makes a repeat safe: for one counter the same key counts once, whatever else"
        " the repeat says, as long as the counter remembers it; with the same `at` never twice",
    ),
]


class IncrementFields(BaseModel):
    """An increment; without a body it is one of 1."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Int64, Field(description="what to add to the count")] = 1
    max: Annotated[
        Int64 | None,
        Field(description="reject a positive amount if the count would exceed this"),
    ] = None
    min: Annotated[
        Int64 | None,
        Field(description="reject a negative amount if the count would fall below this"),
    ] = None
    at: At | None = None


class ResetFields(BaseModel):
    """A reset; without a body it is one to 0."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[Int64, Field(description="what the count becomes, whatever it was")] = 0
    at: At | None = None


IncrementBody = Annotated[IncrementFields | None, Body(description="what to count; 1 without")]
ResetBody = Annotated[ResetFields | None, Body(description="what to reset to; 0 without")]


class Accepted(BaseModel):
    """An event that the queue has confirmed: it is decided once, or ends in the dead letters."""

    event: Annotated[str, Field(description="its name, source:seq:at")]
    counter: str
    outcome: Annotated[str, Field(description="where to ask what became of it")]


class Count(BaseModel):
    """A counter's present count; events on their way are not in it."""

    counter: str
    count: Int64


class Counts(BaseModel):
    """Many counters, by name; null for a counter that is not there."""

    counts: dict[str, Int64 | None]


class OutcomeOf(BaseModel):
    """What became of an event, from the counter's own ledger.

    Applied and rejected are final while the counter lives and remembers them. Pending: as far as
    the counter knows it is not decided; it is on its way, or was never published. Forgotten: it is
    older than the counter's memory.
    """

    outcome: Outcome


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: Annotated[str, Field(description="a field of the body, or a parameter")]
    reason: str
    value: Annotated[str, Field(description="what was found there, shortened")] = ""


class ProblemDetails(BaseModel):
    """Why a request failed (RFC 9457)."""

    type: Annotated[str, Field(description="the kind of problem, for programs")]
    title: Annotated[str, Field(description="the same for people")]
    status: int
    detail: str
    errors: list[FieldError] = []
    event: Annotated[str, Field(description="an event that may have arrived")] = ""
    outcome: Annotated[str, Field(description="where to ask what became of it")] = ""
