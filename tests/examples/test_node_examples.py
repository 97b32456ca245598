"""The examples in Node.js, where that and their packages are installed."""

import json
import shutil

import pytest

from tests.examples.programs import EXAMPLES, counts, run
from tests.support.http_servers import FlakySqs, answer_is_lost, last_fails, last_is_refused
from tests.support.terminal import Said, Terminal

NODE = EXAMPLES / "node"
QUIET_NODE = {"NODE_NO_WARNINGS": "1"}  # the AWS SDK warns of the end of Node.js 20
EVENTS = [f"order-{number}" for number in range(12)]


def node(name, *arguments, variables):
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    if not (NODE / "node_modules").is_dir():
        pytest.skip("the packages are not installed: npm ci --prefix examples/node")
    return run("node", NODE / name, *arguments, variables=variables | QUIET_NODE)


def test_node_counts_each_id_once_though_messages_fail_and_answers_are_lost(stack):
    name = "node"
    with FlakySqs(stack.variables, last_fails, answer_is_lost) as sqs:
        said = node("publish.mjs", name, *EVENTS, variables=sqs.variables)
    assert said == Said(0, "12 of 12 increments confirmed\n", "")
    sent = [json.loads(body)["id"] for body in sqs.bodies]
    assert sent == [*EVENTS[:10], *EVENTS[9:10] * 2, *EVENTS[10:]]
    again = node("publish.mjs", name, "order-11", "order-12", variables=stack.variables)
    assert again == Said(0, "2 of 2 increments confirmed\n", "")
    assert counts(stack, name) == {name: 13}


def test_node_says_what_sqs_refuses(stack):
    with FlakySqs(stack.variables, last_is_refused) as sqs:
        said = node("publish.mjs", "node:refused", "a", "b", variables=sqs.variables)
    assert said == Said(1, "1 of 2 increments confirmed\n", f"not confirmed: {sqs.bodies[1]}\n")
    assert counts(stack, "node:refused") == {"node:refused": 1}


def test_node_reads_counts_from_values_with_a_ledger(stack):
    terminal = Terminal(stack.variables)
    terminal("send", "read:many", "--count", "1000", "--amount", "3")
    terminal("send", "read:below", "--amount", "-7")
    assert counts(stack, "read:many", "read:below") == {"read:many": 3000, "read:below": -7}
    said = node("read.mjs", "read:many", "read:none", "read:below", variables=stack.variables)
    assert said == Said(0, "read:many\t3000\nread:none\t-\nread:below\t-7\n", "")


def test_node_says_that_momento_does_not_answer():
    nowhere = {"MOMENTO_LOCAL": "127.0.0.1:1", "MOMENTO_CACHE_NAME": "tally"}
    said = node("read.mjs", "c", variables=nowhere)
    assert (said.status, said.stdout) == (1, "")


@pytest.mark.parametrize(
    ("example", "usage"), [("publish.mjs", "COUNTER ID..."), ("read.mjs", "COUNTER...")]
)
def test_without_arguments_a_node_example_says_what_it_wants(example, usage):
    assert node(example, variables={}) == Said(2, "", f"usage: {example} {usage}\n")


def test_the_lock_file_names_no_registry():
    lock = json.loads((NODE / "package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
