"""Watches a publisher while it sends: shows what is confirmed, and says if SQS is silent."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from tally.publishing.publisher import Publisher
from tally.publishing.sending import MAX_SENDING_S, Stats

EVERY_S = 0.2
"""How often it looks, in seconds."""

QUIET_S = 2.0
"""How long a request may be tried before a person is told, in seconds."""


@dataclasses.dataclass
class Lookout:
    """Says what a publisher waits for, once for each request.

    `say` prints a remark, `show` how much is confirmed.
    """

    publisher: Publisher
    say: Callable[[str], object]
    show: Callable[[Stats], object] = lambda _stats: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()

    def __post_init__(self) -> None:
        self._last_told = 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, a thread of its own looks, since the thread that publishes may have to wait."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(is_over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            self.show(self.publisher.stats)

    def look(self) -> None:
        """Show what is confirmed, and say if a request takes long."""
        stats = self.publisher.stats
        self.show(stats)
        request = stats.requests - stats.retries
        if stats.trying_s >= QUIET_S and request > self._last_told:
            self._last_told = request
            last_try = self.now() + timedelta(seconds=MAX_SENDING_S - stats.trying_s)
            why = stats.trouble or "it does not answer"
            self.say(f"no confirmation from SQS ({why}); no new try after {last_try:%H:%M:%S}")

    def _watch(self, is_over: threading.Event) -> None:
        with contextlib.suppress(OSError, SystemExit):  # rich's, if the reader has gone
            while not is_over.wait(EVERY_S):
                self.look()
