"""The rules of the queue, its dead letters, and how the consumer takes from it."""

import itertools

import pytest

from tally.counters.ledger import Limits

TYPES = ("standard", "fifo")
ARN = "arn:aws:sqs:eu-central-1:123456789012:"


@pytest.fixture(params=TYPES)
def kind(request, deploy):
    """The stack with a queue of each type."""
    return deploy(QueueType=request.param)


def test_a_message_is_hidden_for_six_timeouts_and_the_window(template, deploy):
    parameters = template["Parameters"]
    pairs = itertools.product(
        parameters["FunctionTimeoutSeconds"]["AllowedValues"],
        parameters["BatchingWindowSeconds"]["AllowedValues"],
        TYPES,
    )
    for timeout, window, queue_type in pairs:
        stack = deploy(
            FunctionTimeoutSeconds=timeout, BatchingWindowSeconds=window, QueueType=queue_type
        )
        taken = stack["ConsumerFunctionIncrements"].get("MaximumBatchingWindowInSeconds", 0)
        assert stack["ConsumerFunction"]["Timeout"] == str(timeout)
        assert stack["Queue"]["VisibilityTimeout"] == 6 * timeout + int(taken)


def test_a_standard_queue_is_taken_in_batches(stack):
    assert stack["ConsumerFunctionIncrements"] == {
        "EventSourceArn": "Queue.Arn",
        "FunctionName": "ConsumerFunction",
        "BatchSize": "1000",
        "MaximumBatchingWindowInSeconds": "1",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": "4"},
        "Enabled": True,
    }


def test_a_fifo_queue_is_taken_ten_at_a_time_without_a_window(deploy):
    assert deploy(QueueType="fifo")["ConsumerFunctionIncrements"] == {
        "EventSourceArn": "Queue.Arn",
        "FunctionName": "ConsumerFunction",
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": "4"},
        "Enabled": True,
    }


def test_the_queues_are_encrypted_and_end_in_dead_letters(stack):
    assert stack.of_type("AWS::SQS::Queue") == {
        "Queue": {
            "QueueName": "tally-increments",
            "SqsManagedSseEnabled": True,
            "MessageRetentionPeriod": 4 * 86_400,
            "VisibilityTimeout": 6 * 30 + 1,
            "RedrivePolicy": {"deadLetterTargetArn": "DeadLetterQueue.Arn", "maxReceiveCount": "5"},
        },
        "DeadLetterQueue": {
            "QueueName": "tally-dead-letters",
            "SqsManagedSseEnabled": True,
            "MessageRetentionPeriod": 14 * 86_400,
            "RedriveAllowPolicy": {
                "redrivePermission": "byQueue",
                "sourceQueueArns": [f"{ARN}tally-increments"],
            },
        },
    }


def test_on_fifo_queues_the_counters_do_not_wait_for_each_other(deploy, stack):
    fifo = deploy(QueueType="fifo").of_type("AWS::SQS::Queue")
    standard = stack.of_type("AWS::SQS::Queue")
    assert fifo == {
        "Queue": {
            **standard["Queue"],
            "QueueName": "tally-increments.fifo",
            "FifoQueue": True,
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
            "ContentBasedDeduplication": False,
            "VisibilityTimeout": 6 * 30,
        },
        "DeadLetterQueue": {
            **standard["DeadLetterQueue"],
            "QueueName": "tally-dead-letters.fifo",
            "FifoQueue": True,
            "RedriveAllowPolicy": {
                "redrivePermission": "byQueue",
                "sourceQueueArns": [f"{ARN}tally-increments.fifo"],
            },
        },
    }


def test_a_longer_outage_may_be_outlasted_by_more_receives(deploy):
    assert deploy(MaxReceiveCount=50)["Queue"]["RedrivePolicy"]["maxReceiveCount"] == "50"
    with pytest.raises(ValueError, match="MaxReceiveCount is '4', against MinValue"):
        deploy(MaxReceiveCount=4)


def test_a_paused_consumer_takes_nothing(deploy, stack):
    paused = deploy(ConsumerEnabled="no")["ConsumerFunctionIncrements"]
    assert paused == {**stack["ConsumerFunctionIncrements"], "Enabled": False}


def test_the_dead_letters_take_from_the_queue_alone(kind):
    allowed = kind["DeadLetterQueue"]["RedriveAllowPolicy"]["sourceQueueArns"]
    assert allowed == [ARN + kind["Queue"]["QueueName"]]


def test_a_dead_letter_outlives_the_queue_that_it_comes_from(kind):
    kept_s = {name: queue["MessageRetentionPeriod"] for name, queue in queues(kind)}
    assert kept_s["DeadLetterQueue"] > kept_s["Queue"] > Limits().horizon_s


def test_a_queue_refuses_what_is_not_encrypted_on_its_way(kind):
    policies = kind.of_type("AWS::SQS::QueuePolicy").values()
    assert list(policies) == [
        {
            "Queues": [name],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "OnlyTls",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:*",
                        "Resource": f"{name}.Arn",
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        }
        for name, _ in queues(kind)
    ]


def test_another_type_of_queue_leaves_the_old_one_with_its_messages(kind):
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in kind.resources.items()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    assert kept == dict.fromkeys(["Queue", "DeadLetterQueue"], ("Delete", "Retain"))


def queues(stack):
    return stack.of_type("AWS::SQS::Queue").items()
