"""HTTP on loopback, in a thread of this process, for as long as a context is open."""

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tally.local.child import ChildError
from tally.local.ports import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BACKLOG = 128
"""How many connections may wait to be taken."""

SILENCE_S = 30
"""How long a client may be silent in the middle of a request, in seconds."""

STOP_TIMEOUT_S = 5.0
"""How long the server's thread may take to end; it looks twice a second whether it should."""


class HttpServer:
    """Serves an application on 127.0.0.1, a thread for each connection.

    Args:
        app: a WSGI application.
        port: where; 0 is any free one.
    """

    def __init__(self, app: "WSGIApplication", *, port: int = 0) -> None:
        self._app = app
        self._port = port
        self._server: BaseWSGIServer | None = None
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Listen and serve.

        Raises:
            ChildError: the port is taken.
        """
        # Bound here: werkzeug would end the process where the port is taken.
        with contextlib.closing(socket.socket()) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((LOOPBACK, self._port))
            except OSError as error:
                message = f"the HTTP port {self._port} cannot be had: {error.strerror}"
                raise ChildError(message) from error
            listening.listen(BACKLOG)
            self._server = make_server(
                LOOPBACK,
                self._port,
                self._app,
                threaded=True,
                request_handler=_Quiet,
                fd=listening.fileno(),
            )
        thread = threading.Thread(target=self._server.serve_forever, name="http")
        thread.start()
        self._ending.callback(thread.join, STOP_TIMEOUT_S)
        self._ending.callback(self._server.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        """Serve no more."""
        self._ending.close()

    @property
    def url(self) -> str:
        """Where it listens; there is none before `__enter__`."""
        port = self._server.port if self._server else self._port
        return f"http://{LOOPBACK}:{port}"


class _Quiet(WSGIRequestHandler):
    timeout = SILENCE_S

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print no line for each request."""
