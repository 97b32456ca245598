"""What SQS did not confirm, in a file as soon as it is told: to be sent again."""

import threading
from collections.abc import Sequence
from pathlib import Path

from tally.counters.event import Increment, encode


class UnsentFile:
    """Keeps increments, one a line, in a file that the first of them makes.

    Attributes:
        kept: how many it holds.
        problem: why the file does not hold them all; empty if it does.
    """

    def __init__(self, path: Path) -> None:
        self.kept = 0
        self.problem = ""
        self._path = path
        self._mode = "wb"
        self._lock = threading.Lock()

    def keep(self, increments: Sequence[Increment]) -> None:
        """Add increments, by any thread; a file that was there before this run is replaced."""
        with self._lock:
            if self.problem:
                return
            try:
                with self._path.open(self._mode) as file:
                    file.write(b"".join(encode(one) + b"\n" for one in increments))
            except OSError as error:
                self.problem = f"{self._path}: {error.strerror}"
            else:
                self._mode = "ab"
                self.kept += len(increments)
