"""Peers of what an event source mapping reaches out to: SQS's client, a function and a wait."""

import threading
from typing import Any

from botocore.exceptions import ClientError

from tests.support.in_process import InProcess

UNAVAILABLE = ClientError({"Error": {"Code": "ServiceUnavailable"}}, "any")
ARN = "arn:aws:sqs:us-east-1:123456789012:queue"


def message(number, body="{}"):
    return {
        "MessageId": f"id{number}",
        "ReceiptHandle": f"handle{number}",
        "Body": body,
        "MD5OfBody": "",
    }


class ScriptedSqs:
    """A client that answers receives and deletes from two scripts; an error in them is raised."""

    def __init__(self, receives, deletes=()):
        self.receives = list(receives)
        self.deletes = list(deletes)
        self.deleted = []

    def get_queue_attributes(self, **_options):
        return {"Attributes": {"QueueArn": ARN}}

    def receive_message(self, **_options):
        return {"Messages": next_of(self.receives, [])}

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 (boto3's names)
        self.deleted.append([entry["ReceiptHandle"] for entry in Entries])
        return {"Failed": next_of(self.deletes, [])}


def next_of(script, default):
    step = script.pop(0) if script else default
    if isinstance(step, Exception):
        raise step
    return step


class Impatient(threading.Event):
    """A stop signal whose waits are over at once, and remembered."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return self.is_set()


class Recorder(InProcess):
    """A function in this process that keeps its events, and answers what it is told to."""

    def __init__(self, answer=lambda _event: None):
        super().__init__(self._record)
        self._answer = answer
        self.events: list[Any] = []

    def _record(self, event, _context):
        self.events.append(event)
        return self._answer(event)

    @property
    def batches(self):
        return [[record["messageId"] for record in event["Records"]] for event in self.events]

    @property
    def bodies(self):
        return [record["body"] for event in self.events for record in event["Records"]]
