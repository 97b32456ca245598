"""What API Gateway's REST proxy integration does: request to event, and answer to response."""

import base64
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

from tally.local.ports import LOOPBACK

STAGE = "$default"
"""Powertools' name for no stage: paths here have none."""

HEADERS = "tally.headers"
"""The key of the headers as they came, pairs of name and value, in our server's environ: WSGI joins
headers of the same name with a comma, which can be part of a value."""

MAX_PARAMETERS = 1_000
"""How many parameters a query may have."""


def proxy_event(request: Request) -> dict[str, Any]:
    """The event of a request; its path is percent-encoded as it came, its query decoded.

    A body that is not UTF-8 is passed on in base64.

    Raises:
        ValueError: the query has too many parameters, or is not UTF-8.
    """
    path, _, query = target(request).partition("?")
    parameters = parse_qs(
        query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"
    )
    headers: dict[str, list[str]] = {}
    for name, value in request.environ.get(HEADERS, request.headers.items()):
        headers.setdefault(name, []).append(value)
    body, is_base64 = _body(request.get_data())
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(parameters) or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "httpMethod": request.method,
            "identity": {"sourceIp": LOOPBACK},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "resourcePath": "/{proxy+}",
            "stage": STAGE,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    }


def target(request: Request) -> str:
    """The path and the query as they were sent: WSGI's own path is decoded, slashes and all."""
    uri: str = request.environ["REQUEST_URI"]
    if uri.startswith("/"):
        return uri
    # The absolute form, as for a proxy: http://host/path.
    return "/" + uri.partition("://")[2].partition("/")[2]


def http_response(answer: Mapping[str, Any]) -> Response:
    """The response for an answer of the function.

    Raises:
        LookupError, TypeError, ValueError: the answer lacks the form that API Gateway requires.
    """
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    response = Response(content, int(answer["statusCode"]))
    for name, values in answer.get("multiValueHeaders", {}).items():
        response.headers.setlist(name, values)
    return response


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    """As in API Gateway: if there are several values, the one-value form has the last."""
    return {name: several[-1] for name, several in values.items()}


def _body(content: bytes) -> tuple[str | None, bool]:
    if not content:
        return None, False
    try:
        return content.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(content).decode(), True
