"""Calls of boto3's client that are waited for no longer than told: each in a thread.

botocore's time-outs are those of a client and of one read, so that an answer that trickles takes as
many of them as it has pieces (0.3 s set, 3.9 s taken); and it has no call that does not wait.
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
"""Connections unused for longer are closed before the next use: a frozen Lambda cannot hear that
its peer has gone. By the wall clock, since a monotonic one may stand still in a freeze."""

Answer = TypeVar("Answer")

MakeThreads = Callable[[int, str], Threads]
"""Makes so many threads, each begun when there is something for it, with a name."""


class Call(NamedTuple):
    """A call on its way.

    Attributes:
        future: its answer.
        threads: it is in one of these.
    """

    future: Future[Any]
    threads: Threads


class Opened:
    """What one process has opened.

    A fork of it has none of these threads; and on these connections it would read its parent's
    answers.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.lock = threading.RLock()
        self.client: Any = None
        self.threads: Threads | None = None
        self.used_at = 0.0


class Calls:
    """Begins calls, and waits for them, for any number of threads; none begins before the first.

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
        """Have a client, which may take longer than a call; Failed if there can be none.

        Raises:
            StoreClosedError: there is to be none.
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
            ask: does it on the client that it is given, and gives its answer or its error.

        Raises:
            StoreClosedError: there is to be none.
        """
        opened = self._of_this_process()
        with opened.lock:
            if self._closed:
                raise StoreClosedError
            now = self._wall_clock()
            if abs(now - opened.used_at) > MAX_IDLE_S:
                opened.client.close()  # its connections; it opens new ones by itself
            opened.used_at = now
            if opened.threads is None:
                opened.threads = self._make_threads(self._most_threads, "tally-dynamodb")
            return Call(opened.threads.submit(ask, opened.client), opened.threads)

    def answer(self, call: Call, ends_at: float) -> Any:  # noqa: ANN401 (whatever `ask` gives)
        """The answer of a call; None if it has not come in time.

        Whoever waits then for the thread of another such call has no answer either, and is not
        sent.
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
        """What a parent had opened stays as it is: its locks may never be free here."""
        pid = self._getpid()
        if self._opened[-1].pid != pid:
            self._opened.append(Opened(pid))
        return self._opened[-1]


def _abandon(opened: Opened) -> None:
    """Leave the threads to what they wait for: that ends by botocore's own time-outs."""
    threads, opened.threads = opened.threads, None
    if threads is not None:
        threads.leave()


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
