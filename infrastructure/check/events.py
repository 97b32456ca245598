"""What the emulated functions are handed: SQS batches and HTTP requests, as Lambda hands them."""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tally.counters.event import Increment, encode
from tally.local.http.event import proxy_event
from tally.local.lambda_.sqs_event import sqs_record

QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:tally-increments"


class Producer:
    """Makes native increments, as a Publisher would, each in a message of its own."""

    def __init__(self) -> None:
        self._source = uuid.uuid4().hex[:16]
        self._seqs: dict[str, int] = {}

    def records(self, counters: Sequence[str]) -> list[dict[str, Any]]:
        """A record with an increment of 1 for each counter that is named, as often as it is."""
        return [record(encode(self._increment(counter)).decode()) for counter in counters]

    def _increment(self, counter: str) -> Increment:
        seq = self._seqs.get(counter, 0)
        self._seqs[counter] = seq + 1
        return Increment(counter=counter, source=self._source, seq=seq, at=_now_ms())


def record(body: str) -> dict[str, Any]:
    """A message that is received for the first time."""
    return sqs_record(
        {
            "MessageId": str(uuid.uuid4()),
            "ReceiptHandle": uuid.uuid4().hex,
            "Body": body,
            "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(_now_ms())},
            "MD5OfBody": "",
        },
        QUEUE_ARN,
    )


def batch(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The event of a batch."""
    return {"Records": list(records)}


def failures(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole answer that brings just these back."""
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in records]}


def request(method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The event of a request to the REST API."""
    told = EnvironBuilder(path, method=method, json=body)
    told.environ_base = {"REQUEST_URI": path}
    return proxy_event(Request(told.get_environ()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
