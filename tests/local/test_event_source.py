"""The event source mapping, on moto's queues: what is gathered, what is deleted, how it ends."""

import json
import os
import threading
from collections import Counter
from typing import Any

import pytest

from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.event_source import Batching, Delivery, EventSourceMapping, Poller
from tally.local.sqs.queue import LocalQueue
from tests.support.event_source import Recorder
from tests.support.in_process import InProcess
from tests.support.processes import wait_until

WAIT_S = 10
NOW = Batching(batch_size=10, window_s=0, poll_s=0)
FIVES = Batching(batch_size=5, window_s=0)


@pytest.fixture(scope="module")
def server():
    with LocalQueue() as queue:
        yield queue


@pytest.fixture
def sqs(server):
    return server.client()


@pytest.fixture
def queue_url(sqs, request):
    return sqs.create_queue(QueueName=request.node.name[:80])["QueueUrl"]


@pytest.fixture
def fifo_url(sqs, request):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    name = f"{request.node.name[:70]}.fifo"
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@pytest.fixture
def recorder():
    function = Recorder()
    yield function
    function.close()


def send(sqs, url, bodies, **options):
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": body, **options}
            for number, body in enumerate(bodies[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def delivered(poller: Poller) -> Any:
    return poller.poll_once()


def left(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return [int(answer["Attributes"][name]) for name in names]


def test_a_batch_is_gathered_over_several_receives(sqs, queue_url, recorder):
    bodies = [str(number) for number in range(27)]
    send(sqs, queue_url, bodies)
    poller = Poller(sqs, queue_url, recorder, batching=Batching(batch_size=25, window_s=WAIT_S))
    assert len(delivered(poller).message_ids) == 25
    assert recorder.bodies == bodies[:25]
    assert left(sqs, queue_url) == [2, 0]


def test_a_batch_waits_no_longer_than_its_window(sqs, queue_url, recorder):
    send(sqs, queue_url, ["one", "two"])
    Poller(sqs, queue_url, recorder, batching=Batching(window_s=0.1)).poll_once()
    assert recorder.bodies == ["one", "two"]
    assert left(sqs, queue_url) == [0, 0]


def test_an_empty_queue_makes_no_invocation(sqs, queue_url, recorder):
    assert Poller(sqs, queue_url, recorder, batching=NOW).poll_once() is None
    assert recorder.events == []


def test_the_event_is_what_lambda_sends(sqs, queue_url, recorder):
    sent = sqs.send_message(QueueUrl=queue_url, MessageBody="{}")
    Poller(sqs, queue_url, recorder, batching=NOW).poll_once()
    [record] = recorder.events[0]["Records"]
    attributes = record.pop("attributes")
    assert record.pop("receiptHandle")
    assert record == {
        "messageId": sent["MessageId"],
        "body": "{}",
        "messageAttributes": {},
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue_url.rpartition('/')[2]}",
        "awsRegion": "us-east-1",
    }
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SentTimestamp"] <= attributes["ApproximateFirstReceiveTimestamp"]
    assert sorted(attributes) == [
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "SentTimestamp",
    ]


def test_only_what_succeeded_is_deleted(sqs, queue_url):
    def second(event):
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}

    recorder = Recorder(second)
    send(sqs, queue_url, ["one", "two", "three"])
    delivery = delivered(Poller(sqs, queue_url, recorder, batching=NOW, slot=7))
    recorder.close()
    assert delivery.slot == 7
    assert delivery.message_ids == tuple(recorder.batches[0])
    assert delivery.failed == {recorder.batches[0][1]}
    assert json.loads(delivery.invocation.response) == second(recorder.events[0])
    assert left(sqs, queue_url) == [0, 1]


def test_nothing_is_deleted_after_an_error(sqs, queue_url):
    function = InProcess(lambda _event, _context: 1 / 0)
    send(sqs, queue_url, ["one", "two"])
    delivery = delivered(Poller(sqs, queue_url, function, batching=NOW))
    function.close()
    assert delivery.failed == set(delivery.message_ids)
    assert delivery.invocation.error.kind == "ZeroDivisionError"
    assert left(sqs, queue_url) == [0, 2]


def test_a_fifo_batch_keeps_the_order_and_names_the_group(sqs, fifo_url, recorder):
    send(sqs, fifo_url, ["1", "2", "3", "4"], MessageGroupId="g")
    Poller(sqs, fifo_url, recorder, batching=NOW).poll_once()
    records = recorder.events[0]["Records"]
    named = [(record["body"], record["attributes"]["MessageGroupId"]) for record in records]
    assert named == [("1", "g"), ("2", "g"), ("3", "g"), ("4", "g")]
    assert left(sqs, fifo_url) == [0, 0]


def test_all_pollers_share_the_queue_and_stop(sqs, queue_url):
    functions = [Recorder(lambda _event: both_have_some()) for _ in range(2)]
    deliveries: list[Delivery] = []
    all_delivered = threading.Event()
    bodies = Counter(str(number) for number in range(40))

    def both_have_some():
        assert wait_until(lambda: all(function.events for function in functions))

    def observe(delivery):
        deliveries.append(delivery)
        if sum(len(one.message_ids) for one in deliveries) == 40:
            all_delivered.set()

    send(sqs, queue_url, list(bodies))
    mapping = EventSourceMapping(sqs, queue_url, functions, batching=FIVES, observe=observe)
    mapping.start()
    assert mapping.is_alive
    assert all_delivered.wait(WAIT_S)
    mapping.stop(WAIT_S)
    assert [mapping.is_alive, left(sqs, queue_url)] == [False, [0, 0]]
    assert Counter(functions[0].bodies + functions[1].bodies) == bodies
    assert {one.slot for one in deliveries} == {0, 1}
    for function in functions:
        function.close()


def test_stop_kills_a_function_that_does_not_end_in_time(sqs, queue_url, tmp_path):
    function = LambdaEnvironment("tests.support.handlers.hang_for_a_message")
    deliveries: list[Any] = []
    path = tmp_path / "started"
    os.mkfifo(path)
    sqs.send_message(QueueUrl=queue_url, MessageBody=str(path))
    mapping = EventSourceMapping(
        sqs, queue_url, [function], batching=NOW, observe=deliveries.append
    )
    mapping.start()
    path.read_text()
    mapping.stop(0)
    function.close()
    [delivery] = deliveries
    assert delivery.failed == set(delivery.message_ids)
    assert delivery.invocation.error.kind == "Runtime.ExitError"
    assert left(sqs, queue_url) == [0, 1]


def test_stop_says_which_function_survived_being_killed(sqs, queue_url):
    entered, released = threading.Event(), threading.Event()

    def hang(_event, _context):
        entered.set()
        released.wait(WAIT_S)

    function = InProcess(hang)
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    mapping = EventSourceMapping(sqs, queue_url, [function], batching=NOW)
    mapping.start()
    assert entered.wait(WAIT_S)
    with pytest.raises(TimeoutError, match="still running: poller-0"):
        mapping.stop(0, kill_timeout_s=0)
    released.set()
    mapping.stop(WAIT_S)
    function.close()


def test_a_fifo_queue_has_batches_of_ten_at_most(sqs):
    with pytest.raises(ValueError, match="a FIFO queue has batches of at most 10 messages"):
        EventSourceMapping(sqs, "http://127.0.0.1/1/q.fifo", [], batching=Batching(batch_size=11))
