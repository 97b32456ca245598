"""How the API describes itself: OpenAPI 3.1, made from the types that check its requests."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.models import APIKey, Tag
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from producer.access import SCHEMES, Auth
from producer.models import Accepted, Count, Counts, OutcomeOf, ProblemDetails
from producer.problems import MEDIA_TYPE, Kind
from tally.counters.event import INT64_MAX, INT64_MIN

VERSION = "1.0.0"
PATH = "/openapi.json"

_UNUSED = ("HTTPValidationError", "ResponseValidationError", "ValidationError")
"""Schemas that Powertools adds for answers that the API does not give."""

_TAKING = (
    Kind.MALFORMED,
    Kind.NOT_JSON,
    Kind.INVALID,
    Kind.INTERNAL,
    Kind.UNCONFIRMED,
)
_READING = (Kind.NOT_A_COUNTER, Kind.INVALID, Kind.INTERNAL, Kind.UNREADABLE, Kind.THROTTLED)
_LINKS = {
    "outcome": {
        "operationId": "getOutcome",
        "parameters": {
            "counter": "$response.body#/counter",
            "event": "$response.body#/event",
        },
    },
    "count": {
        "operationId": "getCount",
        "parameters": {"counter": "$response.body#/counter"},
    },
}


def _text(model: type) -> str:
    """A type's description, in one paragraph."""
    return " ".join((model.__doc__ or "").split())


def _responses(status: HTTPStatus, model: type, *kinds: Kind) -> dict[int, Any]:
    """The answers of an operation; the problems of one status share an entry."""
    answers: dict[int, Any] = {
        status: {"description": _text(model), "content": {"application/json": {"model": model}}}
    }
    for code in dict.fromkeys(kind.status for kind in kinds):
        of_code = [kind for kind in kinds if kind.status == code]
        answers[code] = {
            "description": "; ".join(f"{kind.title} (`{kind.type}`)" for kind in of_code),
            "content": {MEDIA_TYPE: {"model": ProblemDetails}},
        }
        if code == HTTPStatus.SERVICE_UNAVAILABLE:
            seconds = {"description": "when to ask again, in s", "schema": {"type": "integer"}}
            answers[code]["headers"] = {"Retry-After": seconds}
    return answers


def _accepts(name: str, summary: str, text: str) -> dict[str, Any]:
    responses = _responses(HTTPStatus.ACCEPTED, Accepted, *_TAKING)
    header = {"description": "where to ask what became of it", "schema": {"type": "string"}}
    responses[HTTPStatus.ACCEPTED] |= {"headers": {"Location": header}, "links": _LINKS}
    return {
        "operation_id": name,
        "summary": summary,
        "description": text,
        "status_code": HTTPStatus.ACCEPTED,
        "responses": responses,
        "tags": ["publish"],
    }


def _tells(name: str, summary: str, model: type, *kinds: Kind) -> dict[str, Any]:
    return {
        "operation_id": name,
        "summary": summary,
        "description": _text(model),
        "responses": _responses(HTTPStatus.OK, model, *kinds, *_READING),
        "tags": ["read"],
    }


INCREMENT = _accepts(
    "increment",
    "Count an event",
    "Answers when the queue has confirmed it; it is decided, once, when its batch is.",
)
RESET = _accepts(
    "reset",
    "Reset a counter",
    "An event like an increment: it is confirmed by the queue, and applied once, with its batch.",
)
COUNTS = _tells("getCounts", "Read many counters", Counts)
COUNT = _tells("getCount", "Read a counter", Count, Kind.NO_COUNTER)
OUTCOME = _tells("getOutcome", "Ask what became of an event", OutcomeOf)


def install(app: APIGatewayRestResolver, auth: Auth = Auth.KEY) -> None:
    """Describe the resolver's routes and how a caller is let in, at PATH and in `document`."""
    name, scheme = SCHEMES[auth]
    app.configure_openapi(
        title="Tally",
        version=VERSION,
        description="Exactly-once counters: events go through a queue, and each is counted once.",
        tags=[
            Tag(name="publish", description="through the queue, decided batch by batch"),
            Tag(name="read", description="straight from the counters"),
        ],
        security_schemes={name: APIKey.model_validate(scheme)},
        security=[{name: []}],
    )

    @app.get(PATH, include_in_schema=False)
    def openapi() -> Response[str]:
        described = document(app, server(app.current_event))
        return Response(HTTPStatus.OK, "application/json", json.dumps(described))


def stage(request: APIGatewayProxyEvent) -> str:
    """The stage, with which paths at API Gateway's own address begin; empty behind your own domain.

    Raises:
        KeyError: the event is not of a REST API, or incomplete.
    """
    path, full = request.path, request.request_context.path
    return full.removesuffix(path) if full.endswith(path) else ""


def server(request: APIGatewayProxyEvent) -> str:
    """The address that a request came to, up to the paths of the document.

    Without the stage, clients made from the document would be refused by API Gateway. An API on
    this machine names no domain, and its document is of the server that it was loaded from.
    """
    domain = request.request_context.get("domainName")
    return f"https://{domain}{stage(request)}" if domain else stage(request) or "/"


def document(app: APIGatewayRestResolver, server: str = "/") -> dict[str, Any]:
    """The OpenAPI document of a resolver that `install` has described.

    Args:
        app: the resolver.
        server: the address that its paths follow.
    """
    described: dict[str, Any] = json.loads(app.get_openapi_json_schema())
    described["servers"] = [{"url": server}]
    schemas = described["components"]["schemas"]
    for name in _UNUSED:
        schemas.pop(name, None)
    exact: dict[str, Any] = _exact(described)
    return exact


def _exact(node: Any) -> Any:  # noqa: ANN401 (anything that JSON can hold)
    """The document with the exact bounds of int64: Powertools keeps them as floats, 2^63."""
    match node:
        case dict():
            return {name: _exact(value) for name, value in node.items()}
        case list():
            return [_exact(value) for value in node]
        case float() if node == INT64_MAX + 1:
            return INT64_MAX
        case float() if node.is_integer() and node >= INT64_MIN:
            return int(node)
        case _:
            return node
