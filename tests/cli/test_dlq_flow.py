"""From an alarm to exact counts: a consumer in trouble, dead letters, and their redrive."""

import pytest

from tally.local.stack import CACHE, Stack, StackSettings
from tally.publishing.publisher import Publisher
from tests.support.momento import Raw
from tests.support.processes import wait_until
from tests.support.sqs import NEVER_S
from tests.support.terminal import Said, Terminal

ANONYMOUS = '{"counter":"flow:a","amount":5}'


@pytest.fixture
def stack():
    """One receive makes a dead letter, a second later."""
    with Stack(StackSettings(visibility_timeout_s=1, max_receive_count=1)) as stack:
        yield stack


def test_what_died_of_a_missing_cache_is_redriven_and_counted_once(stack):
    terminal = Terminal(stack.variables)
    raw = Raw(stack.store)
    raw.delete_cache(CACHE)
    client = stack.queue.client()
    with Publisher(stack.queue.queue_url, client=client, linger_s=NEVER_S) as publisher:
        for _ in range(3):  # in one message
            publisher.publish("flow:n")
    client.send_message(QueueUrl=stack.queue.queue_url, MessageBody=ANONYMOUS)
    assert wait_until(lambda: stack.queue.depth().dead == 2)
    missing = f"✗ cache: there is no cache '{CACHE}'"
    assert missing in terminal("doctor", "--no-round-trip").stdout
    assert raw.create_cache(CACHE)
    raw.close()
    redrive = ("dlq", "redrive", "--include-anonymous")
    assert terminal(*redrive) == Said(0, "", "2 sent\n2 redriven, 0 not\n")
    counted = Said(0, "flow:n\t3\nflow:a\t5\n", "")
    assert wait_until(lambda: terminal("get", "flow:n", "flow:a") == counted)
    assert terminal("dlq", "list") == Said(0, "", "no dead letters\n")
