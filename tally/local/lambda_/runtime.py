"""The inside of a Lambda execution environment: loads the handler, calls it, answers the parent.

The parent runs `main` in a fresh interpreter and talks to it over a pipe: see environment.py.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

MS_PER_S = 1000

Handler = Callable[[Any, Any], Any]
"""A Lambda handler: (event, context) -> response."""


class MarshalError(Exception):
    """JSON cannot write the handler's response."""


@dataclass(frozen=True)
class FunctionSettings:
    """A function's name, memory and time, as its context tells them."""

    name: str = "tally-consumer"
    version: str = "$LATEST"
    memory_mb: int = 512
    timeout_s: float = 30.0
    region: str = "us-east-1"

    @property
    def arn(self) -> str:
        """The function's ARN, in the account that moto uses."""
        return f"arn:aws:lambda:{self.region}:123456789012:function:{self.name}"


@dataclass(frozen=True)
class FunctionError:
    """How an invocation failed, as Lambda reports it: the error's class and its text."""

    kind: str
    message: str


@dataclass(frozen=True)
class Answer:
    """What came of a call: a response as JSON or an error, and what was printed meanwhile."""

    response: bytes | None = None
    error: FunctionError | None = None
    output: str = ""


class LambdaContext:
    """The context of one invocation, with the names that Lambda gives its fields."""

    def __init__(
        self,
        request_id: str,
        settings: FunctionSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws_request_id = request_id
        self.function_name = settings.name
        self.function_version = settings.version
        self.invoked_function_arn = settings.arn
        self.memory_limit_in_mb = settings.memory_mb
        self.log_group_name = f"/aws/lambda/{settings.name}"
        self.log_stream_name = "local"
        self.identity = None
        self.client_context = None
        self._clock = clock
        self._deadline = clock() + settings.timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still take, in ms; 0 when its time is over."""
        return max(0, int((self._deadline - self._clock()) * MS_PER_S))


def load(name: str) -> Handler:
    """Import a handler by its dotted name, as in `consumer.handler.lambda_handler`."""
    module, _, attribute = name.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), attribute)
    return handler


def call(handler: Handler, payload: bytes, context: LambdaContext) -> bytes:
    """Call a handler as Lambda does: JSON in, JSON out.

    MarshalError if JSON cannot write the response; whatever the handler raises goes through.
    """
    response = handler(json.loads(payload), context)
    try:
        return json.dumps(response).encode()
    except (TypeError, ValueError) as error:
        raise MarshalError(str(error)) from error


def answer(future: "Future[bytes]", output: str = "") -> Answer:
    """Report a finished call; as in Lambda's log, the trace of an error follows the output.

    The future keeps what was raised, so nothing here needs to catch every exception.
    """
    error = future.exception()
    if error is None:
        return Answer(future.result(), output=output)
    trace = "".join(traceback.format_exception(error))
    return Answer(None, FunctionError(type(error).__name__, str(error)), output + trace)


def serve(
    connection: Connection, name: str, settings: FunctionSettings, *, abandon: Callable[[int], Any]
) -> None:
    """Load the handler, report that, and answer invocations until the parent is gone.

    `abandon` ends the process while a handler still runs: nobody is left to be answered.
    """
    # One text stream for the whole life: loggers keep the stdout that they found at import.
    printed = io.StringIO()
    calls = ThreadPoolExecutor(max_workers=1)
    handlers: list[Handler] = []

    def reply(future: "Future[bytes]") -> None:
        output = printed.getvalue()
        printed.seek(0)
        printed.truncate()
        with contextlib.suppress(OSError):  # the parent is gone: the next receive ends the loop
            connection.send(answer(future, output))

    def prepare() -> bytes:
        handlers.append(load(name))
        return b""

    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        last = calls.submit(prepare)
        last.add_done_callback(reply)
        with contextlib.suppress(EOFError, OSError):
            for request_id, payload in iter(connection.recv, None):
                context = LambdaContext(request_id, settings)
                last = calls.submit(call, handlers[0], payload, context)
                last.add_done_callback(reply)
    if not last.done():
        abandon(1)
    calls.shutdown()


def main() -> None:
    """Serve on the file descriptor that the command line names; all else comes over it."""
    with Connection(int(sys.argv[1])) as connection:
        name, settings = connection.recv()
        serve(connection, name, settings, abandon=os._exit)
