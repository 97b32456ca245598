"""The local stack over HTTP, in a thread of this process for as long as a context is open."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from tally.local.child import ChildError
from tally.local.http.event import HEADERS
from tally.local.http.site import Site
from tally.local.http.status import Status
from tally.local.lambda_.environment import Invocation, LambdaEnvironment
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.ports import LOOPBACK
from tally.local.stack import Stack, StackSettings, functions_folder
from tally.local.watch import Watch
from tally.reading.reader import Reader

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

API = "producer.handler.lambda_handler"
API_FUNCTION = FunctionSettings(name="tally-api", timeout_s=29.0)
"""API Gateway waits 29 s for a function."""

BACKLOG = 128
"""How many connections may wait to be taken."""

SILENCE_S = 30
"""How long a client may be silent in the middle of a request, in seconds."""

STOP_TIMEOUT_S = 5.0
"""How long the server's thread may take to end; it checks twice a second whether it should."""


@contextlib.contextmanager
def serving(
    stack: Stack,
    settings: StackSettings,
    watch: Watch,
    *,
    port: int = 0,
    printed: Callable[[Invocation], object] = lambda _: None,
    cors_origin: str = "",
) -> Iterator[str]:
    """Serve the API as deployed, and a page of what the stack's watch saw; inside, their address.

    Port 0 is any free one; ChildError if the port is taken. `printed` gets each invocation.
    Pages of `cors_origin`, or all of them if it is *, may ask the API.
    """
    with contextlib.ExitStack() as parts:
        api = LambdaEnvironment(
            API,
            code=functions_folder(),
            variables={**stack.function_variables, "API_CORS_ORIGIN": cors_origin},
            settings=API_FUNCTION,
        )
        parts.callback(api.close)
        reader = parts.enter_context(Reader(stack.open_store()))
        status = Status(
            watch,
            depth=stack.queue.depth,
            counts=reader.counts,
            max_receives=settings.max_receive_count,
        )
        site = Site(api, status=status.look, printed=printed, cors_origin=cors_origin)
        yield parts.enter_context(listening(site, port=port))


@contextlib.contextmanager
def listening(app: "WSGIApplication", *, port: int = 0) -> Iterator[str]:
    """Serve an application on 127.0.0.1, a thread for each connection; inside, its address.

    Port 0 is any free one; ChildError if the port is taken.
    """
    # Bound here: if the port is taken, werkzeug would end the process.
    with contextlib.closing(socket.socket()) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
        except OSError as error:
            message = f"the HTTP port {port} cannot be had: {error.strerror}"
            raise ChildError(message) from error
        bound.listen(BACKLOG)
        server = make_server(
            LOOPBACK, port, app, threaded=True, request_handler=_Quiet, fd=bound.fileno()
        )
    thread = threading.Thread(target=server.serve_forever, name="http")
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        server.shutdown()
        thread.join(STOP_TIMEOUT_S)


class _Quiet(WSGIRequestHandler):
    timeout = SILENCE_S

    def make_environ(self) -> "WSGIEnvironment":
        """WSGI's environ, with the headers added, each as often as it was sent."""
        return super().make_environ() | {HEADERS: self.headers.items()}

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print no line for each request."""
