"""Ctrl-C and SIGTERM end a command in the same way: what it started ends with it."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import NoReturn, TypeVar

MAX_SIGNALS = 64
"""How many are heard of at once."""

_ENDING = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, both signals raise KeyboardInterrupt; also where a shell had SIGINT ignored."""
    with _handled_by(_interrupt):
        yield


class Interrupts:
    """Both signals, for work that must not be left half done: they end its reading, no more.

    An exception between any two steps would lose what is in hand there.

    Args:
        tell: called with the number of each signal, 1 and on, by a thread of its own.

    Attributes:
        came: whether any did.
        cut: whether one ended the reading before it was seen that the source ends.
    """

    def __init__(self, tell: Callable[[int], object]) -> None:
        self.came = self.cut = False
        self._tell = tell
        self._is_reading = False

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Inside, a signal is counted, and told of by the end."""
        heard, hears = socket.socketpair()
        hears.settimeout(0)
        teller = threading.Thread(target=self._tell_each, args=(heard,), daemon=True)
        with heard, _handled_by(self._note):
            # The handler must not tell: its thread, this one, may hold the lock that telling needs.
            before = signal.set_wakeup_fd(hears.fileno(), warn_on_full_buffer=False)
            teller.start()
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                hears.close()
                teller.join()

    def until_first(self, source: Iterable[T]) -> Iterator[T]:
        """What a source of no None yields, until a signal comes, be it while that is awaited."""
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
