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
    """Makes calls in so many threads, each begun when a call has none; they end with this object.

    Not a ThreadPoolExecutor: Python's end waits for the threads of each, so that a program whose
    call hangs would not end before the call does, and after Ctrl-C neither.

    Args:
        most: of the threads; more calls wait in line.
        name: of each thread.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._begun = 0
        self._line = _Line()
        # Whoever forgets to call `leave` leaves no thread behind.
        weakref.finalize(self, self._line.end).atexit = False

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Have a thread make a call; what that answers or raises is in the future.

        Of those who submit, one may be here at a time.
        """
        future: Future[Any] = Future()
        if self._line.add(future, partial(call, *arguments)) and self._begun < self._most:
            threading.Thread(target=_work, args=(self._line,), name=self._name, daemon=True).start()
            self._begun += 1
        return future

    def leave(self) -> None:
        """Cancel the calls that have not begun; whoever is in one ends in its own time."""
        self._line.end()


class _Line:
    """Calls that wait for a thread, and threads that wait for a call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self._is_over = False

    def add(self, future: Future[Any], call: Callable[[], Any]) -> bool:
        """Put a call in line, if there still is one; whether it has no thread yet."""
        with self._changed:
            if self._is_over:
                future.cancel()
                return False
            self._calls.append((future, call))
            self._changed.notify()
            return len(self._calls) > self._idle

    def next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """Wait for a call; None if there is to be none."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls or self._is_over)
            self._idle -= 1
            return self._calls.popleft() if self._calls else None

    def end(self) -> None:
        """Cancel all that wait, and send the threads home."""
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
    """Make one call. It returns before the next is waited for, so that nothing of it is kept."""
    found = line.next()
    if found is None:
        return False
    future, call = found
    if future.set_running_or_notify_cancel():
        with _Telling(future):
            future.set_result(call())
    return True


class _Telling:
    """Hands whatever a call raises to whoever waits for it, as this thread has nobody to tell."""

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
