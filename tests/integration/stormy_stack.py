"""The whole of it on real parts, in a storm: what was published, and what came of it at rest."""

import json
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, cast

import botocore.exceptions as boto

from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Envelope
from tally.counters.identity import identify
from tally.counters.ledger import Limits
from tally.local.lambda_.event_source import Batching
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.momento import MomentoServer
from tally.local.momento.errors import injected
from tally.local.momento.faults import Fault
from tally.local.stack import CACHE, Stack, StackSettings
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence
from tests.support.momento import Raw

SETTINGS = StackSettings(
    consumers=3,
    function=FunctionSettings(timeout_s=4.0),
    batching=Batching(batch_size=20, window_s=0.1),
    visibility_timeout_s=1,  # with a late answer a batch takes longer, and is delivered again
    max_receive_count=8,  # a good message needed four, on a machine with twelve jobs for two cores
)
PRODUCERS = 3
STORM_S, LONGEST_STORM_S, REST_S = 5.0, 20.0, 60.0
CHUNK_EVENTS, CHUNK_EVERY_S = 100, 0.02
LOOK_EVERY_S = 0.1

ENVELOPE = Envelope("published", 2**62)
TICKETS, STOCK, WALLET = {"max": 300}, {"min": -200}, {"min": 0, "max": 20}
KINDS = [
    *[lambda _draw: ("hot", 1, {})] * 4,
    lambda draw: (f"cold:{draw.randrange(6)}", draw.choice([-2, 1, 5]), {}),
    lambda _draw: ("tickets", 1, TICKETS),
    lambda _draw: ("stock", -1, STOCK),
    lambda draw: ("wallet", draw.choice([3, -2]), WALLET),
]
SHARES = {
    "call lost": 0.04,
    "answer lost": 0.1,
    "call late": 0.015,
    "throttled": 0.01,
    "answer to a send lost": 0.2,
    "delete lost": 0.15,
    "kill": 0.2,
}
BURST_CALLS = 12  # throttled one after the other
LATE_S = (1.15, 1.6)  # past the client's deadline of 1.1 s, and then the call takes effect
UNKNOWN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "ABORTED", "CANCELLED", "UNKNOWN")


class Storm:
    """Draws faults until it is calm, and counts them by kind."""

    def __init__(self, seed):
        self.struck = Counter(dict.fromkeys(SHARES, 0))
        self._draw = random.Random(seed)
        self._lock = threading.Lock()
        self._calm = threading.Event()
        self._throttled = 0

    @property
    def has_seen_all(self):
        """Whether every kind of fault has happened."""
        return all(self.struck.values())

    def calm(self):
        """From here on nothing fails."""
        self._calm.set()

    def strikes(self, kind):
        """Whether a fault of this kind happens now."""
        with self._lock:
            strikes = not self._calm.is_set() and self._draw.random() < SHARES[kind]
            self.struck[kind] += strikes
        return strikes

    def uniform(self, low, high):
        with self._lock:
            return self._draw.uniform(low, high)

    def momento(self, call):
        """The plan for the embedded Momento server; Get is only the tests' own way to look."""
        if call == "Get":
            return None
        if not self._throttled and self.strikes("throttled"):
            self._throttled = BURST_CALLS
        if self._throttled:
            self._throttled -= 1
            return Fault(error=injected("RESOURCE_EXHAUSTED"))
        if self.strikes("call lost"):
            return Fault(error=self._unknown())
        if self.strikes("answer lost"):
            return Fault(error=self._unknown(), after=True)
        return Fault(self.uniform(*LATE_S)) if self.strikes("call late") else None

    def _unknown(self):
        with self._lock:
            return injected(self._draw.choice(UNKNOWN))


class StormySqs:
    """A client of SQS that loses answers to sends, and whole deletes."""

    def __init__(self, sqs, storm):
        self._sqs, self._storm = sqs, storm

    def __getattr__(self, name):
        return getattr(self._sqs, name)

    def send_message_batch(self, **request):
        """Send; the answer may be lost, and then the publisher sends it all again."""
        answer = self._sqs.send_message_batch(**request)
        if self._storm.strikes("answer to a send lost"):
            raise boto.ReadTimeoutError(endpoint_url="http://127.0.0.1")
        return answer

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 (boto3's names)
        """Delete what is not forgotten; nobody is told, and SQS brings the others back."""
        kept = [one for one in Entries if not self._storm.strikes("delete lost")]
        return self._sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=kept) if kept else {}


class KillableFunction:
    """A consumer that is killed with SIGKILL in the midst of some of its batches."""

    def __init__(self, function, uniform, is_doomed):
        self._function, self._uniform, self._is_doomed = function, uniform, is_doomed
        self._typical_s = 0.1
        self.kill, self.close = function.kill, function.close

    def invoke(self, payload):
        """Invoke it; what is killed too late has answered."""
        timer = threading.Timer(self._uniform(0, self._typical_s), self._function.kill)
        if self._is_doomed():
            timer.start()
        invocation = self._function.invoke(payload)
        timer.cancel()
        if timer.ident:
            timer.join()  # it may be about to kill already
        if not (invocation.is_cold or invocation.error):
            self._typical_s = invocation.duration_s
        return invocation


class StormyMomento(MomentoServer):
    """In this process and with faults, in the place of the stack's own."""

    @property
    def variables(self):
        """As the stack's own tells them."""
        return {"MOMENTO_LOCAL": self.endpoint, "MOMENTO_CACHE_NAME": CACHE}


class StormyStack(Stack):
    """The local stack with the storm over it; its Momento is in this process, and has a plan."""

    momento: Any

    def __init__(self, seed):
        self.storm = storm = Storm(seed)
        super().__init__(
            SETTINGS,
            observe=self._observed,
            wrap_sqs=lambda sqs: cast("Any", StormySqs(sqs, storm)),
            wrap_function=lambda function: KillableFunction(
                function, storm.uniform, lambda: storm.strikes("kill")
            ),
        )
        self.momento = StormyMomento([CACHE], faults=storm.momento)
        self.store = cast("Any", self.momento)
        self.published = {}
        self.wallets = set()
        self._outputs = []
        self._draw = random.Random(seed)
        self._pause = threading.Event()  # nobody sets it

    def __enter__(self):
        super().__enter__()
        self.raw = Raw(self.momento)
        return self

    def __exit__(self, *error):
        self.raw.close()
        super().__exit__(*error)

    def publish_through_the_storm(self, bad):
        """Send the bad messages, and increments for as long as the storm lasts; then be calm."""
        for body in bad:
            self.queue.client().send_message(QueueUrl=self.queue.queue_url, MessageBody=body)
        sqs: Any = StormySqs(self.queue.client(), self.storm)
        with ExitStack() as parts:
            publishers = [
                parts.enter_context(
                    Publisher(self.queue.queue_url, client=sqs, sequence=Sequence())
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

    def _observed(self, delivery):
        if delivery.invocation.error is None:
            self._outputs.append(delivery.invocation.output)
