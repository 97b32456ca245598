"""An SQS that does not answer: whoever waits gets back what is theirs, in a time that is known."""

import threading
import time
from functools import partial
from typing import Any

import botocore.exceptions as boto
import pytest

from tally.counters.identity import identity_of
from tally.publishing.connection import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.holding import ABANDONED, NOT_TRIED
from tally.publishing.inbox import MAX_PLACES, PLACE_BYTES
from tally.publishing.packing import MAX_ENTRIES
from tally.publishing.sending import MAX_SENDING_S, MAX_VAIN_REQUESTS, Stats
from tests.support.clock import PATIENT_TRIES, Clock
from tests.support.processes import main_thread_is_in, wait_until
from tests.support.sqs import FIFO_URL, QUEUE_URL, FakeSqs, client_error, failing, publisher, stored

REFUSED = boto.EndpointConnectionError(endpoint_url=QUEUE_URL)
DENIED = client_error("AccessDenied", 403)
MAX_ATTEMPT_S = CONNECT_TIMEOUT_S + READ_TIMEOUT_S
COUNTERS = 10_000
WAIT_S = 10
SOON_S = 5


class Outage(FakeSqs):
    """An SQS that takes its time for each request; `fails` says of which it tells nothing."""

    def __init__(self, duration_s, fails=lambda _number: True, error=REFUSED, begins=bool):
        super().__init__()
        self.time = Clock()
        self.duration_s = duration_s
        self.fails = fails
        self.error = error
        self.begins = begins

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 # boto3's names
        self.begins()
        self.requests.append((QueueUrl, Entries))
        self.time.now_s += self.duration_s
        if self.fails(len(self.requests)):
            raise self.error
        return stored(self, Entries)

    def publisher(self, url=FIFO_URL):
        return publisher(self, url, pacer=self.time.pacer)


def timed(time, call):
    """The UnsentError of a call, and how long the call took on the virtual clock."""
    started_at = time.now_s
    with pytest.raises(UnsentError) as raised:
        call()
    return raised.value, time.now_s - started_at


def fill_fifo(one):
    """Publish two increments to each of many counters, each of which is a message on FIFO."""
    return [one.publish(f"{number % COUNTERS}") for number in range(2 * COUNTERS)]


def identities(increments):
    return sorted(identity_of(increment) for increment in increments)


@pytest.mark.parametrize("call", ["flush", "close"])
@pytest.mark.parametrize("duration_s", [0, CONNECT_TIMEOUT_S, MAX_ATTEMPT_S])
def test_thousands_of_groups_are_handed_over_after_the_patience_with_one_request(duration_s, call):
    sqs = Outage(duration_s)
    one = sqs.publisher()
    published = fill_fifo(one)
    error, took_s = timed(sqs.time, getattr(one, call))
    assert took_s <= MAX_SENDING_S + MAX_ATTEMPT_S
    assert identities(error.increments) == identities(published)
    assert error.reasons == (f"EndpointConnectionError: {REFUSED}", NOT_TRIED)
    assert {first["MessageGroupId"] for _, [first, *_] in sqs.requests} == {"0"}


def test_a_queue_that_refuses_us_is_asked_once():
    sqs = Outage(READ_TIMEOUT_S, error=DENIED)
    one = sqs.publisher()
    published = fill_fifo(one)
    error, took_s = timed(sqs.time, one.flush)
    assert (len(error.increments), took_s) == (len(published), READ_TIMEOUT_S)
    assert error.reasons == ("AccessDenied (HTTP 403)", NOT_TRIED)


class Throttled(FakeSqs):
    """An SQS that never settles the messages of some counters, and answers while somebody waits."""

    def __init__(self, *counters):
        super().__init__()
        self.time = Clock()
        self.counters = counters

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 # boto3's names
        assert wait_until(lambda: main_thread_is_in("_wait_until"))
        self.requests.append((QueueUrl, Entries))
        self.time.now_s += 1
        bad = [one for one in Entries if one.get("MessageGroupId") in self.counters]
        answer = stored(self, [one for one in Entries if one not in bad])
        failed = {"SenderFault": True, "Code": "RequestThrottled"}
        return answer | {"Failed": [{"Id": one["Id"]} | failed for one in bad]}


@pytest.mark.parametrize("company", [1, 3], ids=["alone", "with others in its requests"])
def test_a_throttled_group_costs_one_patience_and_nothing_of_the_others(company):
    sqs = Throttled("hot")
    one = publisher(sqs, FIFO_URL, pacer=sqs.time.pacer)
    hot = [one.publish("hot", id=f"{number:060000}") for number in range(40)]
    cold = [one.publish(f"cold-{number % (company * 20)}") for number in range(100)]
    error, took_s = timed(sqs.time, one.flush)
    assert took_s <= MAX_SENDING_S + len(sqs.requests)
    assert error.increments == tuple(hot)
    assert error.reasons == ("RequestThrottled", NOT_TRIED)
    assert sorted(event.identity for event in sqs.events) == identities(cold)
    sqs.counters = ()
    one.publish_again(hot[0])
    one.close()
    assert sqs.events[-1].identity == identity_of(hot[0])


def test_an_sqs_that_answers_and_settles_nothing_is_asked_a_few_times():
    sqs = Throttled(*map(str, range(COUNTERS)))
    one = publisher(sqs, FIFO_URL, pacer=sqs.time.pacer)
    published = fill_fifo(one)
    error, took_s = timed(sqs.time, one.flush)
    assert MAX_SENDING_S < took_s <= MAX_VAIN_REQUESTS * (MAX_SENDING_S + 1)
    assert identities(error.increments) == identities(published)
    assert len({entries[0]["Id"] for _, entries in sqs.requests}) == MAX_VAIN_REQUESTS


def test_one_message_that_a_standard_queue_never_takes_costs_nothing_of_the_others():
    def answer(sqs, entries):
        bad = [position for position, one in enumerate(entries) if "hot" in one["MessageBody"]]
        return failing(bad[0], "RequestThrottled")(sqs, entries) if bad else stored(sqs, entries)

    sqs = FakeSqs(*[answer] * (PATIENT_TRIES + 6))
    one = publisher(sqs)
    hot = one.publish("hot", id=f"{0:060000}")
    cold = [one.publish("cold", id=f"{number:060000}") for number in range(59)]
    with pytest.raises(UnsentError) as raised:
        one.close()
    assert (raised.value.increments, raised.value.reasons) == ((hot,), ("RequestThrottled",))
    assert sorted(event.identity for event in sqs.events) == identities(cold)


def test_requests_in_vain_are_counted_in_a_row():
    many = MAX_VAIN_REQUESTS * 2 + 1  # there is something behind the last in vain
    groups = [f"{'hot' if lot % 2 else 'cold'}-{lot}-{n}" for lot in range(many) for n in range(10)]
    sqs = Throttled(*(group for group in groups if group.startswith("hot")))
    one = publisher(sqs, FIFO_URL, pacer=sqs.time.pacer)
    published = [one.publish(group) for group in groups]
    error, _ = timed(sqs.time, one.flush)
    assert error.increments == tuple(lost for lost in published if lost.counter in sqs.counters)
    assert error.reasons == ("RequestThrottled",)


def test_a_full_buffer_is_handed_over_to_the_publish_that_waits_for_room():
    is_full = partial(wait_until, lambda: main_thread_is_in("_wait_until"))
    sqs = Outage(CONNECT_TIMEOUT_S, begins=is_full)
    one = sqs.publisher()
    published: list[Any] = []

    def publish_until_told():
        published.extend(one.publish(f"{n:0200}") for n in range(MAX_PLACES * PLACE_BYTES // 10))

    error, took_s = timed(sqs.time, publish_until_told)
    # What the sender began before the buffer was full had a patience of its own.
    assert took_s <= 2 * (MAX_SENDING_S + MAX_ATTEMPT_S)
    sqs.fails = lambda _number: False
    one.close()
    confirmed = {(event.counter, event.identity) for event in sqs.events}
    unsent = {(lost.counter, identity_of(lost)) for lost in error.increments}
    assert confirmed.isdisjoint(unsent)
    assert len(confirmed) + len(unsent) == len(published) == one.stats.published


def test_an_interrupted_program_ends_in_the_same_time_and_close_hands_over():
    sqs = Outage(CONNECT_TIMEOUT_S)
    one = sqs.publisher()

    def interrupted():
        with one:
            fill_fifo(one)
            raise KeyboardInterrupt

    started_at = sqs.time.now_s
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sqs.time.now_s - started_at <= MAX_SENDING_S + MAX_ATTEMPT_S
    error, took_s = timed(sqs.time, one.close)
    assert (len(error.increments), took_s) == (2 * COUNTERS, 0)


def test_a_slow_queue_that_confirms_is_waited_for_however_long_it_takes():
    sqs = Outage(READ_TIMEOUT_S - 1, fails=lambda number: number % 2)
    one = sqs.publisher()
    published = fill_fifo(one)
    one.close()
    assert sqs.time.now_s > COUNTERS / MAX_ENTRIES * sqs.duration_s
    assert one.stats == Stats(
        published=len(published),
        confirmed=len(published),
        messages=COUNTERS,
        requests=2 * COUNTERS // MAX_ENTRIES,
        retries=COUNTERS // MAX_ENTRIES,
    )


def test_confirmed_ones_are_never_handed_over_and_each_group_keeps_its_order():
    requests = 100
    sqs = Outage(CONNECT_TIMEOUT_S, fails=lambda number: number > requests)
    one = sqs.publisher()
    fill_fifo(one)
    error, _ = timed(sqs.time, one.close)
    groups = requests * MAX_ENTRIES
    assert one.stats.confirmed == len(sqs.events) == 2 * groups
    left = [(lost.counter, lost.seq) for lost in error.increments]
    assert left == [(str(group), seq) for group in range(groups, COUNTERS) for seq in (0, 1)]


def test_what_is_handed_over_is_published_again_with_all_the_patience():
    sqs = Outage(CONNECT_TIMEOUT_S)
    one = sqs.publisher()
    published = [one.publish(f"{number}") for number in range(100)]
    error, _ = timed(sqs.time, one.flush)
    attempts = len(sqs.requests)
    sqs.fails = lambda number: number < attempts + 3
    for lost in error.increments:
        one.publish_again(lost)
    one.close()
    assert identities(published) == sorted(event.identity for event in sqs.events)
    groups = sorted(entry["MessageGroupId"] for entry in sqs.stored)
    assert groups == sorted(increment.counter for increment in published)


class UnderWay:
    """A step: a request that is under way until it may arrive."""

    def __init__(self):
        self.is_sent, self.may_arrive, self.is_stored = (threading.Event() for _ in range(3))

    def __call__(self, sqs, entries):
        self.is_sent.set()
        assert self.may_arrive.wait(WAIT_S)
        self.is_stored.set()
        return stored(sqs, entries)


def test_a_program_that_has_to_end_at_once_is_handed_over_what_is_on_its_way_too():
    request = UnderWay()
    one = publisher(FakeSqs(request))
    named = [one.publish("a", id=f"{number:060000}") for number in range(MAX_ENTRIES + 2)]
    assert request.is_sent.wait(WAIT_S)
    with pytest.raises(UnsentError) as raised:
        one.abandon()
    assert raised.value.increments == tuple(named)
    assert raised.value.reasons == (ABANDONED,)
    assert one.stats.unsent == len(named)
    with pytest.raises(PublisherClosedError):
        one.publish("a")
    request.may_arrive.set()
    assert request.is_stored.wait(WAIT_S)
    assert wait_until(lambda: one._outboxes.get()._shift is None)
    # What arrived all the same is not settled twice.
    assert one.stats.unsent == len(named)


def test_what_is_abandoned_is_not_waited_for_by_close():
    request = UnderWay()
    one = publisher(FakeSqs(request))
    for number in range(MAX_ENTRIES + 2):
        one.publish("a", id=f"{number:060000}")
    assert request.is_sent.wait(WAIT_S)
    with pytest.raises(UnsentError):
        one.abandon()
    called_at_s = time.monotonic()
    one.close()
    assert time.monotonic() - called_at_s < SOON_S
    request.may_arrive.set()


def test_while_nobody_waits_a_request_in_vain_takes_nothing_with_it():
    published, is_stored = threading.Event(), threading.Event()

    def refuse(_sqs, _entries):
        assert published.wait(WAIT_S)
        raise DENIED

    def store(sqs, entries):
        is_stored.set()
        return stored(sqs, entries)

    one = publisher(FakeSqs(refuse, store))
    # Full messages, so that two requests go without anybody's hurry.
    named = [one.publish("a", id=f"{number:060000}") for number in range(2 * MAX_ENTRIES + 1)]
    published.set()
    assert is_stored.wait(WAIT_S)
    with pytest.raises(UnsentError) as raised:
        one.close()
    assert raised.value.increments == tuple(named[:MAX_ENTRIES])
    assert one.stats.confirmed == MAX_ENTRIES + 1
