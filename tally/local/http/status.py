"""`/status.json`: the state of the stack, for the page, which asks every second."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tally.local.sqs.queue import Depth
from tally.local.watch import Seen, Watch
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError

FRESH_S = 0.5
"""How long an answer is used again, in seconds: many pages cost no more than one."""

MAX_COUNTERS_SHOWN = 10
MAX_RETURNED_SHOWN = 6

TOTALS = {
    "applied": "EventsApplied",
    "rejected": "EventsRejected",
    "duplicates": "EventsDuplicate",
    "lost_races": "SwapsLost",
    "operations": "StoreOperations",
}
"""The page's names for sums of the consumer's metrics."""


@dataclass
class Status:
    """Tells the state of the stack, from its watch, its queues and its counts."""

    watch: Watch
    depth: Callable[[], Depth]
    counts: Callable[[Iterable[str]], Mapping[str, int | None]]
    max_receives: int
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: dict[str, Any] = {}
        self._good_until = self.clock()

    def look(self) -> dict[str, Any]:
        """The status for JSON; `queue` and `counters` are null while they do not answer."""
        with self._lock:
            if not self._answer or self.clock() >= self._good_until:
                self._answer = self._ask()
                self._good_until = self.clock() + FRESH_S
            return self._answer

    def _ask(self) -> dict[str, Any]:
        seen = self.watch.look()
        limit = {"max_receives": self.max_receives}
        returned = list(seen.returned.values())[:MAX_RETURNED_SHOWN]
        return {
            "seconds": round(seen.seconds, 1),
            "rate": round(seen.rate, 1),
            "per_second": seen.per_second,
            "totals": {name: seen.metrics[metric] for name, metric in TOTALS.items()},
            "batches": seen.batches,
            "failed_batches": seen.failed_batches,
            "queue": self._queue(),
            "counters": self._counters(seen),
            "returned": [asdict(one) | limit for one in returned],
        }

    def _queue(self) -> dict[str, int] | None:
        try:
            depth = self.depth()
        except (BotoCoreError, ClientError):
            return None
        return {
            "waiting": depth.visible,
            "in_flight": depth.in_flight,
            "dead": depth.dead + depth.dead_in_flight,
        }

    def _counters(self, seen: Seen) -> list[dict[str, Any]] | None:
        """The busiest counters; a count is a text, as JavaScript's numbers end at 2^53."""
        busiest = sorted(seen.counters.items(), key=lambda item: (-item[1], item[0]))
        names = [name for name, _ in busiest[:MAX_COUNTERS_SHOWN]]
        try:
            counts = self._read(names)
        except (ReadError, BrokenSetupError):
            return None
        texts = {name: None if count is None else str(count) for name, count in counts.items()}
        return [{"name": name, "count": texts[name]} for name in names]

    def _read(self, names: list[str]) -> Mapping[str, int | None]:
        """The counts, or why the store fails; None for a value that another program wrote."""
        try:
            return self.counts(names)
        except ReadError as error:
            if error.trouble is not None:
                raise
        if len(names) == 1:
            return {names[0]: None}
        return {name: self._read([name])[name] for name in names}
