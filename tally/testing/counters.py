"""Counters in this process: the consumer's own rounds settle at once what is published."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tally.counters.body import parse
from tally.counters.errors import InvalidIncrementError, check_number
from tally.counters.event import INT64_MAX, Envelope, Event
from tally.publishing.publisher import LINGER_S, Publisher
from tally.publishing.sending import Pacer
from tally.publishing.sequence import now_ms
from tally.reading.reader import Reader
from tally.settling.copies import Copies
from tally.settling.progress import Activity, Settlement
from tally.settling.reason import Unsettled
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.memory import Items, MemoryStore

QUEUE_URL = "http://127.0.0.1/000000000000/memory"
REFUSAL = "AccessDenied"
MAX_DELIVERIES = 100
"""The most deliveries of a message."""

SETTLE_S = 10.0
"""How long a message may take to be settled; in memory it takes microseconds."""


class Counters:
    """Queue, consumer and store in one object, for tests that count; for any number of threads.

    A publisher sends from a thread of its own here too, so an increment is also counted without a
    flush, `linger_s` later. Reading is as from a table: `consistent` may be asked for.

    Args:
        deliveries: how often each message is delivered, 1 to MAX_DELIVERIES, since SQS may deliver
            one again; each increment still counts once.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        now_ms: the time of day, in ms since the epoch, with which the queue stamps messages. The
            publisher has its own clock, and refuses an `at` that is over 5 minutes ahead of it.

    Raises:
        ArgumentError: `deliveries` is out of its range.

    Attributes:
        dead_letters: the bodies of messages with an event that could not be settled.
        refuses: set it to True to make the queue refuse everything: a flush then raises
            UnsentError at once.
    """

    def __init__(
        self,
        *,
        deliveries: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        check_number("deliveries", deliveries, 1, MAX_DELIVERIES)
        self.dead_letters: list[str] = []
        self.refuses = False
        self._items = Items()
        self._deliveries = deliveries
        self._clock = clock
        self._now_ms = now_ms
        self._numbers = itertools.count()
        self._lock = threading.Lock()  # publishers send from threads of their own
        store = MemoryStore(self._items, clock=clock)
        rounds = Rounds(store, clock=clock, sleep=sleep, uniform=random.uniform)
        self._writer = Writer(rounds, Copies())

    def publisher(
        self,
        *,
        linger_s: float = LINGER_S,
        shards: int | None = None,
        pacer: Pacer | None = None,
    ) -> Publisher:
        """A publisher whose increments are counted when its flush() or close() returns."""
        client = _Queue(self)
        return Publisher(QUEUE_URL, client=client, linger_s=linger_s, shards=shards, pacer=pacer)

    def reader(self) -> Reader:
        """A reader of these counters; closing it closes no other."""
        return Reader(MemoryStore(self._items, clock=self._clock))

    def forget(self, counter: str) -> None:
        """Remove a counter with its ledger, as a cache may evict it."""
        self._items.copies.pop(counter, None)

    def deliver(self, body: str) -> None:
        """Settle a message, as often as it is delivered; if that fails, it is a dead letter."""
        with self._lock:
            message_id = f"message-{next(self._numbers)}"
            for _ in range(self._deliveries):
                if not self._settled(body, message_id):
                    self.dead_letters.append(body)
                    return

    def _settled(self, body: str, message_id: str) -> bool:
        try:
            events = parse(body, Envelope(message_id, self._now_ms()), INT64_MAX)
        except InvalidIncrementError:
            return False
        groups: dict[str, list[Event]] = {}
        for event in events:
            groups.setdefault(event.counter, []).append(event)
        progress = self._writer.settle(groups, self._clock() + SETTLE_S, Activity())
        return all(map(_is_settled, progress.settlements().values()))


def _is_settled(settlement: Settlement) -> bool:
    """Whether each event of a counter is counted, rejected, or was decided before."""
    if isinstance(settlement, Unsettled):
        return False
    return all(decision.is_settled for decision in settlement)


class _Queue:
    """A peer of boto3's SQS client; it delivers a message before it confirms it."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def send_message_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803, ARG002 (boto3's names)
        Entries: Sequence[Mapping[str, Any]],  # noqa: N803 (boto3's names)
    ) -> dict[str, Any]:
        if self._counters.refuses:
            refusal = {"SenderFault": True, "Code": REFUSAL}
            return {"Failed": [{"Id": entry["Id"], **refusal} for entry in Entries]}
        for entry in Entries:
            self._counters.deliver(entry["MessageBody"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def close(self) -> None:
        """Nothing is open."""
