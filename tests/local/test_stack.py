"""The stack: everything starts, works together and ends, also where a part does not start."""

import contextlib
import os
import signal
import socket
import threading

import pytest

from tally.local.child import ChildError
from tally.local.lambda_.event_source import Batching, Delivery
from tally.local.stack import Stack, StackSettings
from tally.publishing.publisher import Publisher
from tests.support.consumers import read_counts
from tests.support.processes import children, wait_until
from tests.support.sqs import NEVER_S

SETTINGS = StackSettings(consumers=2, batching=Batching(batch_size=10, window_s=0, poll_s=0))


class Wrapped:
    """What a stack uses, and a note of each call."""

    def __init__(self, inner):
        self.inner = inner
        self.calls = []

    def __getattr__(self, name):
        self.calls.append(name)
        return getattr(self.inner, name)


@contextlib.contextmanager
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def pollers():
    return [each.name for each in threading.enumerate() if each.name.startswith("poller")]


@pytest.fixture
def pid_of(started):
    """Finds the process of a part by its command line."""

    def pid_of(part):
        [pid] = [pid for pid, command in started().items() if part in command]
        return pid

    return pid_of


@pytest.fixture(scope="module")
def used():
    """A stack that has counted ten increments and ended, and what was seen of it."""
    before = children(os.getpid()).keys()
    wrapped: list[Wrapped] = []
    deliveries: list[Delivery] = []

    def wrap(inner):
        wrapped.append(Wrapped(inner))
        return wrapped[-1]

    with Stack(SETTINGS, observe=deliveries.append, wrap_sqs=wrap, wrap_function=wrap) as stack:
        stack.check()
        client = stack.queue.client()
        with Publisher(stack.queue.queue_url, client=client, linger_s=NEVER_S) as publisher:
            for amount in range(1, 11):
                publisher.publish("page:home", amount)
        assert wait_until(lambda: deliveries)
        counts = read_counts(["page:home"], stack.variables)
        pids = children(os.getpid()).keys() - before
    return wrapped, deliveries, counts, pids


def test_what_is_published_is_counted_and_seen(used):
    _, deliveries, counts, _ = used
    assert counts == {"page:home": 55}
    [delivery] = deliveries
    assert (len(delivery.message_ids), delivery.failed) == (1, frozenset())
    assert delivery.invocation.response == b'{"batchItemFailures": []}'


def test_consumers_and_sqs_are_used_through_their_wrappers(used):
    [*functions, sqs], [delivery], _, _ = used
    assert len(functions) == SETTINGS.consumers
    assert "invoke" in functions[delivery.slot].calls
    assert all("close" in function.calls for function in functions)
    assert {"receive_message", "delete_message_batch"} <= set(sqs.calls)


def test_each_part_is_a_process_and_all_have_ended(used):
    _, _, _, pids = used
    assert len(pids) == 3  # Momento, SQS, and the one consumer that was needed
    assert pids & children(os.getpid()).keys() == set()
    assert pollers() == []


def test_check_names_what_has_died(pid_of, started):
    with Stack(SETTINGS) as stack:
        os.kill(pid_of("tally.local.momento"), signal.SIGKILL)
        assert wait_until(lambda: not stack.store.is_alive)
        with pytest.raises(ChildError, match=r"^the embedded Momento server died$"):
            stack.check()
        assert stack._event_source is not None
        stack._event_source.stop(timeout_s=10)
        both = r"^the embedded Momento server and the event source mapping died$"
        with pytest.raises(ChildError, match=both):
            stack.check()
        os.kill(pid_of("tally.local.sqs.queue"), signal.SIGKILL)
        assert wait_until(lambda: not stack.queue.is_alive)
        with pytest.raises(ChildError, match=r" and the local SQS and .+ died$"):
            stack.check()
    assert (started(), pollers()) == ({}, [])


@pytest.mark.parametrize("port", ["store_port", "sqs_port"])
def test_where_a_part_does_not_start_the_others_end(port, started):
    with taken_port() as taken:
        stack = Stack(StackSettings(**{port: taken}))
        with pytest.raises(ChildError, match=r"did not start; its reason is on stderr$"):
            stack.__enter__()
    assert (started(), pollers()) == ({}, [])


def test_where_a_hook_fails_all_ends(started):
    def refuse(_sqs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Stack(SETTINGS, wrap_sqs=refuse).__enter__()
    assert (started(), pollers()) == ({}, [])
