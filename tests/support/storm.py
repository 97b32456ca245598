"""Bad weather, seeded, until told to be calm: what befalls Momento's calls, SQS's and consumers."""

import random
import threading
from collections import Counter

import botocore.exceptions as boto

from tally.local.momento.errors import injected
from tally.local.momento.faults import Fault

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


class MortalFunction:
    """A consumer that is killed with SIGKILL in the midst of some of its batches."""

    def __init__(self, function, storm):
        self._function, self._storm = function, storm
        self._typical_s = 0.1
        self.kill, self.close = function.kill, function.close

    def invoke(self, payload):
        """Invoke it; what is killed too late has answered."""
        timer = threading.Timer(self._storm.uniform(0, self._typical_s), self._function.kill)
        if self._storm.strikes("kill"):
            timer.start()
        invocation = self._function.invoke(payload)
        timer.cancel()
        if timer.ident:
            timer.join()
        if not (invocation.is_cold or invocation.error):
            self._typical_s = invocation.duration_s
        return invocation
