"""Peers of what the producer reaches out to: SQS's client, and a publisher that uses it."""

from collections import deque
from typing import Any

import botocore.exceptions as boto

from tally.counters.body import parse
from tally.counters.event import Envelope
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence
from tests.support.clock import Clock

QUEUE_URL = "http://127.0.0.1/000000000000/counters"
FIFO_URL = f"{QUEUE_URL}.fifo"
NOW_MS = 1_790_000_000_000
NEVER_S = 60.0  # a linger that no test waits for
QUOTED = "the signed request, with its token"


class FakeSqs:
    """A client that stores what it is sent; first it follows a script, one step a request."""

    def __init__(self, *script):
        self.script = deque(script)
        self.requests = []
        self.stored = []
        self.is_closed = False

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 # boto3's names
        self.requests.append((QueueUrl, Entries))
        step = self.script.popleft() if self.script else stored
        return step(self, Entries)

    def close(self):
        self.is_closed = True

    @property
    def bodies(self):
        return [entry["MessageBody"] for entry in self.stored]

    @property
    def events(self):
        envelope = Envelope("00000000-0000-0000-0000-000000000000", 2**62)
        return [event for body in self.bodies for event in parse(body, envelope)]


def stored(sqs, entries):
    """Everything is stored, and confirmed."""
    sqs.stored += entries
    return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


def lost_before(error):
    """The request never arrived."""

    def step(_sqs, _entries):
        raise error

    return step


def lost_after(error):
    """The request was stored, and its answer lost."""

    def step(sqs, entries):
        stored(sqs, entries)
        raise error

    return step


def failing(position, code, *, sender_fault):
    """One entry fails, its neighbours are stored."""

    def step(sqs, entries):
        bad = {"Id": entries[position]["Id"], "SenderFault": sender_fault, "Code": code}
        return {**stored(sqs, entries[:position] + entries[position + 1 :]), "Failed": [bad]}

    return step


def answered(answer):
    """Everything is stored, and the answer is not about it."""

    def step(sqs, entries):
        stored(sqs, entries)
        return answer

    return step


def client_error(code, status):
    """An error about a whole request, whose text quotes what nobody may see."""
    answer: Any = {
        "Error": {"Code": code, "Message": QUOTED},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(answer, "SendMessageBatch")


def sequence(first=1):
    """A sequence with the sources 1, 2, … at a standing clock."""
    sources = iter(range(first, first + 100))
    return Sequence(
        clock_ms=lambda: NOW_MS, entropy=lambda size: next(sources).to_bytes(size, "big")
    )


def publisher(client, queue_url=QUEUE_URL, **options):
    """A publisher on a fake time that sends only when told to."""
    options = {"pacer": Clock().pacer, "sequence": sequence(), "linger_s": NEVER_S} | options
    return Publisher(queue_url, client=client, **options)
