"""What Lambda hands to the handler: SQS events made by hand, and a context with a clock."""

import json

ARN = "arn:aws:sqs:us-east-1:123456789012:counters"
FIFO_ARN = f"{ARN}.fifo"
SENT_AT_MS = 1_790_000_000_000
SOURCE = "9f86d081884c7d65"


def increment(seq=0, counter="page:home", **fields):
    """A native increment, a second older than its message."""
    native = {"counter": counter, "source": SOURCE, "seq": seq, "at": SENT_AT_MS - 1_000}
    return native | fields


def name(seq=0, at=SENT_AT_MS - 1_000):
    """How the event of such an increment is named."""
    return f"{SOURCE}:{seq}:{at}"


def record(message_id, body, *, group=None, receipt=1, receive_count=1, sent_at=SENT_AT_MS):
    """An SQS record; a group makes its queue a FIFO queue; `sent_at` None leaves it out."""
    attributes = {"ApproximateReceiveCount": str(receive_count)}
    if sent_at is not None:
        attributes["SentTimestamp"] = str(sent_at)
    if group is not None:
        attributes["MessageGroupId"] = group
    return {
        "messageId": message_id,
        "receiptHandle": f"{message_id}/{receipt}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN if group is None else FIFO_ARN,
        "awsRegion": "us-east-1",
    }


def event(*records):
    """The batch."""
    return {"Records": list(records)}


def failures(*message_ids):
    """The whole answer that names these messages."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


class Context:
    """A Lambda context whose time ends at a moment of the clock given."""

    aws_request_id = "request-1"

    def __init__(self, clock, time_s):
        self._clock = clock
        self.ends_at_s = clock() + time_s

    def get_remaining_time_in_millis(self):
        return int((self.ends_at_s - self._clock()) * 1_000)
