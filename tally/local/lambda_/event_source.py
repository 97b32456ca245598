"""Lambda's event source mapping for SQS: as many pollers as there are functions to invoke."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tally.local.lambda_.environment import Function
from tally.local.lambda_.poller import DEFAULT_BATCHING, Batching, Delivery, Poller

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FIFO_BATCH_MESSAGES_MAX = 10
"""How many messages of a FIFO queue Lambda hands to one invocation."""

KILL_TIMEOUT_S = 5.0
"""How long a poller may take to end after its function was killed, in seconds."""


class EventSourceMapping:
    """Pollers of one queue, one for each function: as many as Lambda's MaximumConcurrency.

    The functions belong to the caller, who closes them after `stop`; `kill` may be called on them
    at any time. `observe` is called with each delivery, by the poller's thread.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        functions: Sequence[Function],
        *,
        batching: Batching = DEFAULT_BATCHING,
        observe: Callable[[Delivery], object] = lambda _: None,
    ) -> None:
        if queue_url.endswith(".fifo") and batching.batch_size > FIFO_BATCH_MESSAGES_MAX:
            reason = f"a FIFO queue has batches of at most {FIFO_BATCH_MESSAGES_MAX} messages"
            raise ValueError(reason)
        self._functions = functions
        self._stopping = threading.Event()
        self.pollers = [
            Poller(sqs, queue_url, function, slot=slot, batching=batching, stopping=self._stopping)
            for slot, function in enumerate(functions)
        ]
        self._threads = [
            threading.Thread(target=poller.run, args=(observe,), name=f"poller-{poller.slot}")
            for poller in self.pollers
        ]

    @property
    def is_alive(self) -> bool:
        """Whether all pollers run."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin to poll. A mapping starts once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float, *, kill_timeout_s: float = KILL_TIMEOUT_S) -> None:
        """End all pollers: batches under way finish, and after `timeout_s` are killed.

        Raises:
            TimeoutError: a function survived being killed, as one in this process does.
        """
        self._stopping.set()
        self._join(timeout_s)
        for thread, function in zip(self._threads, self._functions, strict=True):
            if thread.is_alive():
                function.kill()
        self._join(kill_timeout_s)
        running = [thread.name for thread in self._threads if thread.is_alive()]
        if running:
            reason = f"still running: {', '.join(running)}"
            raise TimeoutError(reason)

    def _join(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
