"""What a stack's consumers say, added up as it comes in: for the page at `/`, and the demo."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from tally.counters.body import increments
from tally.counters.errors import InvalidIncrementError
from tally.local.lambda_.environment import Function, Invocation
from tally.local.lambda_.event_source import Delivery

WINDOW_S = 90
"""How many seconds of throughput are kept."""

RATE_OVER_S = 3
"""Throughput is the mean of so many full seconds."""

MAX_COUNTERS = 1_000
"""How many counters are remembered; the one that was longest silent goes first."""

MAX_RETURNED = 200
"""How many messages that came back are remembered; the oldest goes first."""

DECIDED = ("EventsApplied", "EventsRejected")

EMF_MARK = "_aws"
"""The key by which CloudWatch, and this, knows a line as metrics."""


@dataclass(frozen=True)
class Returned:
    """A message that was reported: why, and how often SQS has delivered it."""

    counter: str
    reason: str
    detail: str
    receives: int

    @property
    def why(self) -> str:
        """The detail, where there is one."""
        return self.detail or self.reason


@dataclass(frozen=True)
class Seen:
    """A look: sums since the start, throughput by the second, oldest first, and what came back."""

    seconds: float
    metrics: Counter[str]
    batches: int
    failed_batches: int
    per_second: list[int]
    counters: dict[str, int]
    """How many events of each counter were delivered, redeliveries included."""
    returned: dict[str, Returned]
    """By message id, the latest first; what succeeded in the end is not among them."""

    @property
    def rate(self) -> float:
        """Events decided a second, of late."""
        return sum(self.per_second[-RATE_OVER_S:]) / RATE_OVER_S


class Watch:
    """Sees every batch of a stack: hand `wrap` and `observe` to it. Told by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started_at = clock()
        self._metrics: Counter[str] = Counter()
        self._decided: Counter[int] = Counter()
        self._counters: OrderedDict[str, int] = OrderedDict()
        self._returned: OrderedDict[str, Returned] = OrderedDict()
        self._batches = self._failed_batches = 0

    def wrap(self, function: Function) -> Function:
        """The function, of whose events the counters are noted."""
        return _Watched(function, self._note)

    def observe(self, delivery: Delivery) -> None:
        """Take in what one invocation printed and settled."""
        lines = lines_of(delivery.invocation.output)
        with self._lock:
            self._batches += 1
            self._failed_batches += delivery.invocation.error is not None
            for message_id in delivery.message_ids:
                if message_id not in delivery.failed:
                    self._returned.pop(message_id, None)
            for line in lines:
                self._add(metrics_of(line))
                if line.get("action") == "message_returned":
                    self._keep(line)

    def look(self) -> Seen:
        """What has been seen so far."""
        with self._lock:
            seconds = self._clock() - self._started_at
            now = int(seconds)  # a second that has not ended is not shown
            return Seen(
                seconds,
                self._metrics.copy(),
                self._batches,
                self._failed_batches,
                [self._decided[second] for second in range(now - WINDOW_S, now)],
                dict(self._counters),
                dict(reversed(self._returned.items())),
            )

    def _note(self, names: Iterable[str]) -> None:
        with self._lock:
            for name, events in Counter(names).items():
                self._counters[name] = self._counters.pop(name, 0) + events
            while len(self._counters) > MAX_COUNTERS:
                self._counters.popitem(last=False)

    def _add(self, found: dict[str, int]) -> None:
        self._metrics.update(found)
        now = int(self._clock() - self._started_at)
        self._decided[now] += sum(found.get(name, 0) for name in DECIDED)
        for second in [second for second in self._decided if second < now - WINDOW_S]:
            del self._decided[second]

    def _keep(self, line: dict[str, Any]) -> None:
        message_id = line["message_id"]
        self._returned.pop(message_id, None)
        self._returned[message_id] = Returned(
            line["counter"], line["reason"], line["detail"], line["receive_count"]
        )
        while len(self._returned) > MAX_RETURNED:
            self._returned.popitem(last=False)


class _Watched:
    """A function that tells the counters of each event before it is invoked."""

    def __init__(self, inner: Function, note: Callable[[Iterable[str]], None]) -> None:
        self._inner = inner
        self._note = note

    def invoke(self, payload: bytes) -> Invocation:
        self._note(_names(payload))
        return self._inner.invoke(payload)

    def kill(self) -> None:
        self._inner.kill()

    def close(self) -> None:
        self._inner.close()


def lines_of(output: str) -> list[dict[str, Any]]:
    """The printed lines that are JSON objects; any other, as of a traceback, is left out."""
    return [line for line in map(_parsed, output.split("\n")) if line]


def metrics_of(line: dict[str, Any]) -> dict[str, int]:
    """The sum of each metric of an EMF record, by its name; none of any other line."""
    return {
        metric["Name"]: int(sum(line[metric["Name"]]))
        for directive in line.get(EMF_MARK, {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
    }


def _parsed(line: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


class _Record(msgspec.Struct):
    body: str


class _SqsEvent(msgspec.Struct):
    Records: list[_Record]


def _names(payload: bytes) -> Iterable[str]:
    """The counter of each increment in a batch; a message that breaks the contract has none."""
    for record in msgspec.json.decode(payload, type=_SqsEvent).Records:
        try:
            found = increments(record.body)
        except InvalidIncrementError:
            continue
        yield from (increment.counter for increment in found)
