"""Ctrl-C and SIGTERM end a command in the same way: what it started ends with it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn, TypeVar

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
    """

    def __init__(self, tell: Callable[[int], object]) -> None:
        self.came = False
        self._tell = tell
        self._is_reading = False
        self._untold = SimpleQueue[int | None]()  # its put() can be interrupted by another

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Inside, a signal is counted; all are told of before the end."""
        teller = threading.Thread(target=self._tell_each, daemon=True)
        with _handled_by(self._count):
            teller.start()
            try:
                yield
            finally:
                self._untold.put(None)
                teller.join()

    def until_first(self, source: Iterable[T]) -> Iterator[T]:
        """What a source yields until a signal comes, be it while the source is waited for."""
        items = iter(source)
        while True:
            try:
                self._is_reading = True
                if self.came:
                    return
                item = next(items)
            except (KeyboardInterrupt, StopIteration):
                return
            finally:
                self._is_reading = False
            yield item

    def _count(self, number: int, _frame: FrameType | None) -> None:
        self.came = True
        self._untold.put(number)
        if self._is_reading:
            self._is_reading = False
            raise KeyboardInterrupt

    def _tell_each(self) -> None:
        for number, _ in enumerate(iter(self._untold.get, None), 1):
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
