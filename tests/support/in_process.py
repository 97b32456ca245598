"""A Lambda function in the process of its test, with the answers of one in its own process."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from tally.local.lambda_.environment import DEFAULT_SETTINGS, Invocation
from tally.local.lambda_.runtime import FunctionSettings, Handler, LambdaContext, answer, call


class InProcess:
    """A handler in this process, with the same answers; it cannot be killed, and prints as usual.

    Its time is told by the context and not enforced: a thread has no SIGKILL.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        settings: FunctionSettings = DEFAULT_SETTINGS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._clock = clock
        self._calls = ThreadPoolExecutor(max_workers=1)
        self._is_cold = True

    def invoke(self, payload: bytes) -> Invocation:
        """Call the handler."""
        started = self._clock()
        is_cold, self._is_cold = self._is_cold, False
        context = LambdaContext(str(uuid.uuid4()), self._settings, self._clock)
        future = self._calls.submit(call, self._handler, payload, context)
        wait([future])
        end = answer(future)
        return Invocation(end.response, end.error, end.output, self._clock() - started, is_cold)

    def kill(self) -> None:
        """Do nothing: a thread has no SIGKILL."""

    def close(self) -> None:
        """Wait for the call under way."""
        self._calls.shutdown()
