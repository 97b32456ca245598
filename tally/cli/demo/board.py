"""What the demo has seen: its consumers' own metrics and logs, added up as they come in."""

import dataclasses
import threading
from collections import Counter

from tally.local.lambda_.printed import lines_of, metrics_of
from tally.local.sqs.queue import Depth


@dataclasses.dataclass(frozen=True)
class Seen:
    """A look at the board; `metrics` are sums by their CloudWatch names."""

    metrics: Counter[str]
    batches: int
    failed_batches: int
    reasons: dict[str, str]
    """Why each message that was reported last came back, by message id."""


@dataclasses.dataclass(frozen=True)
class Look:
    """How far the demo is; `counted_s` is when the last increments were reported as counted."""

    seconds: float
    published: int
    counted_s: float
    events: int
    bad: int
    kills: int
    depth: Depth
    seen: Seen

    @property
    def reported(self) -> int:
        """Applied or rejected, as consumers say: what a killed one wrote shows up as duplicates."""
        return self.seen.metrics["EventsApplied"] + self.seen.metrics["EventsRejected"]

    @property
    def is_decided(self) -> bool:
        """Whether all is published, and only the bad messages are not done with."""
        left = self.depth.visible + self.depth.in_flight + self.depth.dead
        return self.published == self.events and left <= self.bad

    @property
    def counted(self) -> int:
        """All of them once nothing is left to decide: until then, what was reported."""
        return self.events if self.is_decided else self.reported


class Board:
    """Adds up what consumers print; told by several threads, read by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._batches = 0
        self._failed_batches = 0

    def tell(self, output: str, *, failed: bool) -> None:
        """Take in what one invocation printed."""
        lines = lines_of(output)
        with self._lock:
            self._batches += 1
            self._failed_batches += failed
            for line in lines:
                self._metrics.update(metrics_of(line))
                if line.get("action") == "message_returned":
                    self._reasons[line["message_id"]] = line["detail"] or line["reason"]

    def look(self) -> Seen:
        """What has been seen so far."""
        with self._lock:
            return Seen(
                self._metrics.copy(), self._batches, self._failed_batches, self._reasons.copy()
            )
