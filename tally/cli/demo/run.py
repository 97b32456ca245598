"""The demo as it runs: the stack with its faults, and the producers that feed it."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self

from botocore.exceptions import BotoCoreError

from tally.cli.demo import workload
from tally.cli.demo.faults import FailingCache, ForgetfulSqs, MortalFunction
from tally.local.lambda_.environment import Function
from tally.local.lambda_.event_source import Batching
from tally.local.sqs.queue import Depth
from tally.local.stack import Stack, StackSettings, StoreKind
from tally.local.watch import DECIDED, Seen, Watch
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence

PRODUCERS = 4
"""Publishers with a source each, in turn."""

CHUNKS, MAX_CHUNK_EVENTS = 400, 250
"""The number of chunks that increments are published in, a message each, and the most increments of
one: below 64 KiB. So a small demo has as many batches to disturb as a large one."""

MAX_WAITING_MESSAGES = 60
"""Messages sent and not deleted before the producers wait: moto is slow with deep queues."""

KILL_AT = (0.25, 0.55)
"""The parts of the events published after which a consumer is killed in mid-batch."""

MAX_DEMO_S = 180.0
"""After this time the demo gives up."""

LOOK_EVERY_S = 0.2
"""How often the demo checks and shows its progress, in seconds."""

SETTINGS = StackSettings(
    # Small batches, so that there is something to kill; and a short time until a message that a
    # killed consumer held, or whose delete was lost, comes back: no batch here lasts a second.
    batching=Batching(batch_size=20, window_s=0.1),
    visibility_timeout_s=4,
    max_receive_count=5,
    # What the user's shell says of a deployment must not bound, shorten or silence the demo.
    variables={
        "COUNTER_GUARANTEE": "",
        "MAX_COUNTER_VALUE": "",
        "MOMENTO_TTL_SECONDS": "",
        "VALKEY_TTL_SECONDS": "",
        "COUNTER_TTL_SECONDS": "",
        "CACHE_TTL_SECONDS": "",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_DISABLED": "false",
    },
)

DURABLE_VISIBILITY_S = 6
"""The time until a message comes back if a table decides: then a batch can take seconds, since each
swap is a request of its own to moto."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The size of a demo."""

    events: int
    counters: int
    consumers: int
    seed: int
    store: StoreKind = StoreKind.MOMENTO
    is_durable: bool = False


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
    cache: str = ""
    """Whether the cache before a table is there; empty if no table decides."""

    @property
    def reported(self) -> int:
        """Applied or rejected, as consumers say: what a killed one wrote shows up as duplicates."""
        return sum(self.seen.metrics[name] for name in DECIDED)

    @property
    def is_decided(self) -> bool:
        """Whether all is published, and only the bad messages are not done with."""
        left = self.depth.visible + self.depth.in_flight + self.depth.dead
        return self.published == self.events and left <= self.bad

    @property
    def counted(self) -> int:
        """How many are counted: as reported, and all of them once nothing is left to decide."""
        return self.events if self.is_decided else self.reported


class Demo:
    """A context manager, inside which the stack runs.

    The watch adds up what consumers report; `now_ms` is for messages with a time in the future.
    """

    def __init__(self, options: Options, watch: Watch, now_ms: int) -> None:
        self.options = options
        self.plan = workload.draw(options.counters, options.events)
        self.bad = workload.bad_bodies(now_ms)
        self.watch = watch
        self.sqs: ForgetfulSqs | None = None
        self.mortals: list[MortalFunction] = []
        self._dooms = threading.Semaphore(0)
        self.stack = Stack(
            _settings(options),
            observe=watch.observe,
            wrap_sqs=self._wrap_sqs,
            wrap_function=self._wrap_function,
        )
        self.started_at = 0.0
        self.seconds = 0.0  # until the last increment was counted
        self.messages = 0
        self._published = 0
        self._stopping = threading.Event()
        self.cache: FailingCache | None = None
        if options.is_durable:
            self.cache = FailingCache(self.stack.store, self._stopping.wait)
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Start the stack and the producers; ChildError if a part does not start."""
        with ExitStack() as ending:
            ending.enter_context(self.stack)
            pool = ending.enter_context(ThreadPoolExecutor(1, "producers"))
            ending.callback(self._stopping.set)
            self.started_at = time.monotonic()
            self._publishing = pool.submit(self._publish)
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the producers and the stack."""
        self._ending.close()

    def looks(self) -> Iterator[Look]:
        """Look how far it is, until it is at rest or MAX_DEMO_S are over.

        Raises:
            ChildError, BotoCoreError: a part of the stack died.
            UnsentError: the local SQS did not take all increments.
        """
        kill_at = [share * self.options.events for share in KILL_AT]
        reported = 0
        is_published = was_at_rest = False
        while (look := self._checked_look()).seconds < MAX_DEMO_S:
            yield look
            if look.reported > reported:
                reported, self.seconds = look.reported, look.seconds
            while kill_at and look.published >= kill_at[0]:
                self._dooms.release()
                del kill_at[0]
            is_at_rest = is_published and self._is_at_rest(look)
            if is_at_rest and was_at_rest:
                break
            was_at_rest = is_at_rest  # a poller tells of what it deleted a moment later
            self._stopping.wait(LOOK_EVERY_S)
            # Asked before the next look, which may see an empty queue amid the publishing.
            is_published = self._publishing.done()
            if is_published:
                self._publishing.result()

    @property
    def kills(self) -> int:
        """How many consumers were killed in mid-batch so far."""
        return sum(mortal.kills for mortal in self.mortals)

    def _checked_look(self) -> Look:
        self.stack.check()
        try:
            return self._look()
        except BotoCoreError:
            self._stopping.wait(LOOK_EVERY_S)  # connections end a little before their process
            self.stack.check()  # which knows better why SQS does not answer
            raise

    def _look(self) -> Look:
        return Look(
            time.monotonic() - self.started_at,
            self._published,
            self.seconds,
            self.options.events,
            len(self.bad),
            self.kills,
            self.stack.queue.depth(),
            self.watch.look(),
            self._cache_state(),
        )

    def _cache_state(self) -> str:
        if self.cache is None:
            return ""
        return "away" if self.cache.is_away else "there"

    def _is_at_rest(self, look: Look) -> bool:
        depth = look.depth
        return depth.visible == depth.in_flight == 0 and depth.dead >= len(self.bad)

    def _publish(self) -> None:
        """Send the bad messages and all increments; wait if the queue becomes deep."""
        url, client = self.stack.queue.queue_url, self.stack.queue.client()
        for body in self.bad.values():
            client.send_message(QueueUrl=url, MessageBody=body)
        increments = workload.shuffled(self.plan, self.options.seed)
        publishers = [Publisher(url, client=client, sequence=Sequence()) for _ in range(PRODUCERS)]
        with ExitStack() as closing:
            for publisher in publishers:
                closing.enter_context(publisher)
            size = min(MAX_CHUNK_EVENTS, -(-len(increments) // CHUNKS))
            for start in range(0, len(increments), size):
                publisher = publishers[start // size % PRODUCERS]
                chunk = increments[start : start + size]
                for fields in chunk:
                    publisher.publish_fields(fields)
                publisher.flush()
                self._published += len(chunk)
                if self.cache:
                    self.cache.strike(self._published / len(increments))
                self.messages = sum(one.stats.messages for one in publishers)
                while self._waiting > MAX_WAITING_MESSAGES and not self._stopping.is_set():
                    self._stopping.wait(LOOK_EVERY_S / 10)
                if self._stopping.is_set():
                    return

    @property
    def _waiting(self) -> int:
        return self.messages - (self.sqs.deleted if self.sqs else 0)

    def _wrap_sqs(self, sqs: Any) -> Any:  # noqa: ANN401 (a client, and its peer)
        self.sqs = ForgetfulSqs(sqs, self.options.seed)
        return self.sqs

    def _wrap_function(self, function: Function) -> Function:
        self.mortals.append(MortalFunction(function, self._dooms))
        return self.mortals[-1]


def _settings(options: Options) -> StackSettings:
    settings = dataclasses.replace(
        SETTINGS, consumers=options.consumers, store=options.store, is_durable=options.is_durable
    )
    if options.is_durable:
        settings = dataclasses.replace(settings, visibility_timeout_s=DURABLE_VISIBILITY_S)
    return settings
