"""A deployment in AWS, as its APIs tell of it: what `tally doctor` asks, with answers by script."""

import email.utils
import json
from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace

from tally.cli.doctor.examination import World
from tests.support.clock import Clock
from tests.support.lambda_event import SENT_AT_MS
from tests.support.sqs import told

REGION_URL = "https://sqs.example.com"
QUEUE_URL = f"{REGION_URL}/123456789012/queue"
ARN = "arn:aws:sqs:example-1:123456789012"
FUNCTION_ARN = "arn:aws:lambda:example-1:123456789012:function:consumer"
DATE = email.utils.formatdate(SENT_AT_MS / 1_000, usegmt=True)

QUEUE = {
    "QueueArn": f"{ARN}:queue",
    "VisibilityTimeout": "181",
    "MessageRetentionPeriod": "345600",
    "SqsManagedSseEnabled": "true",
    "RedrivePolicy": json.dumps(
        {"deadLetterTargetArn": f"{ARN}:dead", "maxReceiveCount": 5},
    ),
}
DEAD = {
    "QueueArn": f"{ARN}:dead",
    "MessageRetentionPeriod": "1209600",
    "SqsManagedSseEnabled": "true",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
}
MAPPING = {
    "FunctionArn": FUNCTION_ARN,
    "State": "Enabled",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumBatchingWindowInSeconds": 1,
}


class FakeAws:
    """SQS and Lambda in one client; an error in place of an answer is raised."""

    settings: Mapping[str, int] | Exception = MappingProxyType(
        {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": 980}
    )

    def __init__(self, queue=QUEUE, dead=DEAD, mappings=(MAPPING,), timeout_s=30, date=DATE):
        self.queue, self.dead, self.mappings, self.timeout_s = queue, dead, mappings, timeout_s
        self.meta = SimpleNamespace(endpoint_url=REGION_URL)
        self.headers = {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}
        self.closed = 0

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: ARG002, N803 (boto3's)
        attributes = self.queue if QueueUrl == QUEUE_URL else self.dead
        return {"Attributes": told(attributes), **self.headers}

    def get_queue_url(self, *, QueueName, QueueOwnerAWSAccountId):  # noqa: ARG002, N803 (boto3's)
        return {"QueueUrl": QueueName}

    def list_event_source_mappings(self, **_options):
        return {"EventSourceMappings": told(self.mappings)}

    def get_function_configuration(self, *, FunctionName):  # noqa: ARG002, N803 (boto3's)
        return {"Timeout": told(self.timeout_s)}

    def get_account_settings(self):
        return {"AccountLimit": told(self.settings)}

    def close(self):
        self.closed += 1


def world(aws, clock=None, *, now_ms=SENT_AT_MS, **variables):
    """A world with this AWS, a clock that only sleeps move, and a Momento that is nowhere."""
    clock = clock or Clock()
    return World(
        {"SQS_QUEUE_URL": QUEUE_URL, **variables},
        connect=lambda _service, **_: told(aws),
        now_ms=lambda: now_ms,
        clock=clock,
        sleep=clock.sleep,
        uniform=lambda _low, high: high,
        entropy=lambda size: b"\x07" * size,
    )
