"""Where a queue's dead letters go: its redrive policy, and the queue that this names."""

import json
from collections.abc import Mapping
from typing import Any


def dead_letter_arn(client: Any, source_url: str) -> str:  # noqa: ANN401 (boto3's)
    """The ARN in a queue's redrive policy; empty if it has none."""
    answer = client.get_queue_attributes(QueueUrl=source_url, AttributeNames=["RedrivePolicy"])
    arn: str = redrive_policy(answer.get("Attributes", {})).get("deadLetterTargetArn", "")
    return arn


def redrive_policy(queue: Mapping[str, str]) -> Mapping[str, Any]:
    """Where a queue's dead letters go, by its attributes; empty if nowhere."""
    policy: Mapping[str, Any] = json.loads(queue.get("RedrivePolicy") or "{}")
    return policy


def url_of(client: Any, arn: str) -> str:  # noqa: ANN401 (boto3's)
    """The URL of the queue with an ARN; it is in the client's region, as a dead-letter queue is."""
    *_, account, name = arn.split(":")
    answer = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    url: str = answer["QueueUrl"]
    return url
