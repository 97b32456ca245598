"""The publisher against SQS as moto has it, with a client of its own."""

import socket

import boto3
import pytest
from moto import mock_aws

from tally.counters.body import parse
from tally.counters.event import Envelope
from tally.counters.identity import identity_of
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Stats
from tests.support.clock import Clock
from tests.support.sqs import NEVER_S, QUEUE_URL

FIFO = {"FifoQueue": "true"}
COUNTERS = ["page:home", "a b", "ä\x00\ufffe"]


@pytest.fixture
def aws(monkeypatch):
    """An environment that no account belongs to; its region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return "eu-west-1"


@pytest.fixture
def sqs(aws):
    with mock_aws():
        client = boto3.client("sqs", region_name=aws)
        yield client
        client.close()


def received(sqs, queue_url):
    """The events of the queue, in the order of delivery, as the consumer parses them."""
    names = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10}
    messages = sqs.receive_message(**names, MessageSystemAttributeNames=["All"])["Messages"]
    return [
        event
        for message in messages
        for event in parse(
            message["Body"],
            Envelope(message["MessageId"], int(message["Attributes"]["SentTimestamp"])),
        )
    ]


def test_what_is_published_is_what_the_consumer_parses(sqs):
    queue_url = sqs.create_queue(QueueName="counters")["QueueUrl"]
    with Publisher(queue_url, linger_s=NEVER_S) as publisher:
        published = [publisher.publish(COUNTERS[number % 3], number) for number in range(1_000)]
    events = received(sqs, queue_url)
    assert [(event.identity, event.counter, event.amount) for event in events] == [
        (identity_of(one), one.counter, number) for number, one in enumerate(published)
    ]
    assert publisher.stats == Stats(published=1_000, confirmed=1_000, messages=2, requests=1)


def test_a_fifo_queue_gets_a_message_for_each_counter(sqs):
    queue_url = sqs.create_queue(QueueName="counters.fifo", Attributes=FIFO)["QueueUrl"]
    with Publisher(queue_url, linger_s=NEVER_S) as publisher:
        published = [publisher.publish(COUNTERS[number % 3], number) for number in range(9)]
    events = received(sqs, queue_url)
    assert [event.identity for event in events] == [
        identity_of(published[number]) for number in (0, 3, 6, 1, 4, 7, 2, 5, 8)
    ]
    assert publisher.stats == Stats(published=9, confirmed=9, messages=3, requests=1)


@pytest.mark.usefixtures("sqs")
def test_a_queue_that_does_not_exist_is_reported_with_the_increments():
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/none"
    publisher = Publisher(url)
    lost = publisher.publish("page:home")
    with pytest.raises(UnsentError) as raised:
        publisher.close()
    assert raised.value.increments == (lost,)
    assert raised.value.reasons == (f"AWS.SimpleQueueService.NonExistentQueue (HTTP 400): {url}",)


@pytest.mark.usefixtures("aws")
def test_an_address_where_nobody_listens_is_reported_with_the_increments(monkeypatch):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # so that nobody else listens there
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", address)
        publisher = Publisher(f"{address}/123456789012/counters", pacer=Clock().pacer)
        lost = publisher.publish("page:home")
        with pytest.raises(UnsentError) as raised:
            publisher.close()
    assert raised.value.increments == (lost,)
    assert raised.value.reasons == (
        f'EndpointConnectionError: Could not connect to the endpoint URL: "{address}/"',
    )


def test_an_environment_without_a_region_is_why_nothing_is_confirmed(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with Publisher(QUEUE_URL) as publisher:
        lost = publisher.publish("page:home")
        with pytest.raises(UnsentError) as raised:
            publisher.flush()
    assert raised.value.increments == (lost,)
    [reason] = raised.value.reasons
    assert reason.startswith("UnknownRegionError: there is no region: set AWS_REGION")
    assert publisher.stats == Stats(published=1, unsent=1)
