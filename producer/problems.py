"""Every problem that the API tells of, in the form of RFC 9457."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Self

from aws_lambda_powertools.event_handler import Response

from producer.models import FieldError, ProblemDetails

MEDIA_TYPE = "application/problem+json"
NOT_STORED = {"Cache-Control": "no-store"}
RETRY_AFTER_S = 2
"""How long a client should wait before it asks again, in seconds."""


class Kind(enum.Enum):
    """A kind of problem; its value is its name in logs.

    Attributes:
        type: the URI that programs know it by.
        status: of HTTP.
        title: for people, the same in every problem of the kind.
    """

    MALFORMED = ("malformed", 400, "The body is not JSON in UTF-8")
    NO_ROUTE = ("no-route", 404, "There is nothing at this path")
    NO_COUNTER = ("no-counter", 404, "There is no counter of this name")
    NO_METHOD = ("no-method", 405, "This path has another method")
    # Not 5xx, by which whoever asks for such a name could ring the ApiErrorsAlarm.
    NOT_A_COUNTER = ("not-a-counter", 409, "What is stored under this name is no counter")
    NOT_JSON = ("not-json", 415, "The body must be application/json")
    INVALID = ("invalid", 422, "The request breaks the contract")
    INTERNAL = ("internal", 500, "Something is broken here")
    UNCONFIRMED = ("unconfirmed", 503, "The queue did not confirm")
    UNREADABLE = ("unreadable", 503, "The store did not answer")
    THROTTLED = ("throttled", 503, "The store has too many requests")

    def __new__(cls, name: str, status: int, title: str) -> Self:
        """Make a member whose value is its name."""
        member = object.__new__(cls)
        member._value_ = name
        member.type = f"urn:tally:{name}"
        member.status = status
        member.title = title
        return member

    type: str
    status: int
    title: str


class ProblemError(Exception):
    """A request that cannot be done; raised anywhere, it is answered as a problem.

    Attributes:
        kind: which.
        headers: of the answer.
        details: members of the problem beside type, title and status.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **details: Any,  # noqa: ANN401 (fields of ProblemDetails)
    ) -> None:
        self.kind = kind
        self.headers = dict(headers or {})
        self.details = {"detail": detail, **details}
        super().__init__(f"{kind.title}: {detail}")

    def response(self) -> Response[str]:
        """The answer; members that say nothing are left out."""
        kind = self.kind
        body = ProblemDetails(
            type=kind.type, title=kind.title, status=kind.status, **self.details
        ).model_dump_json(exclude_defaults=True)
        return Response(kind.status, MEDIA_TYPE, body, {**NOT_STORED, **self.headers})


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """A request in which these things are wrong."""
    detail = "; ".join(f"{error.field} {error.reason}" for error in errors)
    return ProblemError(Kind.INVALID, detail, errors=errors)


def malformed(reason: str) -> ProblemError:
    """A body that cannot be read."""
    return ProblemError(Kind.MALFORMED, reason)


def passing(kind: Kind, detail: str, **details: Any) -> ProblemError:  # noqa: ANN401 (as above)
    """A problem that may have passed when the client asks again."""
    return ProblemError(kind, detail, {"Retry-After": str(RETRY_AFTER_S)}, **details)


def unrouted(method: str, path: str) -> ProblemError:
    """There is no such path, or it has another method.

    A name that is empty, or has a character that no URL has as it is, makes no path of ours.
    """
    match path.strip("/").split("/"):
        case ["counters"] | ["counters", _] | ["counters", _, "increments", _]:
            allowed = "GET"
        case ["counters", _, "increments" | "reset"]:
            allowed = "POST"
        case _:
            return ProblemError(Kind.NO_ROUTE, "the API begins at /counters")
    if method == allowed:
        return ProblemError(Kind.NO_ROUTE, "a name is not empty, and is percent-encoded")
    return ProblemError(Kind.NO_METHOD, f"it has {allowed}", {"Allow": allowed})
