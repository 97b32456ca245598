"""FIFO queues: publisher, moto's queue, our event source mapping and a warm consumer, in order."""

import itertools
import json

import grpc
import pytest

from tally.counters.event import INT64_MAX
from tally.local.lambda_.event_source import Batching, EventSourceMapping
from tally.local.sqs.aws import queue_arn
from tally.local.sqs.queue import LocalQueue
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import Sequence
from tally.stores.errors import BrokenSetupError
from tests.support.consumers import Deployed
from tests.support.in_process import InProcess
from tests.support.lambda_event import event, failures, increment, record
from tests.support.momento_channel import Fault

MAX_RECEIVES = 3
AT_MS = 1_700_000_000_000  # before any machine's clock: moto stamps SentTimestamp by it
STATUS = grpc.StatusCode
names = (f"q{number}" for number in itertools.count())


class Fifo:
    """A FIFO queue with its dead letters, and one warm consumer under an event source mapping."""

    def __init__(self, server, batch_size=10, *, at_least_once=False):
        self.sqs = server.client()
        self.deployed = Deployed(at_least_once=at_least_once)
        self.dead = self._create({})
        policy = {
            "deadLetterTargetArn": queue_arn(self.sqs, self.dead),
            "maxReceiveCount": MAX_RECEIVES,
        }
        self.url = self._create({"RedrivePolicy": json.dumps(policy)})
        self._records: list[dict[str, str]] = []
        self._function = InProcess(self._handle)
        batching = Batching(batch_size=batch_size, window_s=0, poll_s=0)
        mapping = EventSourceMapping(self.sqs, self.url, [self._function], batching=batching)
        [self._poller] = mapping.pollers

    def send(self, group, *bodies):
        for body in bodies:
            self.sqs.send_message(
                QueueUrl=self.url,
                MessageBody=body if isinstance(body, str) else json.dumps(body),
                MessageGroupId=group,
                MessageDeduplicationId=f"{group}{next(names)}",
            )

    def deliver(self):
        """One batch: the bodies delivered, and those that failed; None if nothing came."""
        delivery = self._poller.poll_once()
        if delivery is None:
            return None
        failed = [one for one in self._records if one["messageId"] in delivery.failed]
        for one in failed:  # as if the visibility timeout were over
            self.sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=one["receiptHandle"], VisibilityTimeout=0
            )
        return [one["body"] for one in self._records], [one["body"] for one in failed]

    def settle(self):
        """Deliver until nothing comes."""
        return list(iter(self.deliver, None))

    def dead_letters(self):
        """The bodies, in their order."""
        answer = self.sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def close(self):
        self._function.close()

    def _handle(self, received, context):
        self._records = received["Records"]
        return self.deployed.handle(received, context)

    def _create(self, attributes):
        name = f"{next(names)}.fifo"
        kind = {"FifoQueue": "true"} | attributes
        return self.sqs.create_queue(QueueName=name, Attributes=kind)["QueueUrl"]


@pytest.fixture(scope="module")
def server():
    with LocalQueue(fifo=True) as queue:
        yield queue


@pytest.fixture
def make(server):
    """Makes queues; their functions end with the test."""
    made = []

    def make(**options):
        made.append(Fifo(server, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def text(seq, counter="a", **fields):
    return json.dumps(increment(seq, counter, at=AT_MS, **fields))


@pytest.mark.parametrize("at_least_once", [False, True], ids=["exactly once", "at least once"])
def test_what_is_published_is_decided_as_it_was_published_though_the_clock_steps_back(
    make, at_least_once
):
    fifo = make(at_least_once=at_least_once)
    clock = itertools.count(AT_MS, -1_000)
    sequence = Sequence(clock_ms=lambda: next(clock))
    with Publisher(fifo.url, client=fifo.sqs, sequence=sequence) as publisher:
        for amount in (5, 3, -4, 3):  # 3 of the second are too many, and of the last are not
            publisher.publish("bounded", amount, max=5)
            publisher.publish("reset", amount)
            publisher.flush()
        publisher.reset("reset", 40)
        publisher.publish("reset", 2)
    fifo.settle()
    assert (fifo.deployed.count("bounded"), fifo.deployed.count("reset")) == (4, 42)
    assert fifo.deployed.log == []


def test_a_poison_message_stops_what_follows_it_in_its_group_and_nothing_else(make):
    fifo = make()
    fifo.send("A", text(0), "poison", text(1), text(2))
    fifo.send("B", text(0, "b"), text(1, "b"))
    delivered, failed = fifo.deliver()
    assert sorted(delivered) == sorted(
        [text(0), "poison", text(1), text(2), text(0, "b"), text(1, "b")]
    )
    assert failed == ["poison", text(1), text(2)]
    assert (fifo.deployed.count("a"), fifo.deployed.count("b")) == (1, 2)


def test_once_a_poison_message_is_dead_what_waited_behind_it_goes_on_in_order(make):
    fifo = make(batch_size=1)
    bounded = [text(2, amount=9, max=9), text(3, amount=-5), text(4, amount=5, max=9)]
    fifo.send("A", text(0), "poison", text(1, reset=0), *bounded)
    held = [(["poison"], ["poison"])] * MAX_RECEIVES
    assert fifo.settle() == [
        ([text(0)], []),
        *held,
        *[([body], []) for body in (text(1, reset=0), *bounded)],
    ]
    assert fifo.dead_letters() == ["poison"]
    assert fifo.deployed.count("a") == 9


def test_what_is_received_with_a_poison_message_each_time_dies_with_it_and_in_order(make):
    fifo = make(batch_size=3)
    fifo.send("A", "poison", text(0), text(1), text(2))
    held = ["poison", text(0), text(1)]
    assert fifo.settle() == [*[(held, held)] * MAX_RECEIVES, ([text(2)], [])]
    assert fifo.dead_letters() == held
    assert fifo.deployed.count("a") == 1


def test_a_group_that_was_held_up_once_is_not_held_up_by_the_warm_consumer_again():
    deployed = Deployed()
    batch = [record(f"m{seq}", increment(seq, name), group=name) for seq, name in enumerate("ab")]
    poison = [record("m8", "{", group="a"), record("m9", "[", group="b")]
    assert deployed.handle(event(*poison, *batch)) == failures("m8", "m9", "m0", "m1")
    assert deployed.handle(event(*batch)) == failures()
    assert [deployed.count(name) for name in "ab"] == [1, 1]


def test_a_group_whose_counter_failed_once_is_decided_by_the_warm_consumer_when_it_returns():
    deployed = Deployed()
    deployed.channel.faults = [Fault("SetIf", STATUS.INVALID_ARGUMENT)]
    batch = [record(f"m{seq}", increment(seq, max=2), group="a") for seq in range(3)]
    assert deployed.handle(event(*batch)) == failures("m0", "m1", "m2")
    assert deployed.handle(event(*batch)) == failures()
    assert deployed.count() == 2


def test_a_batch_that_broke_the_function_leaves_nothing_to_the_next():
    deployed = Deployed()
    deployed.channel.faults = [Fault("GetWithHash", STATUS.PERMISSION_DENIED)]
    poison = [record("m0", "{", group="a"), record("m1", increment(0), group="b")]
    with pytest.raises(BrokenSetupError):
        deployed.handle(event(*poison))
    good = [record("m2", increment(1), group="a"), record("m3", increment(2), group="b")]
    assert deployed.handle(event(*good)) == failures()
    assert deployed.handle(event(record("m1", "{"), record("m4", increment(3)))) == failures("m1")
    assert deployed.count() == 3


def test_at_least_once_a_failed_group_counts_again_what_its_batch_had_added_elsewhere():
    for at_least_once, count in ((False, 1), (True, 2)):
        deployed = Deployed(at_least_once=at_least_once)
        deployed.channel.store.put("b", b"words")
        held = [record("m1", increment(0, "b"), group="g"), record("m2", increment(0), group="g")]
        assert deployed.handle(event(*held)) == failures("m1", "m2")
        deployed.channel.store.put("b", b"%d" % (INT64_MAX - 1))
        assert deployed.handle(event(*held)) == failures()
        assert (deployed.count("b"), deployed.count()) == (INT64_MAX, count)
