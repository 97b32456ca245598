"""What belongs to one process: a forked child makes its own, and the process's end finishes it."""

import atexit
import contextlib
import logging
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

EXIT_FLUSH_S = 2.0
"""How long the end of a program waits for increments that nobody has flushed."""

UNCLOSED = "a Publisher was not closed: use `with Publisher(...)`, or call close() or flush()"

UNSENT = (
    "the program ended before SQS had confirmed %d of its increments: "
    "close() or flush() would have waited for them"
)

FORGOTTEN = "SQS has not confirmed %d of the increments of a Publisher that was not closed"

_LOG = logging.getLogger("tally.publishing")


class PerProcess(Generic[T]):
    """One T for each process, made at its first use there.

    Each use looks at the process id (0.2 µs). The alternative, `os.register_at_fork`, fails
    silently: it notices only forks by Python's own `os.fork`, so a server that forks in C, as uWSGI
    does, would go on with its parent's source and lose increments. One case goes unnoticed: a
    descendant gets the id of a dead ancestor, and no process between them used this object.

    A new object also has new locks: one that another thread held at the fork would stay locked.
    """

    def __init__(self, make: Callable[[], T], getpid: Callable[[], int] = os.getpid) -> None:
        self._make = make
        self._getpid = getpid
        self._by_pid: dict[int, T] = {}

    def get(self) -> T:
        """This process's T. It takes no lock: another thread may have held one at the fork."""
        pid = self._getpid()
        mine = self._by_pid.get(pid)
        if mine is None:
            # setdefault is atomic: two threads that come here at once get the same object.
            mine = self._by_pid.setdefault(pid, self._make())
            for other in tuple(self._by_pid):
                if other != pid:
                    self._by_pid.pop(other, None)
        return mine

    def made(self) -> T | None:
        """This process's T, if it was used here."""
        return self._by_pid.get(self._getpid())


class Exiting(Protocol):
    """Something that may have work to do when the program ends."""

    @property
    def has_open(self) -> bool:
        """Whether there is work to do."""

    def exit(self, left_s: Callable[[], float]) -> int:
        """Do the work in the time left, and return how many increments are not confirmed."""


class Ending:
    """The end of one process: its members then have EXIT_FLUSH_S to send what they hold.

    A forked child inherits this object and its hook, but leaves its parent's work to the parent.
    A worker of multiprocessing runs no atexit hooks at its end, so it gets a hook of its own.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        getpid: Callable[[], int] = os.getpid,
        register: Callable[[Callable[[], object]], object] = atexit.register,
        modules: Mapping[str, Any] = sys.modules,
    ) -> None:
        self._clock = clock
        self._getpid = getpid
        self._pid = getpid()
        self._members: set[weakref.ref[Exiting]] = set()  # a WeakSet changes in several steps
        self._ends_at: float | None = None
        register(self.run)
        if util := modules.get("multiprocessing.util"):
            util.Finalize(None, self.run, exitpriority=0)

    def add(self, member: Exiting) -> None:
        """Call the member's exit() at the end, or now if the end has begun."""
        if self._ends_at is None:
            self._members.add(weakref.ref(member, self._members.discard))
        else:
            member.exit(self._left_s)

    def run(self) -> None:
        """The process ends."""
        if self._getpid() != self._pid or self._ends_at is not None:
            return
        self._ends_at = self._clock() + EXIT_FLUSH_S
        members = [member for each in tuple(self._members) if (member := each()) is not None]
        if any(member.has_open for member in members):
            warn_unclosed()
        left: list[int] = []
        with contextlib.ExitStack() as stack:  # one's error must not stop the others
            stack.callback(_say_unsent, left)
            for member in members:
                stack.callback(self._exit, member, left)

    def _exit(self, member: Exiting, left: list[int]) -> None:
        left.append(member.exit(self._left_s))

    def _left_s(self) -> float:
        return self._ends_at - self._clock() if self._ends_at is not None else EXIT_FLUSH_S


def _say_unsent(left: list[int]) -> None:
    if sum(left):
        _LOG.error(UNSENT, sum(left))


ENDING = PerProcess(Ending)
"""Makes the hooks with the first publisher of a process, not at import."""


def warn_unclosed() -> None:
    """Warn that a publisher was not closed and still holds increments."""
    warnings.warn(UNCLOSED, ResourceWarning, stacklevel=2)


def log_forgotten(increments: int) -> None:
    """Say how many increments of a forgotten publisher were given up."""
    _LOG.error(FORGOTTEN, increments)
