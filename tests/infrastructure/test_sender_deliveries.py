"""What SNS and EventBridge put into the queue, and what the real handler makes of it.

SNS is moto's, and its subscription has the attributes of the template's. What EventBridge sends is
made here, by AWS's description of it: moto reads no input path of a target.
"""

import itertools
import json

import pytest
from botocore.exceptions import ClientError

from consumer import wiring
from consumer.handler import lambda_handler
from infrastructure.check.senders import EVENT_PATHS, EVENT_TEMPLATE
from infrastructure.template import TEMPLATE
from tally.local.lambda_.event_source import Batching, EventSourceMapping
from tally.local.momento.server import MomentoServer
from tally.local.sqs.aws import client_of, queue_arn
from tally.local.sqs.queue import LocalQueue
from tally.reading.reader import Reader
from tests.support.in_process import InProcess
from tests.support.lambda_event import SENT_AT_MS

AT_MS = SENT_AT_MS - 100_000_000_000  # before any machine's clock: moto stamps messages by it
MAX_BATCHES = 5
TOPIC_ARN = "arn:aws:sns:eu-central-1:123456789012:likes"
RULE_ARN = "arn:aws:events:eu-central-1:123456789012:rule/likes"
OF_A_FIFO_QUEUE = (
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)
OF_SNS = (
    "TopicArn: belongs to an envelope of SNS; set raw message delivery on the subscription, found "
)
OF_EVENTBRIDGE = (
    "detail-type: belongs to an event of EventBridge; give the rule's target the input path"
    " $.detail, found "
)
numbers = itertools.count()


def like(number, counter="page:home"):
    return {"counter": counter, "id": f"like-{number}", "at": AT_MS + number}


def from_eventbridge(detail, input_path):
    """The body that a rule sends to SQS: what its target's input path chooses of the event."""
    event = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Liked",
        "source": "com.example.blog",
        "account": "123456789012",
        "time": "2026-09-21T14:13:20Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }
    return json.dumps(event["detail"] if input_path == "$.detail" else event)


def text(value):
    """A property of the template as SQS and SNS take it."""
    return str(value).lower() if isinstance(value, bool) else value


class Taking:
    """A queue of moto's as the template describes it, and the real handler, which takes from it."""

    def __init__(self, moto, template_stack, variables, function):
        self.template = template_stack
        self.sqs = moto.client()
        self.sns = client_of("sns", moto.endpoint_url)
        told = template_stack["Queue"]
        name = f"{next(numbers)}{'.fifo' if 'FifoQueue' in told else ''}"
        kind = {key: text(told[key]) for key in OF_A_FIFO_QUEUE if key in told}
        self.url = self.sqs.create_queue(QueueName=name, Attributes=kind)["QueueUrl"]
        self._variables = variables
        batching = Batching(batch_size=10, window_s=0, poll_s=0)
        [self._poller] = EventSourceMapping(
            self.sqs, self.url, [function], batching=batching
        ).pollers

    def subscribe(self, name, **instead):
        """A topic that the queue is subscribed to as the template says it; what differs is told."""
        kind = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        topic = self.sns.create_topic(Name=f"{next(numbers)}-{name}", Attributes=kind)["TopicArn"]
        told = self.template["TopicSubscription"]
        self.sns.subscribe(
            TopicArn=topic,
            Protocol=told["Protocol"],
            Endpoint=queue_arn(self.sqs, self.url),
            Attributes={"RawMessageDelivery": text(told["RawMessageDelivery"])} | instead,
        )
        return topic

    def send_as_a_rule(self, detail):
        """One event's detail, as a rule sends it: into one group, with no deduplication id."""
        body = from_eventbridge(detail, "$.detail")
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageGroupId="events")

    def take(self):
        """Whether each message that is delivered, until none comes, was settled."""
        deliveries = [d for _ in range(MAX_BATCHES) if (d := self._poller.poll_once())]
        return [name not in d.failed for d in deliveries for name in d.message_ids]

    def count(self, counter="page:home"):
        with Reader.from_environment(self._variables) as reader:
            return reader.count(counter)


@pytest.fixture(scope="module")
def moto():
    with LocalQueue() as queue:
        yield queue


@pytest.fixture
def take_from(moto, request, monkeypatch):
    """Makes what takes from the queue of a stack; a fresh cache each, and the handler with it."""
    with MomentoServer(["tally"]) as server:
        variables = {"MOMENTO_CACHE_NAME": "tally", "MOMENTO_LOCAL": server.endpoint}
        for name, value in {**variables, "POWERTOOLS_SERVICE_NAME": request.node.name}.items():
            monkeypatch.setenv(name, value)
        wiring.consumer.cache_clear()
        function = InProcess(lambda_handler)
        yield lambda stack: Taking(moto, stack, variables, function)
        function.close()
        wiring.consumer.cache_clear()


@pytest.fixture
def taking(take_from, deploy):
    return take_from(deploy(SubscribedTopicArn=TOPIC_ARN))


@pytest.fixture
def fifo(take_from, deploy):
    return take_from(deploy(QueueType="fifo", SubscribedTopicArn=f"{TOPIC_ARN}.fifo"))


def reported(capsys):
    """Why the messages came back, as the log has it."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line.get("action") == "message_returned"]
    return [(line["reason"], line["detail"]) for line in told]


def test_what_a_topic_delivers_as_the_template_subscribes_counts(taking):
    topic = taking.subscribe("likes")
    taking.sns.publish(TopicArn=topic, Message=json.dumps(like(1)))
    taking.sns.publish(TopicArn=topic, Message=json.dumps([like(2), like(3, "post:7")]))
    assert taking.take() == [True, True]
    assert (taking.count(), taking.count("post:7")) == (2, 1)


def test_what_sns_delivers_twice_counts_once_by_its_id(taking):
    topic = taking.subscribe("likes")
    for _ in range(2):
        taking.sns.publish(TopicArn=topic, Message=json.dumps(like(1)))
    assert taking.take() == [True, True]
    assert taking.count() == 1


def test_attributes_of_a_message_are_no_matter(taking):
    kind = {"kind": {"DataType": "String", "StringValue": "like"}}
    topic = taking.subscribe("likes")
    taking.sns.publish(TopicArn=topic, Message=json.dumps(like(1)), MessageAttributes=kind)
    assert (taking.take(), taking.count()) == ([True], 1)


def test_without_raw_delivery_the_envelope_is_reported_and_comes_back(taking, capsys):
    topic = taking.subscribe("likes", RawMessageDelivery="false")
    taking.sns.publish(TopicArn=topic, Message=json.dumps(like(1)))
    assert taking.take() == [False]
    assert taking.count() is None
    assert reported(capsys) == [("invalid", f"{OF_SNS}{topic!r}")]


def test_of_an_envelope_as_sns_writes_it_the_topic_is_reported(taking, capsys):
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC_ARN,
        "Message": json.dumps(like(1)),
        "Timestamp": "2026-09-21T14:13:20.123Z",
        "SignatureVersion": "1",
    }
    taking.sqs.send_message(QueueUrl=taking.url, MessageBody=json.dumps(envelope))
    assert taking.take() == [False]
    assert reported(capsys) == [("invalid", f"{OF_SNS}'{TOPIC_ARN}'")]


def test_the_detail_of_an_event_counts(taking):
    for number in (1, 2):
        body = from_eventbridge(like(number), "$.detail")
        taking.sqs.send_message(QueueUrl=taking.url, MessageBody=body)
    assert (taking.take(), taking.count()) == ([True, True], 2)


def test_without_an_input_path_the_event_is_reported_and_comes_back(taking, capsys):
    body = from_eventbridge(like(1), "$")
    taking.sqs.send_message(QueueUrl=taking.url, MessageBody=body)
    assert taking.take() == [False]
    assert taking.count() is None
    assert reported(capsys) == [("invalid", f"{OF_EVENTBRIDGE}'Liked'")]


def test_any_event_counts_if_the_rule_makes_a_cloudevent_of_it(taking):
    event = json.loads(from_eventbridge({"post": 7}, "$"))
    body = EVENT_TEMPLATE
    for name, path in EVENT_PATHS.items():
        body = body.replace(f"<{name}>", event[path.removeprefix("$.")])
    for _ in range(2):  # EventBridge may send an event twice
        taking.sqs.send_message(QueueUrl=taking.url, MessageBody=body)
    assert (taking.take(), taking.count("likes")) == ([True, True], 1)


def test_the_document_has_the_template_that_was_tried():
    text = (TEMPLATE.parent / "docs" / "interoperability.md").read_text("utf-8")
    assert EVENT_TEMPLATE in text
    assert OF_SNS in text
    assert OF_EVENTBRIDGE in text


def test_a_topic_that_is_no_fifo_topic_is_refused_for_a_fifo_queue(fifo):
    with pytest.raises(ClientError, match="FIFO SQS Queues can not be subscribed to standard SNS"):
        fifo.subscribe("likes")


def test_a_fifo_topic_passes_on_its_own_deduplication_id(fifo):
    topic = fifo.subscribe("likes.fifo")
    for number, deduplication_id in ((1, "a"), (1, "a"), (2, "b")):
        fifo.sns.publish(
            TopicArn=topic,
            Message=json.dumps(like(number)),
            MessageGroupId="page:home",
            MessageDeduplicationId=deduplication_id,
        )
    assert (fifo.take(), fifo.count()) == ([True, True], 2)


def test_a_rule_sends_to_a_fifo_queue_only_if_that_looks_at_the_content(take_from, deploy, fifo):
    with pytest.raises(ClientError, match="ContentBasedDeduplication enabled"):
        fifo.send_as_a_rule(like(1))
    told = {"QueueType": "fifo", "SenderRuleArns": RULE_ARN, "ContentBasedDeduplication": "yes"}
    by_content = take_from(deploy(**told))
    for number in (1, 1, 2):
        by_content.send_as_a_rule(like(number))
    assert (by_content.take(), by_content.count()) == ([True, True], 2)


def test_of_two_equal_increments_without_an_id_a_queue_by_content_drops_one(take_from, deploy):
    by_content = take_from(deploy(QueueType="fifo", ContentBasedDeduplication="yes"))
    for _ in range(2):
        by_content.send_as_a_rule({"counter": "page:home"})
    assert (by_content.take(), by_content.count()) == ([True], 1)
