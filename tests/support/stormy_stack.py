"""The whole of it on real parts, in a storm: what was published, and what came of it at rest."""

import json
import random
import threading
import time
from contextlib import ExitStack
from typing import Any

from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Envelope
from tally.counters.identity import identify
from tally.counters.ledger import Limits
from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.event_source import Batching, EventSourceMapping
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.momento import MomentoServer
from tally.local.sqs.queue import LocalQueue
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence
from tests.support.momento import CACHE, Raw
from tests.support.storm import MortalFunction, Storm, StormySqs

CONSUMERS = PRODUCERS = 3
FUNCTION = FunctionSettings(timeout_s=4.0)
BATCHING = Batching(batch_size=20, window_s=0.1)
# A batch with a late answer takes longer than this, and is delivered again meanwhile.
VISIBILITY_TIMEOUT_S = 1
# A good message needed four at most, on a machine with twelve jobs for its two cores.
MAX_RECEIVE_COUNT = 8
STORM_S, LONGEST_STORM_S, REST_S = 5.0, 20.0, 60.0
CHUNK_EVENTS, CHUNK_EVERY_S = 100, 0.02
STOP_TIMEOUT_S, LOOK_EVERY_S = 10.0, 0.1

ENVELOPE = Envelope("published", 2**62)
TICKETS, STOCK, WALLET = {"max": 300}, {"min": -200}, {"min": 0, "max": 20}
KINDS = [
    *[lambda _draw: ("hot", 1, {})] * 4,
    lambda draw: (f"cold:{draw.randrange(6)}", draw.choice([-2, 1, 5]), {}),
    lambda _draw: ("tickets", 1, TICKETS),
    lambda _draw: ("stock", -1, STOCK),
    lambda draw: ("wallet", draw.choice([3, -2]), WALLET),
]


class StormyStack:
    """A context manager: Momento, SQS, consumers and producers, and the storm over them."""

    def __init__(self, seed):
        self.storm = Storm(seed)
        self.sqs: Any = None
        self.published = {}
        self.wallets = set()
        self._outputs = []
        self._draw = random.Random(seed)
        self._pause = threading.Event()  # nobody sets it
        self._parts = ExitStack()

    def __enter__(self):
        with ExitStack() as parts:
            momento = parts.enter_context(MomentoServer([CACHE], faults=self.storm.momento))
            self.raw = Raw(momento)
            parts.callback(self.raw.close)
            self.queue = parts.enter_context(
                LocalQueue(
                    visibility_timeout_s=VISIBILITY_TIMEOUT_S, max_receive_count=MAX_RECEIVE_COUNT
                )
            )
            self.sqs = StormySqs(self.queue.client(), self.storm)
            variables = {"MOMENTO_LOCAL": momento.endpoint, "MOMENTO_CACHE_NAME": CACHE}
            functions = [self._function(variables, parts) for _ in range(CONSUMERS)]
            mapping = EventSourceMapping(
                self.sqs, self.queue.queue_url, functions, batching=BATCHING, observe=self._observe
            )
            parts.callback(mapping.stop, STOP_TIMEOUT_S)
            mapping.start()
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *error):
        self._parts.close()

    def publish_through_the_storm(self, bad):
        """Send the bad messages, and increments for as long as the storm lasts; then be calm."""
        for body in bad:
            self.queue.client().send_message(QueueUrl=self.queue.queue_url, MessageBody=body)
        with ExitStack() as parts:
            publishers = [
                parts.enter_context(
                    Publisher(self.queue.queue_url, client=self.sqs, sequence=Sequence())
                )
                for _ in range(PRODUCERS)
            ]
            started_at = time.monotonic()
            while self._storms_since(started_at):
                self._publish(self._draw.choice(publishers))
                self._pause.wait(CHUNK_EVERY_S)
            self.storm.calm()

    def rest(self, dead):
        """Wait until the queue is empty and so many are dead letters; returns what is where."""
        ends_at = time.monotonic() + REST_S
        depth = self._look()
        while (depth.visible, depth.in_flight, depth.dead) != (0, 0, dead):
            if time.monotonic() > ends_at:
                break
            self._pause.wait(LOOK_EVERY_S)
            depth = self._look()
        return depth

    def dead_letters(self):
        """The bodies in the dead-letter queue, sorted."""
        client, url = self.queue.client(), self.queue.dead_letter_url
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return sorted(message["Body"] for message in answer.get("Messages", []))

    def audit(self, counter):
        """The count, and the sum of what the ledger says was applied; each event is decided."""
        value, events = self.raw.get(counter.encode()), self.published[counter]
        folded = fold(value, events, Limits())
        assert set(folded.decisions) <= {Decision.APPLIED_BEFORE, Decision.REJECTED_BEFORE}
        applied = [
            event.amount
            for event, decision in zip(events, folded.decisions, strict=True)
            if decision is Decision.APPLIED_BEFORE
        ]
        return read_count(value), sum(applied)

    def metrics(self, name):
        """The sum of a metric over all invocations that lived to tell."""
        lines = [
            json.loads(line) for output in self._outputs for line in output.split("\n") if line
        ]
        return sum(line[name][0] for line in lines if name in line)

    def _storms_since(self, started_at):
        """Whether it is to go on: for a while, and until every kind of fault has happened."""
        passed_s = time.monotonic() - started_at
        return passed_s < (STORM_S if self.storm.has_seen_all else LONGEST_STORM_S)

    def _publish(self, publisher):
        for _ in range(CHUNK_EVENTS):
            counter, amount, bounds = self._draw.choice(KINDS)(self._draw)
            increment = publisher.publish(counter, amount, **bounds)
            event = identify(increment, ENVELOPE, 0, 2**63 - 1)
            self.published.setdefault(counter, []).append(event)
        publisher.flush()
        self._look()

    def _look(self):
        """Look at the one counter that goes up and down between bounds; returns the queue's depth.

        The others cannot come back once they cross their bound: the end tells of them.
        """
        if value := self.raw.get(b"wallet"):
            self.wallets.add(read_count(value))
        return self.queue.depth()

    def _function(self, variables, parts):
        environment = LambdaEnvironment(
            "consumer.handler.lambda_handler", variables=variables, settings=FUNCTION
        )
        parts.callback(environment.close)
        return MortalFunction(environment, self.storm)

    def _observe(self, delivery):
        if delivery.invocation.error is None:
            self._outputs.append(delivery.invocation.output)
