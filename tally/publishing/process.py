"""State that belongs to one process: a forked child makes its own."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """One T for each process, made at its first use there.

    The process id is looked at on each use (0.2 µs). The alternative, `os.register_at_fork`, fails
    silently: it is told of forks by Python's own `os.fork` only, and a server that forks in C, as
    uWSGI does, would go on with its parent's source and lose increments. What is left is a
    descendant that gets the id of a dead ancestor while no process between them used this object.

    A new object also brings new locks: one that another thread held at the fork stays locked.
    """

    def __init__(self, make: Callable[[], T], getpid: Callable[[], int] = os.getpid) -> None:
        self._make = make
        self._getpid = getpid
        self._by_pid: dict[int, T] = {}

    def get(self) -> T:
        """This process's T. Takes no lock, since a lock may have been forked while it was held."""
        pid = self._getpid()
        mine = self._by_pid.get(pid)
        if mine is None:
            # setdefault is atomic: of two threads that come here at once, both get the same.
            mine = self._by_pid.setdefault(pid, self._make())
            for other in tuple(self._by_pid):
                if other != pid:
                    self._by_pid.pop(other, None)
        return mine
