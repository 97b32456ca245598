"""SQS on loopback: moto over HTTP, one request at a time; a long poll waits its turn.

moto serves DynamoDB at the same address, and so under the same lock.
"""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from tally.local.ports import LOOPBACK, is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RECHECK_S = 0.25
"""How often a long poll looks for messages whose visibility timeout has run out, in seconds."""

LONGEST_POLL_S = 20
"""SQS's own limit, in seconds."""

TARGET, ACTION = "AmazonSQS.ReceiveMessage", "ReceiveMessage"
"""The header of the one request that may wait; SDKs from before 2023 send a form instead."""

TABLES = "DynamoDB_"
"""The header of a request for a table, which brings no queue a message, begins with this."""

WAIT = "WaitTimeSeconds"


def make_sqs_server(port: int = 0) -> BaseWSGIServer:
    """Bind moto's SQS to a port of 127.0.0.1 (0: any free one); `serve_forever` then serves it.

    If the port is taken, werkzeug prints so on stderr and raises SystemExit.
    """
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    # moto's own server would listen on all interfaces.
    return make_server(LOOPBACK, port, app, threaded=True, request_handler=_SilentHandler)


class OneAtATime:
    """A lock around moto, whose queues and tables are not made for threads.

    A delete replaces the list of messages: it undoes another delete at the same time (seen here, 2
    to 6 of 600), and can lose a send. Two conditional writes at the same time can both succeed in a
    table (3 of 60). A long poll must not hold the lock while it waits, so it waits here and not in
    moto.
    """

    def __init__(
        self, app: "WSGIApplication", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._clock = clock
        self._changed = threading.Condition()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request when its turn comes; refuse a browser's."""
        if _is_foreign(environ):
            refusal = Response("no page may ask this\n", HTTPStatus.FORBIDDEN)
            return refusal(environ, start_response)
        with self._changed:
            body, target = Request(environ).get_data(), environ.get("HTTP_X_AMZ_TARGET")
            if poll := _long_poll(target, body):
                response = self._receive(environ, *poll)
            else:
                response = self._ask(environ, body)
                if not (target or "").startswith(TABLES):
                    self._changed.notify_all()
        return response(environ, start_response)

    def _receive(self, environ: "WSGIEnvironment", body: bytes, wait_s: int) -> Response:
        deadline = self._clock() + min(wait_s, LONGEST_POLL_S)
        response = self._ask(environ, body)
        while _is_empty(response) and (left_s := deadline - self._clock()) > 0:
            self._changed.wait(min(left_s, RECHECK_S))
            response = self._ask(environ, body)
        return response

    def _ask(self, environ: "WSGIEnvironment", body: bytes) -> Response:
        # moto changes the environment of a request, and a long poll asks more than once.
        asked = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        return Response.from_app(self._app, asked, buffered=True)


class _SilentHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print no line for each request."""


def _is_foreign(environ: "WSGIEnvironment") -> bool:
    """Whether a page in a browser may have sent this: no SDK and no CLI sends an `Origin`.

    moto allows every origin and any host name, so any page that a user opens could read, publish
    and delete here.
    """
    return "HTTP_ORIGIN" in environ or not is_loopback(environ.get("HTTP_HOST", ""))


def _long_poll(target: str | None, body: bytes) -> tuple[bytes, int] | None:
    """A receive without its wait, and how long it was to wait; None for any other request."""
    if target == TARGET:
        query = json.loads(body)
        return json.dumps(query | {WAIT: 0}).encode(), query.get(WAIT, 0)
    form = dict(parse_qsl(body.decode(errors="replace"))) if target is None else {}
    if form.get("Action") == ACTION:
        return urlencode(form | {WAIT: 0}).encode(), int(form.get(WAIT, 0))
    return None


def _is_empty(response: Response) -> bool:
    """Whether no message came; each would have a receipt, in JSON as in XML."""
    return response.status_code == HTTPStatus.OK and b"ReceiptHandle" not in response.get_data()
