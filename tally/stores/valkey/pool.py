"""Idle connections: a pipeline takes one for itself, and gives it back whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from tally.stores.valkey.connection import Connection

MAX_IDLE_S = 60.0
"""A connection that was idle for longer is closed before its next use: a frozen Lambda does not
notice that its peer has gone. By the wall clock, since a monotonic one may stop in a freeze."""

MAX_KEPT = 16
"""Connections kept for the next pipelines: a consumer has one, a reader one for each thread that
reads at the same time."""


class _Kept(NamedTuple):
    connection: Connection
    pid: int
    used_at: float


class Pool:
    """Idle connections, for any number of threads.

    It takes no lock: each change of its list is one step. A lock could be held at a fork, or by a
    call that a signal interrupts and whose handler comes here again.

    Args:
        wall_clock: the time of day, in seconds.
        getpid: this process's id, which a fork changes.
    """

    def __init__(
        self, wall_clock: Callable[[], float], getpid: Callable[[], int] = os.getpid
    ) -> None:
        self._kept: list[_Kept] = []
        self._wall_clock = wall_clock
        self._getpid = getpid
        self.is_closed = False

    def take(self) -> Connection | None:
        """The connection used last that can be trusted; None if there is none."""
        pid, now = self._getpid(), self._wall_clock()
        while kept := self._pop():
            is_young = kept.pid == pid and abs(now - kept.used_at) <= MAX_IDLE_S
            if is_young and kept.connection.is_quiet():
                return kept.connection
            kept.connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection on which nothing is unread."""
        if len(self._kept) >= MAX_KEPT:
            connection.close()
            return
        self._kept.append(_Kept(connection, self._getpid(), self._wall_clock()))
        if self.is_closed:  # meanwhile
            self.empty()

    def empty(self) -> None:
        """Close all idle connections."""
        while kept := self._pop():
            kept.connection.close()

    def close(self) -> None:
        """Close all, now or when they are given back."""
        self.is_closed = True
        self.empty()

    def _pop(self) -> _Kept | None:
        with contextlib.suppress(IndexError):
            return self._kept.pop()
        return None
