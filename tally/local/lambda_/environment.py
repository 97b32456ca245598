"""Lambda's execution environments: each is a function in a process of its own."""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Protocol

from tally.local.child import python_command, python_path, without_aws
from tally.local.lambda_.runtime import Answer, FunctionError, FunctionSettings

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

INIT_TIMEOUT_S = 30.0
"""How long a cold start may take; Lambda allows 10 s, on machines that are not shared."""

TIMEOUT_GRACE_S = 0.5
"""How much later than the function's own timeout its process is killed."""

EXIT_TIMEOUT_S = 2.0
"""How long a process that lost its pipe may take to end before it is killed."""

DEFAULT_SETTINGS = FunctionSettings()


@dataclass(frozen=True)
class Invocation:
    """One invocation: a response as JSON or an error, what was printed, and how long it took."""

    response: bytes | None
    error: FunctionError | None
    output: str
    duration_s: float
    is_cold: bool


class Function(Protocol):
    """Something to invoke with an event as JSON; one invocation at a time."""

    def invoke(self, payload: bytes) -> Invocation:
        """Call the function; if it raises, the answer has the error."""

    def kill(self) -> None:
        """SIGKILL the environment, from any thread; an invocation under way fails."""

    def close(self) -> None:
        """End the environment; the next invocation would be a cold start."""


class LambdaEnvironment:
    """A function in a process of its own, which stays warm until it fails, times out or is killed.

    It is a fresh interpreter, not a fork: it imports the handler with its own environment, shares
    no connection with its neighbours, and can be killed in mid-batch. It ends with this process.

    Args:
        handler: the dotted name of a function of two arguments; it is imported on first use.
        code: the folder of its modules, if this process does not find them.
        variables: added to this process's environment, from which AWS's are taken.
        settings: the function's name, time and memory.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        handler: str,
        *,
        code: str = "",
        variables: Mapping[str, str] | None = None,
        settings: FunctionSettings = DEFAULT_SETTINGS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._code = code
        self._variables = dict(variables or {})
        self._settings = settings
        self._clock = clock
        self._child: _Child | None = None

    @property
    def pid(self) -> int | None:
        """The process, if one was started and has not been seen to end."""
        return self._child.process.pid if self._child else None

    def invoke(self, payload: bytes) -> Invocation:
        """Call the function, in a new process when there is no warm one."""
        started = self._clock()
        child, init = self._child, Answer()
        is_cold = child is None or child.process.poll() is not None
        if child is None or is_cold:
            child, init = self._start()
        end = init
        if not init.error:
            timeout_s = self._settings.timeout_s
            end = self._ask(child, (str(uuid.uuid4()), payload), timeout_s + TIMEOUT_GRACE_S)
            end = replace(end, output=init.output + end.output)
        return Invocation(end.response, end.error, end.output, self._clock() - started, is_cold)

    def kill(self) -> None:
        """SIGKILL the process, from any thread; an invocation under way fails at once."""
        child = self._child
        if child:
            child.process.kill()
            child.process.wait(EXIT_TIMEOUT_S)

    def close(self) -> None:
        """End the process: an idle one by itself, a busy one in mid-batch."""
        child, self._child = self._child, None
        if child:
            child.end()

    def _start(self) -> tuple["_Child", Answer]:
        self.close()
        self._child = child = _Child.start(self._environment())
        init = self._ask(child, (self._handler, self._settings), INIT_TIMEOUT_S)
        if init.error:
            self.close()
        return child, init

    def _ask(self, child: "_Child", request: object, patience_s: float) -> Answer:
        try:
            child.pipe.send(request)
            if child.pipe.poll(patience_s):
                received: Answer = child.pipe.recv()
                return received
        except (EOFError, OSError):
            self._child = None
            return Answer(error=FunctionError("Runtime.ExitError", child.end()))
        self.kill()
        self.close()
        message = f"Task timed out after {self._settings.timeout_s:.2f} seconds"
        return Answer(error=FunctionError("Sandbox.Timedout", message))

    def _environment(self) -> dict[str, str]:
        settings = self._settings
        return {
            **without_aws(os.environ),
            **python_path(self._code),
            "AWS_REGION": settings.region,
            "AWS_LAMBDA_FUNCTION_NAME": settings.name,
            "AWS_LAMBDA_FUNCTION_VERSION": settings.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
            **self._variables,
        }


@dataclass(frozen=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    pipe: "Connection"

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> "_Child":
        ours, theirs = Pipe()
        with theirs:
            descriptor = theirs.fileno()
            # A process group of its own: Ctrl-C goes to the terminal's whole group, but the parent
            # decides how its functions end.
            process = subprocess.Popen(  # noqa: S603 - our own module
                python_command(
                    "-c", "from tally.local.lambda_.runtime import main; main()", str(descriptor)
                ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                pass_fds=(descriptor,),
                process_group=0,
            )
        return cls(process, ours)

    def end(self) -> str:
        """Close the pipe, which ends the process, and return how it ended."""
        self.pipe.close()
        try:
            status = self.process.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(EXIT_TIMEOUT_S)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the function's process ended with {how}"
