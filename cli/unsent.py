"""What SQS did not confirm, in a file as soon as it is told: to be sent again."""

from collections.abc import Sequence
from pathlib import Path

from cli.signals import undisturbed
from counters.event import Increment, encode


class UnsentFile:
    """Keeps increments, one a line, in a file that the first of them makes; or counts them only.

    Attributes:
        told: increments handed to it.
        problem: why the file does not hold them all; empty if it does, or if there is none.
    """

    def __init__(self, path: Path | None) -> None:
        self.told = 0
        self.problem = ""
        self._path = path
        self._mode = "wb"

    def keep(self, increments: Sequence[Increment]) -> None:
        """Add increments; a file that was there before this run is replaced."""
        with undisturbed():
            self.told += len(increments)
            if self._path is None or self.problem:
                return
            try:
                with self._path.open(self._mode) as file:
                    file.write(b"".join(encode(kept) + b"\n" for kept in increments))
            except OSError as error:
                self.problem = f"{self._path}: {error.strerror}"
            self._mode = "ab"
