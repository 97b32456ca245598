"""Threads for calls that may hang: no program waits for them at its end."""

import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any


class Threads:
    """Makes calls in threads, started when no other is free; they end with this object.

    Not a ThreadPoolExecutor: Python's end waits for the threads of each, so that a program whose
    call hangs would not end before the call does, and after Ctrl-C neither.

    Args:
        most: the most threads; further calls wait in line.
        name: the name of each thread.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._begun = 0
        self._line = _Line()
        # If nobody calls `leave`, no thread is left behind all the same.
        weakref.finalize(self, self._line.end).atexit = False

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Let a thread make a call; the future gets its result or its exception.

        Only one thread at a time may submit.
        """
        future: Future[Any] = Future()
        if self._line.add(future, partial(call, *arguments)) and self._begun < self._most:
            threading.Thread(target=_work, args=(self._line,), name=self._name, daemon=True).start()
            self._begun += 1
        return future

    def leave(self) -> None:
        """Cancel the calls that have not begun; those under way end in their own time."""
        self._line.end()


class _Line:
    """Calls that wait for a thread, and threads that wait for a call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self._is_over = False

    def add(self, future: Future[Any], call: Callable[[], Any]) -> bool:
        """Put a call in line, unless that is over; returns whether the call needs a new thread."""
        with self._changed:
            if self._is_over:
                future.cancel()
                return False
            self._calls.append((future, call))
            self._changed.notify()
            return len(self._calls) > self._idle

    def next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """Wait for a call; None if there will be none."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls or self._is_over)
            self._idle -= 1
            return self._calls.popleft() if self._calls else None

    def end(self) -> None:
        """Cancel all that wait, and end the threads."""
        with self._changed:
            self._is_over = True
            for future, _ in self._calls:
                future.cancel()
            self._calls.clear()
            self._changed.notify_all()


def _work(line: _Line) -> None:
    while _has_worked(line):
        pass


def _has_worked(line: _Line) -> bool:
    """Make one call. It returns before the wait for the next, so that nothing of it is kept."""
    found = line.next()
    if found is None:
        return False
    future, call = found
    if future.set_running_or_notify_cancel():
        with _Telling(future):
            future.set_result(call())
    return True


class _Telling:
    """Hands any exception of a call to the future, since this thread has nobody to raise it to."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True
