"""Sets copies in a cache beside the rounds of a batch, and waits for them once, briefly."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tally.stores.port import Failed
from tally.stores.threads import Threads

WAIT_S = 0.25
"""How long the end of a batch may wait for copies, in seconds; a cache answers within some ms."""

MAX_AGE_S = 2.0
"""No copy is set later than this after its put began, by the wall clock, which goes on in a freeze:
by then another consumer may have set a newer one."""

MAX_WAITING, MAX_WAITING_BYTES = 1_024, 16_777_216
"""The most copies that wait to be set, and their bytes, 16 MiB: a cache that is slower than that
goes without copies."""

MAX_AT_ONCE = 256
"""Copies that are set together."""

DEADLINE_S = 1.0
"""How long the cache may take for them, in seconds."""


class Mirror(Protocol):
    """Sets copies in a cache. If a call fails, no method raises."""

    def set(self, values: Sequence[tuple[str, bytes]], deadline_s: float) -> list[Failed | None]:
        """Set values of counters; returns the failure of each that was not set."""

    def cancel(self, *, is_silent: bool) -> None:
        """From another thread, take back copies that are not sent yet.

        Args:
            is_silent: whether nothing was answered at all; then new connections are used from now
                on, as these may lead nowhere. Of a cache that is only slow they are worth keeping.
        """


class Waiting(NamedTuple):
    """A copy to be set, with the wall clock's time at which its put began."""

    counter: str
    value: bytes
    put_at: float


class Mirroring:
    """Sets copies in a thread of its own, one batch of increments after the other.

    Args:
        mirror: sets them.
        wall_clock: the time of day, in seconds.
        wait_s: how long the end of a batch may wait, in seconds.
        make_threads: makes a number of threads with a name.
        condition: makes the condition at which they and the batch wait.
    """

    def __init__(
        self,
        mirror: Mirror,
        *,
        wall_clock: Callable[[], float],
        wait_s: float = WAIT_S,
        make_threads: Callable[[int, str], Threads] = Threads,
        condition: Callable[[], threading.Condition] = threading.Condition,
    ) -> None:
        self._mirror = mirror
        self._wall_clock = wall_clock
        self._wait_s = wait_s
        self._make_threads = make_threads
        self._changed = condition()
        self._thread: Threads | None = None
        self._is_running = False
        self._is_waited_for = True
        self._batch = 0
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._begun = self._dropped = self._answered = self._set = 0

    def begin(self, counter: str, value: bytes, put_at: float) -> None:
        """Set a copy soon.

        Args:
            counter: its name.
            value: what the table has stored.
            put_at: the wall clock's time at which that began.
        """
        with self._changed:
            self._begun += 1
            is_full = self._waiting_bytes + len(value) > MAX_WAITING_BYTES
            if is_full or len(self._waiting) == MAX_WAITING:
                self._dropped += 1
                return
            self._waiting.append(Waiting(counter, value, put_at))
            self._waiting_bytes += len(value)
            if not self._is_running:
                self._is_running = True
                self._thread = self._thread or self._make_threads(1, "tally-mirror")
                self._thread.submit(self._run)

    def finish(self, most_s: float) -> int:
        """Wait for the copies of a batch, once; returns how many are not known to be set then.

        If none was answered, the next batch does not wait for its own: the cache is away.

        Args:
            most_s: what time is left, in seconds.
        """
        with self._changed:
            was_waited_for = self._is_waited_for
            if was_waited_for:
                self._changed.wait_for(self._is_answered, max(0.0, min(self._wait_s, most_s)))
            is_away = not self._is_answered() and not self._answered
            self._is_waited_for = not (was_waited_for and is_away)
            if not self._is_answered():
                self._forget()
                self._mirror.cancel(is_silent=is_away)
            failed = self._begun - self._set
            self._batch += 1
            self._begun = self._dropped = self._answered = self._set = 0
        return failed

    def close(self) -> None:
        """Set no more copies; those on their way end by their own deadline."""
        with self._changed:
            self._forget()
            if self._thread is not None:
                self._thread.leave()

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def _is_answered(self) -> bool:
        return self._answered + self._dropped == self._begun

    def _run(self) -> None:
        """Set copies until none wait."""
        with contextlib.ExitStack() as broken:
            broken.callback(self._stopped)
            for batch, values in iter(self._next, None):
                failures = self._mirror.set(values, DEADLINE_S)
                with self._changed:
                    if batch == self._batch:
                        self._answered += len(values)
                        self._set += failures.count(None)
                        self._changed.notify_all()
            broken.pop_all()

    def _stopped(self) -> None:
        """Let the next copy start the thread again: a client's error must not end all copies."""
        with self._changed:
            self._is_running = False

    def _next(self) -> tuple[int, list[tuple[str, bytes]]] | None:
        """The batch, and the copies to set together, without those that are too old by now."""
        with self._changed:
            now = self._wall_clock()
            values: list[tuple[str, bytes]] = []
            while self._waiting and len(values) < MAX_AT_ONCE:
                waiting = self._waiting.popleft()
                self._waiting_bytes -= len(waiting.value)
                if abs(now - waiting.put_at) <= MAX_AGE_S:
                    values.append((waiting.counter, waiting.value))
                else:
                    self._dropped += 1
            self._is_running = bool(values)
            self._changed.notify_all()
            return (self._batch, values) if values else None
