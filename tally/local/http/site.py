"""All that the local stack serves over HTTP: the API, its description, and two pages."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from tally.local.http.event import http_response, proxy_event, target
from tally.local.lambda_.environment import Function, Invocation
from tally.local.ports import LOOPBACK_NAMES, is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY_BYTES = 1_048_576
"""The longest body that is taken; API Gateway's own limit is 10 MB."""

MAX_REFUSED_BYTES = 10 * 1_048_576
"""So much of a longer body is read, since a client that is still sending would miss the refusal."""

PART_BYTES = 65_536
"""How much of it is read at once."""

PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/page/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page/spark.js": ("spark.js", "text/javascript; charset=utf-8"),
    "/page/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
}
OPENAPI = "/openapi.json"
STATUS = "/status.json"

POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; style-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer: nothing is loaded from elsewhere, and only files of ours run."""


class Site:
    """A WSGI application: the API's function, for one request at a time, the status and the pages.

    `printed` gets each invocation of the API. Pages of `cors_origin`, or all pages if it is *, may
    ask the API too; the function's own `API_CORS_ORIGIN` must be the same.
    """

    def __init__(
        self,
        api: Function,
        *,
        status: Callable[[], Mapping[str, Any]],
        printed: Callable[[Invocation], object] = lambda _: None,
        cors_origin: str = "",
    ) -> None:
        self._api = api
        self._status = status
        self._printed = printed
        self._cors_origin = cors_origin
        self._turn = threading.Lock()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        response = _refusal(request, self._cors_origin) or self._answer(request)
        for name, value in SAFE.items():
            response.headers.setdefault(name, value)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        path = target(request).partition("?")[0]
        if path in PAGES and request.method == "GET":
            name, media_type = PAGES[path]
            content = resources.files("tally.local.http").joinpath("page", name).read_bytes()
            return Response(content, content_type=media_type)
        if path == STATUS and request.method == "GET":
            return _json(self._status())
        response = self._ask(request)
        return _keyless(response) if path == OPENAPI else response

    def _ask(self, request: Request) -> Response:
        """Ask the API's function, as API Gateway does."""
        try:
            event = json.dumps(proxy_event(request)).encode()
        except HTTPException as error:  # the body is too long
            with contextlib.suppress(OSError):  # a client that stops sending is answered too
                _drain(request)
            return _json({"message": error.name}, error.code or HTTPStatus.BAD_REQUEST)
        except ValueError:
            return _json({"message": "Bad request"}, HTTPStatus.BAD_REQUEST)
        with self._turn:
            invocation = self._api.invoke(event)
        self._printed(invocation)
        if invocation.response is None:
            return _json({"message": "Internal server error"}, HTTPStatus.BAD_GATEWAY)
        return http_response(json.loads(invocation.response))


def _refusal(request: Request, cors_origin: str) -> Response | None:
    """The refusal of a request from a page that is neither ours nor let in; None for any other."""
    host = request.headers.get("Host", "")
    if not is_loopback(host):
        message = f"this server is known as {' or '.join(sorted(LOOPBACK_NAMES))}"
        return _json({"message": message}, HTTPStatus.MISDIRECTED_REQUEST)
    origin = request.headers.get("Origin")
    is_of_the_api = target(request).partition("?")[0] not in {*PAGES, STATUS}
    if is_of_the_api and cors_origin in {"*", origin}:
        return None
    if origin not in {None, f"http://{host}"}:
        return _json({"message": "another site's page may not ask this"}, HTTPStatus.FORBIDDEN)
    return None


def _drain(request: Request) -> None:
    size = min(request.content_length or 0, MAX_REFUSED_BYTES)
    for start in range(0, size, PART_BYTES):
        request.environ["wsgi.input"].read(min(PART_BYTES, size - start))


def _keyless(response: Response) -> Response:
    """The API's description without the key, which is not needed here."""
    described = json.loads(response.get_data())
    described.pop("security", None)
    described.get("components", {}).pop("securitySchemes", None)
    return _json(described, response.status_code)


def _json(content: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 (anything that JSON can hold)
    return Response(json.dumps(content), status, content_type="application/json")
