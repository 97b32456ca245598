"""The parts of the demo: its plan, and its faults."""

import itertools
import threading

import pytest

from tally.cli.demo import workload
from tally.cli.demo.faults import (
    KILLED,
    LOST_SHARE,
    MIN_AWAY_S,
    FailingCache,
    ForgetfulSqs,
    MortalFunction,
)
from tally.cli.demo.run import MAX_WAITING_MESSAGES
from tally.counters.body import parse
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Envelope
from tally.local.lambda_.environment import Invocation
from tally.local.lambda_.runtime import FunctionError
from tally.local.watch import MAX_RETURNED
from tests.cli.demo import counted
from tests.support.clock import Clock

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("counters", "events"), [(1, 1), (100, 100), (100, 101), (20, 3_000), (100, 100_000)]
)
def test_a_plan_has_all_its_counters_and_events(counters, events):
    drawn = workload.draw(counters, events)
    assert len({counter.name for counter in drawn}) == counters
    assert sum(counter.events for counter in drawn) == events
    assert min(counter.events for counter in drawn) > 0
    assert drawn[0].events == max(counter.events for counter in drawn)


def test_a_plan_has_bounds_above_and_below_and_most_counters_have_none():
    drawn = workload.draw(100, 100_000)
    above = [counter.name for counter in drawn if counter.maximum is not None]
    below = [counter.name for counter in drawn if counter.minimum is not None]
    assert above == [f"seats:{rank}" for rank in range(100) if rank % 5 == 2]
    assert below == [f"stock:{rank}" for rank in range(100) if rank % 5 != 2 and rank % 7 == 3]


def test_what_a_counter_must_be_is_what_the_counter_itself_decides_in_any_order():
    drawn = workload.draw(20, 3_000)
    expected = sorted((counter.name, counter.expected) for counter in drawn)
    assert counted(workload.shuffled(drawn, seed=1)) == expected
    assert counted(workload.shuffled(drawn, seed=2)) == expected


def test_an_order_is_drawn_by_its_seed():
    drawn = workload.draw(20, 3_000)
    first, second, other = (workload.shuffled(drawn, seed) for seed in (1, 1, 2))
    assert first == second != other
    assert sorted(map(str, first)) == sorted(map(str, other))


def test_each_bad_body_breaks_the_contract():
    for body in workload.bad_bodies(NOW_MS).values():
        with pytest.raises(InvalidIncrementError):
            parse(body, Envelope("message", NOW_MS + 60_000))


def test_no_other_message_that_came_back_hides_why_a_bad_one_did():
    bad = len(workload.bad_bodies(NOW_MS))
    assert bad + MAX_WAITING_MESSAGES < MAX_RETURNED


class Deletes:
    """SQS that notes what it deletes."""

    def __init__(self):
        self.requests = []

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 # boto3's names
        assert QueueUrl == "url"
        self.requests.append([entry["Id"] for entry in Entries])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}


def test_a_forgetful_sqs_loses_some_deletes_and_says_nothing_of_them():
    sqs = Deletes()
    forgetful = ForgetfulSqs(sqs, seed=1)  # type: ignore[arg-type]  # a peer of boto3's client
    for number in range(1_000):
        answer = forgetful.delete_message_batch(QueueUrl="url", Entries=[{"Id": str(number)}])
        assert answer["Failed"] == []
    deleted = list(itertools.chain(*sqs.requests))
    assert (forgetful.deleted, forgetful.lost) == (len(deleted), 1_000 - len(deleted))
    assert abs(forgetful.lost - 1_000 * LOST_SHARE) < 25
    assert all(sqs.requests)  # SQS refuses a request without entries
    assert forgetful.requests is sqs.requests


class Consumer:
    """A function that answers at once; its n-th invocation, if asked for, only when killed."""

    def __init__(self, *, hangs_at=0):
        self._left = hangs_at
        self._killed = threading.Event()
        self._is_cold = True
        self.is_closed = False

    def invoke(self, payload):
        is_cold, self._is_cold = self._is_cold, False
        self._left -= 1
        if self._left == 0:
            assert self._killed.wait(10)
            error = FunctionError("Runtime.ExitError", "signal 9")
            return Invocation(None, error, "half", 0.01, is_cold)
        return Invocation(payload, None, "all", 0.01, is_cold)

    def kill(self):
        self._is_cold = True
        self._killed.set()

    def close(self):
        self.is_closed = True


def test_a_doomed_consumer_is_killed_in_its_next_warm_batch():
    dooms = threading.Semaphore(1)
    mortal = MortalFunction(Consumer(hangs_at=3), dooms)
    ends = [mortal.invoke(b"x") for _ in range(3)]
    assert [end.response for end in ends] == [b"x", b"x", None]
    assert (ends[2].error, ends[2].output) == (FunctionError("Runtime.ExitError", "signal 9"), "")
    assert mortal.kills == 1
    assert [mortal.invoke(b"x").response for _ in range(3)] == [b"x"] * 3
    assert mortal.kills == 1


def test_a_consumer_that_is_quicker_than_its_executioner_dies_before_it_is_heard():
    mortal = MortalFunction(Consumer(), threading.Semaphore(1))
    ends = [mortal.invoke(b"x") for _ in range(3)]
    assert [(end.response, end.error, end.output) for end in ends] == [
        (b"x", None, "all"),
        (b"x", None, "all"),
        (None, KILLED, ""),
    ]


def test_consumers_share_the_kills_that_are_due():
    dooms = threading.Semaphore(2)
    consumers = [Consumer() for _ in range(3)]
    mortals = [MortalFunction(consumer, dooms) for consumer in consumers]
    for mortal in mortals:
        for _ in range(5):
            mortal.invoke(b"x")
        mortal.kill()
        mortal.close()
    assert sum(mortal.kills for mortal in mortals) == 2
    assert all(consumer.is_closed for consumer in consumers)


class Served:
    """A cache that notes what is done to it."""

    def __init__(self):
        self.done = []

    def flush(self):
        self.done.append("flush")

    def kill(self):
        self.done.append("kill")

    def start(self):
        self.done.append("start")
        return ""


@pytest.mark.parametrize(
    ("published", "done"),
    [
        (0.19, []),
        (0.2, ["flush"]),
        (0.4, ["flush", "kill"]),
        (0.6, ["flush", "kill", "start"]),
        (1.0, ["flush", "kill", "start", "flush"]),
    ],
)
def test_a_cache_is_emptied_twice_and_away_in_between(published, done):
    served, clock = Served(), Clock()
    cache = FailingCache(served, clock.sleep, clock)
    for part in range(int(published * 100) + 1):
        cache.strike(part / 100)
    assert served.done == done
    assert (cache.flushes, cache.is_away) == (done.count("flush"), done[-1:] == ["kill"])


def test_a_cache_is_away_for_a_while_however_fast_events_are_published():
    served, clock = Served(), Clock()
    cache = FailingCache(served, clock.sleep, clock)
    cache.strike(1.0)
    cache.strike(1.0)
    assert served.done == ["flush", "kill", "start", "flush"]
    assert (clock.slept_s, cache.away_s) == ([MIN_AWAY_S], MIN_AWAY_S)


def test_a_cache_that_was_away_for_long_is_not_waited_for():
    served, clock = Served(), Clock()
    cache = FailingCache(served, clock.sleep, clock)
    cache.strike(0.4)
    clock.now_s += 7.0
    cache.strike(0.6)
    assert (clock.slept_s, cache.away_s) == ([0.0], 7.0)
