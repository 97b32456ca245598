"""Which problem each error is: one table for everything that a request can raise."""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from producer.models import FieldError
from producer.problems import Kind, ProblemError, invalid, malformed, passing, unrouted
from tally.counters.errors import InvalidIncrementError, shown
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Trouble

FIRST_OF_OURS = 500
"""From this status on a problem is not the client's own."""

_PYDANTIC = re.compile("Value error, (?P<ours>)|(Input|String|List) should")


def install(
    app: APIGatewayRestResolver, logger: Logger, on_broken_setup: Callable[[], object]
) -> None:
    """Have the resolver answer every error with its problem.

    Args:
        app: the resolver.
        logger: told of what is not the client's own fault; so is a value of another program.
        on_broken_setup: called when Momento refuses the key.
    """

    def answer(error: Exception) -> Response[str]:
        if isinstance(error, NotFoundError):
            request = app.current_event
            return unrouted(request.http_method, request.path).response()
        if isinstance(error, BrokenSetupError):
            on_broken_setup()
        found = problem(error)
        if found.kind.status >= FIRST_OF_OURS or found.kind is Kind.NOT_A_COUNTER:
            _log(logger, found, error)
        return found.response()

    app.exception_handler(Exception)(answer)


def _log(logger: Logger, found: ProblemError, error: Exception) -> None:
    is_unknown = found.kind is Kind.INTERNAL
    write = logger.error if is_unknown else logger.warning
    write(
        "%s: %s",
        found.kind.title,
        (isinstance(error, ProblemError) and error.__cause__) or error,
        exc_info=error if is_unknown else None,
        extra={"action": "request_failed", "problem": found.kind.value},
    )


@functools.singledispatch
def problem(error: Exception) -> ProblemError:
    """The problem that an error is; one that is not known is our own fault."""
    del error  # nothing of it is the client's business
    return _internal()


@problem.register
def _(error: ProblemError) -> ProblemError:
    return error


@problem.register
def _(error: InvalidIncrementError) -> ProblemError:
    # The contract's fields by the names that they have here.
    field = {"id": "Idempotency-Key", "reset": "to"}.get(error.field, error.field)
    return invalid([FieldError(field=field, reason=error.reason, value=error.value)])


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
        case Trouble.REFUSED:  # the whole read, for a reason that is no name's
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
        case "missing":
            return FieldError(field=field, reason="is missing")
        case "extra_forbidden":
            reason = "is no field of this request"
        case _:
            reason = _PYDANTIC.sub(_our_words, error["msg"])
    return FieldError(field=field, reason=reason, value=shown(error["input"]))


def _our_words(found: re.Match[str]) -> str:
    return "must" if found["ours"] is None else ""
