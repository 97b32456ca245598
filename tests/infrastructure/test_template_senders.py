"""Who may send from outside: one policy, each sender named whole, and what is refused together."""

import re

import pytest

TOPIC = "arn:aws:sns:eu-central-1:123456789012:likes"
OTHER_TOPICS = ["arn:aws:sns:eu-central-1:999999999999:a", "arn:aws:sns:eu-west-1:123456789012:b"]
RULES = [
    "arn:aws:events:eu-central-1:123456789012:rule/likes",
    "arn:aws:events:eu-central-1:123456789012:rule/aws.partner/example.com/17/likes",
]
PRINCIPALS = ["999999999999", "arn:aws:iam::888888888888:role/service/web+shop"]
ALL = {
    "SubscribedTopicArn": TOPIC,
    "SenderTopicArns": ",".join(OTHER_TOPICS),
    "SenderRuleArns": ",".join(RULES),
    "SenderPrincipals": ",".join(PRINCIPALS),
}
SNS, EVENTBRIDGE = {"Service": "sns.amazonaws.com"}, {"Service": "events.amazonaws.com"}


def only_tls(queue):
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": f"{queue}.Arn",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def may_send(sid, principal, sources=None, queue="Queue"):
    """The statement that lets somebody send; of a service, for these sources of it alone."""
    told = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sqs:SendMessage",
        "Resource": f"{queue}.Arn",
    }
    return told | ({"Condition": {"ArnEquals": {"aws:SourceArn": sources}}} if sources else {})


FROM_TOPIC = may_send("FromTheSubscribedTopic", SNS, TOPIC)
FROM_TOPICS = may_send("FromTopics", SNS, OTHER_TOPICS)
FROM_RULES = may_send("FromRules", EVENTBRIDGE, RULES)
FROM_ACCOUNTS = may_send("FromOtherAccounts", {"AWS": PRINCIPALS})


def statements(stack, policy="QueuePolicy"):
    return stack[policy]["PolicyDocument"]["Statement"]


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["SubscribedTopicArn"], [FROM_TOPIC]),
        (["SenderTopicArns"], [FROM_TOPICS]),
        (["SenderRuleArns"], [FROM_RULES]),
        (["SenderPrincipals"], [FROM_ACCOUNTS]),
        (list(ALL), [FROM_TOPIC, FROM_TOPICS, FROM_RULES, FROM_ACCOUNTS]),
    ],
)
def test_one_policy_lets_in_whom_the_parameters_name_and_nobody_without_tls(deploy, given, added):
    stack = deploy(**{name: ALL[name] for name in given})
    policies = stack.of_type("AWS::SQS::QueuePolicy")
    assert [name for name, each in policies.items() if "Queue" in each["Queues"]] == ["QueuePolicy"]
    assert statements(stack) == [only_tls("Queue"), *added]


def test_the_dead_letters_take_what_the_queue_did_not_take_of_its_topic(deploy):
    told = may_send("FromTheSubscribedTopic", SNS, TOPIC, "DeadLetterQueue")
    expected = [only_tls("DeadLetterQueue"), told]
    assert statements(deploy(**ALL), "DeadLetterQueuePolicy") == expected
    others = {name: value for name, value in ALL.items() if name != "SubscribedTopicArn"}
    assert statements(deploy(**others), "DeadLetterQueuePolicy") == expected[:1]


def test_the_queue_is_subscribed_with_raw_delivery_once_it_may_be_sent_to(deploy):
    assert deploy(SubscribedTopicArn=TOPIC).resources["TopicSubscription"] == {
        "Type": "AWS::SNS::Subscription",
        "Condition": "HasSubscribedTopic",
        "DependsOn": ["DeadLetterQueuePolicy", "QueuePolicy"],
        "Properties": {
            "TopicArn": TOPIC,
            "Protocol": "sqs",
            "Endpoint": "Queue.Arn",
            "RawMessageDelivery": True,
            "RedrivePolicy": {"deadLetterTargetArn": "DeadLetterQueue.Arn"},
        },
    }


def test_nothing_is_subscribed_that_was_only_permitted(deploy):
    others = {name: value for name, value in ALL.items() if name != "SubscribedTopicArn"}
    assert not deploy(**others).of_type("AWS::SNS::Subscription")


def test_a_fifo_queue_looks_at_the_content_only_if_it_is_told_to(deploy, stack):
    told = {"QueueType": "fifo", "ContentBasedDeduplication": "yes"}
    assert deploy(**told)["Queue"]["ContentBasedDeduplication"] is True
    assert deploy(QueueType="fifo")["Queue"]["ContentBasedDeduplication"] is False
    assert "ContentBasedDeduplication" not in stack["Queue"]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"QueueType": "fifo", "SenderRuleArns": RULES[0]},
            "EventBridge sends to a fifo queue only with ContentBasedDeduplication=yes",
        ),
        (
            {"ContentBasedDeduplication": "yes"},
            "ContentBasedDeduplication=yes needs QueueType=fifo",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused_before_anything_is_made(
    deploy, parameters, problem
):
    with pytest.raises(ValueError, match=f"^{problem}$"):
        deploy(**parameters)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("SubscribedTopicArn", "likes"),
        ("SubscribedTopicArn", f"{TOPIC}:6b0e71bd-7e97-4d97-80ce-4a0994e55286"),
        ("SubscribedTopicArn", f"{TOPIC},{TOPIC}"),
        ("SubscribedTopicArn", f"{TOPIC}.fifa"),
        ("SenderTopicArns", "arn:aws:sns:eu-central-1:123456789012:*"),
        ("SenderTopicArns", f"{TOPIC}, {TOPIC}"),
        ("SenderTopicArns", f"{TOPIC},"),
        ("SenderRuleArns", "arn:aws:events:eu-central-1:123456789012:rule/*"),
        ("SenderRuleArns", "arn:aws:events:eu-central-1:123456789012:event-bus/shop"),
        ("SenderRuleArns", TOPIC),
        ("SenderPrincipals", "*"),
        ("SenderPrincipals", "99999999999"),
        ("SenderPrincipals", "arn:aws:iam::999999999999:role/*"),
        ("SenderPrincipals", "999999999999,"),
        ("SenderPrincipals", "999999999999 888888888888"),
        ("SenderPrincipals", "sns.amazonaws.com"),
        ("ContentBasedDeduplication", "true"),
    ],
)
def test_a_sender_is_named_whole_and_without_wildcards(deploy, parameter, value):
    with pytest.raises(ValueError, match=f"{parameter} is {re.escape(repr(value))}, against"):
        deploy(**{parameter: value})
