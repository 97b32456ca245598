"""Every problem that the API answers, in the form of RFC 9457, and which one each error becomes."""

import enum
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from producer.models import Accepted, FieldError, ProblemDetails
from tally.counters.errors import InvalidIncrementError, shown
from tally.reading.errors import NoTableError, ReadError
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Trouble

MEDIA_TYPE = "application/problem+json"
NOT_STORED = {"Cache-Control": "no-store"}
RETRY_AFTER_S = 2
"""How long a client should wait before it asks again, in seconds."""
FIRST_SERVER_ERROR = 500
"""From this status on, a problem is not the client's fault."""

_PYDANTIC = re.compile("Value error, (?P<ours>)|(Input|String|List) should")


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
    # Not 5xx: else any caller could ring the ApiErrorsAlarm by asking for such a name.
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
    """A request that fails; wherever it is raised, the answer is a problem.

    Attributes:
        kind: of the problem.
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
        """The answer; empty members are left out."""
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
    """A problem that may be over when the client asks again."""
    return ProblemError(kind, detail, {"Retry-After": str(RETRY_AFTER_S)}, **details)


def unconfirmed(accepted: Accepted, *, is_named: bool) -> ProblemError:
    """An event that SQS did not confirm; a repeat is safe if it has the client's key.

    The answer tells the `at` of the first try, for a repeat after the ledger has forgotten the key.
    """
    detail = (
        "it may have arrived; to repeat the request with the same Idempotency-Key is safe, and with"
        " the `at` that ends `event` it stays safe at any time"
        if is_named
        else "it may have arrived; a repeat could count it twice: it did arrive if its outcome is"
        " applied or rejected, pending tells nothing; send an Idempotency-Key another time"
    )
    return passing(Kind.UNCONFIRMED, detail, event=accepted.event, outcome=accepted.outcome)


def unrouted(method: str, path: str) -> ProblemError:
    """There is no such path, or it has another method.

    An empty name, or one with a character that a URL must encode, also makes a path that we lack.
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


def install(
    app: APIGatewayRestResolver, logger: Logger, on_broken_setup: Callable[[], object]
) -> None:
    """Have the resolver answer every error with its problem.

    Args:
        app: the resolver.
        logger: gets what is not the client's fault, another program's value included.
        on_broken_setup: called when the store refuses the key.
    """

    def answer(error: Exception) -> Response[str]:
        if isinstance(error, NotFoundError):
            request = app.current_event
            return unrouted(request.http_method, request.path).response()
        if isinstance(error, BrokenSetupError):
            on_broken_setup()
        found = problem(error)
        if found.kind.status >= FIRST_SERVER_ERROR or found.kind is Kind.NOT_A_COUNTER:
            _log(logger, found, error)
        return found.response()

    app.exception_handler(Exception)(answer)


def _log(logger: Logger, found: ProblemError, error: Exception) -> None:
    is_unknown = found.kind is Kind.INTERNAL
    event = found.details.get("event")
    named = {"identity": event} if event else {}
    write = logger.error if is_unknown else logger.warning
    write(
        "%s: %s",
        found.kind.title,
        (isinstance(error, ProblemError) and error.__cause__) or error,
        exc_info=error if is_unknown else None,
        extra={"action": "request_failed", "problem": found.kind.value, **named},
    )


@functools.singledispatch
def problem(error: Exception) -> ProblemError:
    """The problem for an error; an unknown error is our own fault."""
    del error  # the client must see nothing of it
    return _internal()


@problem.register
def _(error: ProblemError) -> ProblemError:
    return error


@problem.register
def _(error: InvalidIncrementError) -> ProblemError:
    # The contract's fields under their names in this API.
    field = {"id": "Idempotency-Key", "reset": "to"}.get(error.field, error.field)
    return invalid([FieldError(field=field, reason=error.reason, value=error.value)])


@problem.register
def _(error: NoTableError) -> ProblemError:
    return invalid([FieldError(field="consistent", reason=str(error))])


@problem.register
def _(error: RequestValidationError) -> ProblemError:
    return invalid([_field_error(one) for one in error.errors()])


@problem.register
def _(_error: RequestUnsupportedContentType) -> ProblemError:
    return ProblemError(Kind.NOT_JSON, "send it with Content-Type: application/json")


@problem.register
def _(_error: UnicodeDecodeError) -> ProblemError:
    return malformed("it is not UTF-8")


@problem.register
def _(error: ReadError) -> ProblemError:
    match error.trouble:
        case None:
            return ProblemError(
                Kind.NOT_A_COUNTER, f"{error.counter}: another program has written there"
            )
        case Trouble.REFUSED:  # of the whole read, not because of one name
            return _internal()
        case Trouble.THROTTLED:
            return passing(Kind.THROTTLED, "ask again later")
        case _:
            return passing(Kind.UNREADABLE, "ask again")


def _internal() -> ProblemError:
    return ProblemError(Kind.INTERNAL, "the log has it; the request is not at fault")


def _field_error(error: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors, in our words."""
    place, *steps = error["loc"]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    field = path.removeprefix(".") or "body"
    if place == "header":
        field = field.title()  # Powertools has it in lower case
    match error["type"]:
        case "string_type" if place == "header":  # one value of a header is text
            reason = "must be given once"
        case "missing":
            return FieldError(field=field, reason="is missing")
        case "extra_forbidden":
            reason = "is no field of this request"
        case _:
            reason = _PYDANTIC.sub(_our_words, error["msg"])
    return FieldError(field=field, reason=reason, value=shown(error["input"]))


def _our_words(found: re.Match[str]) -> str:
    return "must" if found["ours"] is None else ""
