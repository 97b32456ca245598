"""The examples that publish from Python count exactly, whatever SQS does to them."""

import json

import pytest

from tests.examples.programs import counts, python
from tests.support.http_servers import FlakySqs, answer_is_lost, last_fails, last_is_refused
from tests.support.terminal import Said, Terminal

EVENTS = [f"order-{number}" for number in range(12)]


def test_boto3_counts_each_id_once_though_messages_fail_and_answers_are_lost(stack):
    name = "boto3"
    with FlakySqs(stack.variables, last_fails, answer_is_lost) as sqs:
        said = python("publish_boto3.py", name, *EVENTS, variables=sqs.variables)
    assert said == Said(0, "12 of 12 increments confirmed\n", "")
    sent = [json.loads(body)["id"] for body in sqs.bodies]
    assert sent == [*EVENTS[:10], *EVENTS[9:10] * 2, *EVENTS[10:]]
    again = python("publish_boto3.py", name, "order-11", "order-12", variables=stack.variables)
    assert again == Said(0, "2 of 2 increments confirmed\n", "")
    assert counts(stack, name) == {name: 13}


def test_boto3_says_what_sqs_refuses(stack):
    with FlakySqs(stack.variables, last_is_refused) as sqs:
        said = python("publish_boto3.py", "refused", "a", "b", variables=sqs.variables)
    assert said == Said(1, "1 of 2 increments confirmed\n", f"not confirmed: {sqs.bodies[1]}\n")
    assert len(sqs.bodies) == 2
    assert counts(stack, "refused") == {"refused": 1}


def test_a_cloudevent_counts_once_and_is_asked_for_by_its_source_and_id(stack):
    name, terminal = "concert", Terminal(stack.variables)
    for seat in ("A-17", "A-17", "A-18"):
        said = python("cloudevent.py", name, seat, variables=stack.variables)
        assert (said.status, said.stderr) == (0, "")
    assert json.loads(said.stdout)["id"] == "A-18"
    assert counts(stack, name) == {name: 2}
    assert terminal("outcome", name, "--id", "/web/shop A-17") == Said(0, "applied\n", "")


@pytest.mark.parametrize(
    ("example", "usage"),
    [
        ("publish_boto3.py", "COUNTER ID..."),
        ("coupon.py", "COUPON AVAILABLE"),
        ("cloudevent.py", "COUNTER SEAT"),
    ],
)
def test_without_arguments_an_example_says_what_it_wants(example, usage):
    assert python(example, variables={}) == Said(1, "", f"usage: {example} {usage}\n")
