"""The template on MiniStack with an SNS topic and a rule of EventBridge that send, to exact counts.

The topic is subscribed by the template; the rule's target is made here, as docs/deploy.md says it.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.check.checking import expect_same, say, wait_until
from infrastructure.check.deployment import deploy
from infrastructure.check.ministack import MiniStack, ministack
from tally.local.momento.server import MomentoServer
from tally.reading.reader import Reader

CACHE = "tally"
SENT = 100
"""By each sender; a multiple of PER_REQUEST."""

PER_REQUEST = 10
"""The most events that EventBridge takes at once."""

SOURCE = "com.example.blog"
EVENT_PATHS = {"type": "$.detail-type", "source": "$.source", "id": "$.id", "time": "$.time"}
EVENT_TEMPLATE = (
    '{"specversion": "1.0", "type": "<type>", "source": "<source>", "id": "<id>", "time": "<time>",'
    ' "subject": "likes"}'
)
"""An input transformer's: any event is one increment of likes, by its own id and time."""

MAX_COUNTING_S = 60
KINDS = {
    "standard": {"QueueType": "standard"},
    "fifo": {"QueueType": "fifo", "ContentBasedDeduplication": "yes"},
}
"""The parameters of each kind of queue."""


def check(kind: str, zips: Mapping[str, bytes], log: Path) -> None:
    """Deploy a queue of a kind with both senders, and see what each has sent counted once.

    Args:
        kind: of KINDS.
        zips: the package of each function.
        log: of MiniStack and the functions.

    Raises:
        CheckFailedError: something is not as it should be.
    """
    with MomentoServer(caches=[CACHE]) as server, ministack(log) as aws:
        suffix, attributes = (".fifo", {"FifoTopic": "true"}) if kind == "fifo" else ("", {})
        topic = aws.client("sns").create_topic(Name=f"likes{suffix}", Attributes=attributes)
        pattern = json.dumps({"source": [SOURCE]})
        rule = aws.client("events").put_rule(Name="likes", EventPattern=pattern)
        senders = {"SubscribedTopicArn": topic["TopicArn"], "SenderRuleArns": rule["RuleArn"]}
        outputs = deploy(aws, zips, server.endpoint, KINDS[kind] | senders)
        _publish(aws, topic["TopicArn"], kind)
        _put_events(aws, outputs["QueueArn"], kind)
        expected = {"by-topic": SENT, "by-rule": SENT, "likes": SENT}
        variables = {"MOMENTO_CACHE_NAME": CACHE, "MOMENTO_LOCAL": server.endpoint}
        with Reader.from_environment(variables) as reader:
            wait_until(
                lambda: reader.counts(expected) == expected, MAX_COUNTING_S, "the counts are wrong"
            )
        names = ["ApproximateNumberOfMessages"]
        asked = {"QueueUrl": outputs["DeadLetterQueueUrl"], "AttributeNames": names}
        dead = aws.client("sqs").get_queue_attributes(**asked)["Attributes"][names[0]]
        expect_same(int(dead), 0, "dead letters")
        say(f"senders to {kind}", f"{SENT} by SNS, {2 * SENT} by EventBridge: exact")


def _increment(counter: str, number: int) -> str:
    told = {"counter": counter, "id": f"like-{number}", "at": time.time_ns() // 1_000_000}
    return json.dumps(told)


def _publish(aws: MiniStack, topic_arn: str, kind: str) -> None:
    topics = aws.client("sns")
    for number in range(SENT):
        group = {"MessageGroupId": "by-topic", "MessageDeduplicationId": f"like-{number}"}
        topics.publish(
            TopicArn=topic_arn,
            Message=_increment("by-topic", number),
            **(group if kind == "fifo" else {}),
        )


def _put_events(aws: MiniStack, queue_arn: str, kind: str) -> None:
    events = aws.client("events")
    target: dict[str, Any] = {"Arn": queue_arn}
    if kind == "fifo":
        target["SqsParameters"] = {"MessageGroupId": "events"}
    transformer = {"InputPathsMap": EVENT_PATHS, "InputTemplate": EVENT_TEMPLATE}
    detail = {**target, "Id": "detail", "InputPath": "$.detail"}
    event = {**target, "Id": "event", "InputTransformer": transformer}
    events.put_targets(Rule="likes", Targets=[detail, event])
    entries = [
        {"Source": SOURCE, "DetailType": "Liked", "Detail": _increment("by-rule", number)}
        for number in range(SENT)
    ]
    for start in range(0, SENT, PER_REQUEST):
        events.put_events(Entries=entries[start : start + PER_REQUEST])
