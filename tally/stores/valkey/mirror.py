"""Sets in Valkey what a table has stored; nobody relies on it."""

import math
from collections.abc import Callable, Sequence

from tally.stores.port import Failed
from tally.stores.valkey.commands import command
from tally.stores.valkey.pipelines import Pipelines, in_pipelines
from tally.stores.valkey.troubles import NO_ANSWER


class ValkeyMirror:
    """Sets values, in pipelines.

    Args:
        pipelines: to the server; their store closes them.
        ttl_s: how long a copy lives, in seconds.
        clock: monotonic, in seconds.
    """

    def __init__(self, pipelines: Pipelines, ttl_s: int, clock: Callable[[], float]) -> None:
        self._pipelines = pipelines
        self._ttl_ms = b"%d" % (ttl_s * 1_000)
        self._clock = clock

    def set(self, values: Sequence[tuple[str, bytes]], deadline_s: float) -> list[Failed | None]:
        """Set values of counters; returns the failure of each that was not set."""
        ends_at = self._clock() + deadline_s
        told: list[Failed | None] = []
        for _, commands in in_pipelines(values, self._command):
            # Nobody waits for this thread, so there is time to fetch a password again.
            ran = self._pipelines.run(commands, ends_at, renewal_ends_at=math.inf)
            told += [_failure(answer) for answer in ran.answers]
        return told

    def cancel(self, *, is_silent: bool) -> None:
        """Use new connections if these are silent; a pipeline under way ends by itself."""
        if is_silent:
            self._pipelines.renew()

    def _command(self, value: tuple[str, bytes]) -> bytes:
        counter, stored = value
        return command(b"SET", counter.encode(), stored, b"PX", self._ttl_ms)


def _failure(answer: object) -> Failed | None:
    if answer == b"OK":
        return None
    return answer if isinstance(answer, Failed) else NO_ANSWER
