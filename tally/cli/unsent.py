"""Keeps what SQS did not confirm in a file, as soon as that is known, to be sent again."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tally.counters.event import Increment, encode


class UnsentFile:
    """Keeps increments, one per line, in a file that is made for the first of them.

    If the file cannot be written, as on a full disk, it is cut back to whole lines, so that it can
    be sent again; what it does not hold is returned. `write` is as `os.write`.

    Attributes:
        kept: how many it holds.
        lost: how many it does not hold.
        problem: why the file does not hold them all; empty if it does.
    """

    def __init__(self, path: Path, *, write: Callable[[int, memoryview], int] = os.write) -> None:
        self.kept = self.lost = 0
        self.problem = ""
        self._path = path
        self._write = write
        self._mode = "wb"
        self._size = 0  # of the lines that are whole
        self._lock = threading.Lock()

    def keep(self, increments: Sequence[Increment]) -> Sequence[Increment]:
        """Add increments, from any thread; a file from before this run is replaced.

        Returns:
            Those that it does not hold.
        """
        with self._lock:
            rest = list(increments)
            lines = [encode(one) + b"\n" for one in rest]
            if not self.problem:
                del rest[: self._add(lines)]
            self.kept += len(lines) - len(rest)
            self.lost += len(rest)
            return rest

    def _add(self, lines: Sequence[bytes]) -> int:
        """Write lines, and return how many of them the file then holds."""
        left, held = memoryview(b"".join(lines)), 0
        written = len(left)
        try:
            with self._path.open(self._mode, buffering=0) as file:
                self._mode = "ab"
                try:
                    while left:
                        left = left[self._write(file.fileno(), left) :]
                finally:
                    written -= len(left)
                    ends = [end for end in itertools.accumulate(map(len, lines)) if end <= written]
                    held = len(ends)
                    self._size += ends[-1] if ends else 0
                    if left:
                        with contextlib.suppress(OSError):  # a device has no length
                            file.truncate(self._size)
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"
        return held
