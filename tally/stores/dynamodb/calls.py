"""Calls of boto3's client with a deadline: each runs in a thread.

botocore has time-outs for a client and for each read of the socket, so a slow answer may take one
for each of its pieces (0.3 s set, 3.9 s taken); and it has no call that does not wait.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tally import aws
from tally.stores.errors import StoreClosedError
from tally.stores.port import Failed, Trouble
from tally.stores.threads import Threads

MAX_IDLE_S = 60.0
"""Connections that were idle for longer are closed before the next use: a frozen Lambda does not
notice that its peer has gone. By the wall clock, since a monotonic one may stop in a freeze."""

Answer = TypeVar("Answer")

MakeThreads = Callable[[int, str], Threads]
"""Makes a number of threads with a name; each starts when there is work for it."""


class Call(NamedTuple):
    """A call on its way.

    Attributes:
        future: its answer.
        threads: one of these makes it.
    """

    future: Future[Any]
    threads: Threads


class Opened:
    """What one process has opened.

    A forked child has none of these threads, and would read its parent's answers on these
    connections.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.lock = threading.RLock()
        self.client: Any = None
        self.threads: Threads | None = None
        self.used_at = 0.0


class Calls:
    """Begins calls and waits for them, for any number of threads; nothing opens before the first.

    Args:
        connect: makes the client.
        threads: how many calls may be on their way.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
        make_threads: makes so many threads of a name.
        getpid: this process's id, which a fork changes.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        threads: int,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        make_threads: MakeThreads = Threads,
        getpid: Callable[[], int] = os.getpid,
    ) -> None:
        self._connect = connect
        self._most_threads = threads
        self._clock = clock
        self._wall_clock = wall_clock
        self._make_threads = make_threads
        self._getpid = getpid
        self._opened = [Opened(getpid())]
        self._closed = False

    def ready(self) -> Failed | None:
        """Make the client, which may take longer than a call; Failed if it cannot be made.

        Raises:
            StoreClosedError: close() was called.
        """
        opened = self._of_this_process()
        with opened.lock:
            if self._closed:
                raise StoreClosedError
            try:
                opened.client = opened.client or self._connect()
            except aws.CONNECT_ERRORS as error:
                return Failed(Trouble.BROKEN_SETUP, aws.described(error))
            return None

    def begin(self, ask: Callable[[Any], Answer]) -> Call:
        """Begin a call, after `ready`.

        Args:
            ask: makes the call with the client that it gets, and returns its answer or its error.

        Raises:
            StoreClosedError: close() was called.
        """
        opened = self._of_this_process()
        with opened.lock:
            if self._closed:
                raise StoreClosedError
            now = self._wall_clock()
            if abs(now - opened.used_at) > MAX_IDLE_S:
                opened.client.close()  # only its connections; it opens new ones
            opened.used_at = now
            if opened.threads is None:
                opened.threads = self._make_threads(self._most_threads, "tally-dynamodb")
            return Call(opened.threads.submit(ask, opened.client), opened.threads)

    def answer(self, call: Call, ends_at: float) -> Any:  # noqa: ANN401 (whatever `ask` gives)
        """The answer of a call; None if it has not come in time.

        After that, a call that still waits for a thread is not sent, and has no answer either.
        """
        try:
            return call.future.result(max(0.0, ends_at - self._clock()))
        except (TimeoutError, CancelledError):
            opened = self._of_this_process()
            with opened.lock:
                if call.threads is opened.threads:
                    _abandon(opened)
            return None

    def renew(self) -> None:
        """Use new connections from now on, and new threads."""
        opened = self._of_this_process()
        with opened.lock:
            _abandon(opened)
            if opened.client is not None:
                opened.client.close()

    def close(self) -> None:
        """Close the connections, and open no more."""
        with self._of_this_process().lock:
            self._closed = True
            self.renew()

    def _of_this_process(self) -> Opened:
        """A fork leaves its parent's threads and client alone: their locks may never be free."""
        pid = self._getpid()
        if self._opened[-1].pid != pid:
            self._opened.append(Opened(pid))
        return self._opened[-1]


def _abandon(opened: Opened) -> None:
    """Leave the threads to their calls, which end by botocore's own time-outs."""
    threads, opened.threads = opened.threads, None
    if threads is not None:
        threads.leave()


def connector(deadline_s: float, connections: int) -> Callable[[], Any]:
    """Makes a client of DynamoDB which sends nothing twice, and checks no request: ours are right.

    Args:
        deadline_s: how long connecting may take, and then each piece of the answer, in seconds.
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
