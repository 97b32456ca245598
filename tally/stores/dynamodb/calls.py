"""Calls of boto3's client that are waited for no longer than told: each in a thread.

botocore's time-outs are those of a client and of one read, so that an answer that trickles takes as
many of them as it has pieces (0.3 s set, 3.9 s taken); and it has no call that does not wait.
"""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tally import aws
from tally.stores.errors import StoreClosedError
from tally.stores.port import Failed, Trouble

MAX_IDLE_S = 60.0
"""Connections unused for longer are closed before the next use: a frozen Lambda cannot hear that
its peer has gone. By the wall clock, since a monotonic one may stand still in a freeze."""

Answer = TypeVar("Answer")

MakeThreads = Callable[[int, str], Executor]
"""Makes so many threads, each begun when there is something for it, with a name."""


class Call(NamedTuple):
    """A call on its way.

    Attributes:
        future: its answer.
        threads: it is in one of these.
    """

    future: Future[Any]
    threads: Executor


class Calls:
    """Begins calls, and waits for them, for any number of threads; none begins before the first.

    Args:
        connect: makes the client.
        threads: how many calls may be on their way.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        executor: makes so many threads of a name.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        threads: int,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        executor: MakeThreads = ThreadPoolExecutor,
    ) -> None:
        self._connect = connect
        self._most_threads = threads
        self._clock = clock
        self._wall_clock = wall_clock
        self._executor = executor
        self._lock = threading.RLock()
        self._client: Any = None
        self._threads: Executor | None = None
        self._used_at = 0.0
        self._closed = False

    def begin(self, ask: Callable[[Any], Answer]) -> Call | Failed:
        """Begin a call; Failed if there can be no client.

        Args:
            ask: does it on the client that it is given, and gives its answer or its error.

        Raises:
            StoreClosedError: there is to be none.
        """
        with self._lock:
            if self._closed:
                raise StoreClosedError
            now = self._wall_clock()
            try:
                self._client = self._client or self._connect()
            except aws.CONNECT_ERRORS as error:
                return Failed(Trouble.BROKEN_SETUP, aws.described(error))
            if abs(now - self._used_at) > MAX_IDLE_S:
                self._client.close()  # its connections; it opens new ones by itself
            self._used_at = now
            if self._threads is None:
                self._threads = self._executor(self._most_threads, "tally-dynamodb")
            return Call(self._threads.submit(ask, self._client), self._threads)

    def answer(self, call: Call, ends_at: float) -> Any:  # noqa: ANN401 (whatever `ask` gives)
        """The answer of a call; None if it has not come in time.

        Whoever waits then for the thread of another such call has no answer either, and is not
        sent.
        """
        try:
            return call.future.result(max(0.0, ends_at - self._clock()))
        except (TimeoutError, CancelledError):
            with self._lock:
                if call.threads is self._threads:
                    self._abandon()
            return None

    def renew(self) -> None:
        """Use new connections from now on, and new threads."""
        with self._lock:
            self._abandon()
            if self._client is not None:
                self._client.close()

    def close(self) -> None:
        """Close the connections, and open no more."""
        with self._lock:
            self._closed = True
            self.renew()

    def _abandon(self) -> None:
        """Leave the threads to what they wait for: that ends by botocore's own time-outs."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)


def connector(deadline_s: float, connections: int) -> Callable[[], Any]:
    """Makes a client of DynamoDB which sends nothing twice, and checks no request: ours are right.

    Args:
        deadline_s: how long to connect may take, and then a piece of the answer, in seconds.
        connections: how many are kept.
    """
    return partial(
        aws.connect,
        "dynamodb",
        connect_timeout_s=deadline_s,
        read_timeout_s=deadline_s,
        max_attempts=1,
        parameter_validation=False,
        max_pool_connections=connections,
    )
