"""A peer of boto3's SQS client, with answers by script, and a publisher that uses one."""

import json
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
ARN = "arn:aws:sqs:us-east-1:123456789012:queue"
NOW_MS = 1_790_000_000_000
NEVER_S = 60.0  # a linger that no test waits for
QUOTED = "the signed request, with its token"


class FakeSqs:
    """A client that stores what it is sent, and hands out pages of messages.

    First each call follows its script, the sends' being the unnamed one: a step is a function of
    client and entries that answers, or an error. An error among the pages is raised, too.
    """

    def __init__(self, *script, pages=(), delete=(), give_back=()):
        self.script = deque(script)
        self.pages = deque(pages)
        self.scripts = {"send": self.script, "delete": deque(delete), "give_back": deque(give_back)}
        self.requests = []
        self.calls = []
        self.waits = []
        self.stored = []
        self.is_closed = False

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 # boto3's names
        self.requests.append((QueueUrl, Entries))
        return self._answer("send", Entries)

    def receive_message(self, *, WaitTimeSeconds, **_options):  # noqa: N803 # boto3's names
        self.waits.append(WaitTimeSeconds)
        return {"Messages": next_of(self.pages, [])}

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 # boto3's names
        return self._answer("delete", Entries)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 # boto3's
        return self._answer("give_back", Entries)

    def get_queue_attributes(self, **_options):
        return {"Attributes": {"QueueArn": ARN}}

    def close(self):
        self.is_closed = True

    def told(self, call):
        """The entries of each call of this kind."""
        return [entries for name, entries in self.calls if name == call]

    def handles(self, call):
        """The receipt handles that each call of this kind was told."""
        return [[entry["ReceiptHandle"] for entry in entries] for entries in self.told(call)]

    @property
    def bodies(self):
        return [entry["MessageBody"] for entry in self.stored]

    @property
    def events(self):
        envelope = Envelope("00000000-0000-0000-0000-000000000000", 2**62)
        return [event for body in self.bodies for event in parse(body, envelope)]

    def _answer(self, call, entries):
        self.calls.append((call, entries))
        step = next_of(self.scripts[call], stored)
        return step(self, entries)


def next_of(script, default):
    """The next of a script, and what is to come after its end; an error is raised."""
    return told(script.popleft() if script else default)


def told(answer):
    """An answer as it was given; an error is raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def message_id(number):
    return f"{number:08d}-0000-4000-8000-000000000000"


def message(number, body="{}", group="", **attributes) -> dict[str, Any]:
    """A message as boto3 returns it, its body as text or as what JSON can hold."""
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": "the producer's"} if group else {}
    return {
        "MessageId": message_id(number),
        "ReceiptHandle": f"handle {number}",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "MD5OfBody": "",
        "Attributes": {"SentTimestamp": str(NOW_MS), "ApproximateReceiveCount": "6", **fifo},
        **({"MessageAttributes": attributes} if attributes else {}),
    }


def stored(sqs, entries):
    """Everything is done, and confirmed; what is sent is stored."""
    sqs.stored += [entry for entry in entries if "MessageBody" in entry]
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


def failing(position, code, *, sender_fault=False):
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
