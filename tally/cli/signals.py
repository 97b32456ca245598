"""Ctrl-C and SIGTERM end a command in the same way, with all that it started."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import NoReturn, TypeVar

MAX_SIGNALS = 64
"""How many signals are read at once."""

_ENDING = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, both signals raise KeyboardInterrupt, even if the shell made SIGINT ignored."""
    with _handled_by(_interrupt):
        yield


class Interrupts:
    """Both signals, for work that must not stop half done: they only end its reading.

    An exception between any two steps would lose the item in hand.

    Args:
        tell: called with the number of each signal, from 1 on, by a thread of its own.

    Attributes:
        came: whether a signal came.
        cut: whether a signal ended the reading before the end of the source.
    """

    def __init__(self, tell: Callable[[int], object]) -> None:
        self.came = self.cut = False
        self._tell = tell
        self._is_reading = False

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Inside, signals are counted; `tell` has been called for each when this ends."""
        heard, hears = socket.socketpair()
        hears.settimeout(0)
        teller = threading.Thread(target=self._tell_each, args=(heard,), daemon=True)
        with heard, _handled_by(self._note):
            # The handler must not call `tell`: this thread may hold the lock that `tell` needs.
            before = signal.set_wakeup_fd(hears.fileno(), warn_on_full_buffer=False)
            teller.start()
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                hears.close()
                teller.join()

    def until_first(self, source: Iterable[T]) -> Iterator[T]:
        """What a source yields (never None), until a signal comes, even while the source waits."""
        items = iter(source)
        try:
            yield from iter(lambda: self._next(items), None)
        except KeyboardInterrupt:
            self.cut = True

    def _next(self, items: Iterator[T]) -> T | None:
        self._is_reading = True
        try:
            if self.came:
                raise KeyboardInterrupt
            return next(items, None)
        finally:
            self._is_reading = False

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.came = True
        if self._is_reading:
            self._is_reading = False
            raise KeyboardInterrupt

    def _tell_each(self, heard: socket.socket) -> None:
        number = 0
        while signals := heard.recv(MAX_SIGNALS):
            for _ in filter(_ENDING.__contains__, signals):
                number += 1
                self._tell(number)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _ENDING}
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
