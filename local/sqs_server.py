"""SQS on loopback: moto's queues over HTTP, one request at a time; a long poll waits its turn."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from local.aws import is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
"""moto's own server would listen on all interfaces."""

RECHECK_S = 0.25
"""How often a long poll looks for messages whose visibility timeout has run out, in seconds."""

LONGEST_POLL_S = 20
"""SQS's own limit, in seconds."""

RECEIVE = "AmazonSQS.ReceiveMessage"


def make_sqs_server(port: int = 0) -> BaseWSGIServer:
    """Bind moto's SQS to a port of 127.0.0.1 (0: any free one); `serve_forever` then serves it.

    Raises:
        SystemExit: the port is taken; werkzeug has printed so on stderr.
    """
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    return make_server(HOST, port, app, threaded=True, request_handler=_SilentHandler)


class OneAtATime:
    """A lock around moto, whose queues are not made for threads.

    A delete replaces the list of messages: one beside it is undone (seen here, 2 to 6 of 600), and
    a send beside it can be lost. A long poll must not hold the lock while it waits, so its waiting
    is done here and not in moto.
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
        """Answer a request, when it has its turn; a browser's never has one."""
        if _is_foreign(environ):
            refusal = Response("no page may ask this\n", HTTPStatus.FORBIDDEN)
            return refusal(environ, start_response)
        with self._changed:
            if environ.get("HTTP_X_AMZ_TARGET") == RECEIVE:
                response = self._receive(environ)
            else:
                response = self._ask(environ)
                self._changed.notify_all()
        return response(environ, start_response)

    def _receive(self, environ: "WSGIEnvironment") -> Response:
        length = int(environ["CONTENT_LENGTH"])
        query = json.loads(environ["wsgi.input"].read(length))
        deadline = self._clock() + min(query.pop("WaitTimeSeconds", 0), LONGEST_POLL_S)
        body = json.dumps(query).encode()
        response = self._ask(environ, body)
        while _is_empty(response) and (left_s := deadline - self._clock()) > 0:
            self._changed.wait(min(left_s, RECHECK_S))
            response = self._ask(environ, body)
        return response

    def _ask(self, environ: "WSGIEnvironment", body: bytes | None = None) -> Response:
        # moto changes the environment of a request, and a long poll asks more than once.
        asked = dict(environ)
        if body is not None:
            asked |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        return Response.from_app(self._app, asked, buffered=True)


class _SilentHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print no line for each request."""


def _is_foreign(environ: "WSGIEnvironment") -> bool:
    """Whether a page in a browser may have sent this: no SDK and no CLI names an origin.

    moto allows every origin and any name of the host, so that each page that a user opens could
    read, publish and delete here.
    """
    return "HTTP_ORIGIN" in environ or not is_loopback(environ.get("HTTP_HOST", ""))


def _is_empty(response: Response) -> bool:
    return response.status_code == HTTPStatus.OK and not json.loads(response.get_data()).get(
        "Messages"
    )
