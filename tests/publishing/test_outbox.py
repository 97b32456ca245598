"""What is rare in an outbox's life: its own thread publishes, no thread starts, the end comes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tally.counters.event import Increment
from tally.publishing.errors import PublisherClosedError, UnsentError, WaitsForItselfError
from tally.publishing.holding import ABANDONED, LATE, NOT_TRIED, NOTHING, GivenUp, Holding
from tally.publishing.inbox import Bell, Inbox, Marker, Put
from tally.publishing.outbox import MAX_LAST_PASSES, RELAUNCH_S
from tally.publishing.packing import Message, to_json
from tally.publishing.sending import MAX_VAIN_REQUESTS, Failure, Stats
from tests.publishing.boxes import DENIED, no_thread, outbox, part, put
from tests.support.clock import PATIENT_TRIES, Clock
from tests.support.sqs import (
    NOW_MS,
    FakeSqs,
    failing,
    lost_before,
    publisher,
    stored,
)

LINGER_S = 1.0
SOON_S = 5.0


def speaking(one, lines):
    """A step whose log lines are published, in the sender's own thread."""

    def step(sqs, entries):
        for _ in range(lines):
            one().publish("lines")
        return stored(sqs, entries)

    return step


def test_lines_of_the_last_requests_are_sent_and_of_the_very_last_handed_over():
    sqs = FakeSqs(*[speaking(lambda: made[0], 2)] * (MAX_LAST_PASSES + 1))
    made: list[Any] = [publisher(sqs)]
    one = made[0]
    one.publish("a")
    with pytest.raises(UnsentError) as raised:
        one.close()
    assert [each.counter for each in raised.value.increments] == ["lines"] * 2
    assert raised.value.reasons == (LATE,)
    assert one.stats.published == one.stats.confirmed + 2
    assert len(sqs.events) == 1 + 2 * MAX_LAST_PASSES


@pytest.mark.parametrize("call", ["flush", "close", "abandon"])
def test_the_senders_own_thread_is_not_made_to_wait_for_itself(call):
    refused: list[Any] = []

    def step(sqs, entries):
        with pytest.raises(WaitsForItselfError) as raised:
            getattr(one, call)()
        refused.append(str(raised.value))
        return stored(sqs, entries)

    with publisher(FakeSqs(step)) as one:
        one.publish("a")
        one.flush()
        assert one.publish("a").seq == 1
    assert refused == ["it would wait for itself: the publisher is at work in this very thread"]


def test_where_no_thread_can_be_started_who_waits_sends():
    sqs = FakeSqs()
    one = outbox(sqs, launch=no_thread)
    put(one)
    one.settle()
    assert len(sqs.events) == 1
    put(one, 1)
    one.close()
    assert len(sqs.events) == 2
    assert one.stats().confirmed == 2


def test_only_one_thread_sends_however_many_were_started():
    def step(sqs, entries):
        assert pool.submit(one._work).result(10) is None
        return stored(sqs, entries)

    sqs = FakeSqs(step)
    one = outbox(sqs)
    with ThreadPoolExecutor(1) as pool:
        put(one)
        one.close()
    assert len(sqs.events) == 1


def test_what_is_put_after_the_end_is_taken_back_and_refused():
    sqs = FakeSqs()
    one = outbox(sqs)
    one.admit()  # by a thread that another closes in front of
    one.close()
    with pytest.raises(PublisherClosedError):
        one.put("a", part())
    one.raise_unsent()
    assert one.stats() == Stats()


def test_a_sender_that_ends_on_a_bug_while_it_is_closed_has_ended():
    one = outbox(FakeSqs(lost_before(ZeroDivisionError())), launch=no_thread)
    put(one)
    with pytest.raises(ZeroDivisionError):
        one.close()
    one.close()
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert raised.value.reasons == ("the sender ended with ZeroDivisionError",)


def test_what_is_put_while_another_waits_is_sent_with_the_next():
    def step(sqs, entries):
        put(one, 1)  # as a log line of this request
        return stored(sqs, entries)

    sqs = FakeSqs(step)
    one = outbox(sqs, launch=no_thread)
    put(one)
    one.settle()
    one._work(lambda: True)  # who waited for another's sending, and found it done
    assert (len(sqs.events), one.has_open) == (1, True)
    one.settle()
    assert (len(sqs.events), one.has_open) == (2, False)
    one.close()


class Interrupted(Message):
    """A message in whose hand-over a signal comes, whose handler does something."""

    def __init__(self, handler):
        super().__init__("")
        self.add(part())
        self.handler = handler

    def increments(self):
        handler, self.handler = self.handler, lambda: None
        handler()
        return super().increments()


def test_a_signal_handler_may_be_told_in_the_midst_of_a_hand_over_which_then_tells_nothing():
    told: list[Any] = []

    def handler():
        with pytest.raises(UnsentError) as raised:
            holding.raise_unsent()
        told.append(raised.value.increments)

    holding = Holding(Inbox(), fifo=False)
    holding.arrived([Failure(Interrupted(handler), "lost")])
    holding.raise_unsent()
    assert [len(increments) for increments in told] == [1]
    assert (holding.untold, holding.unsent) == (0, 1)


def test_a_signal_handler_in_the_midst_of_a_hand_over_may_wait():
    one = outbox(FakeSqs(lost_before(DENIED)))
    settled = []
    one._holding.arrived([Failure(Interrupted(lambda: settled.append(one.settle())), "lost")])
    with pytest.raises(UnsentError):
        one.raise_unsent()
    assert settled == [True]
    one.close()


class Slow:
    """A request that is on its way until it may arrive; a log line of it is published."""

    def __init__(self, answer):
        self.is_sent, self.may_arrive = threading.Event(), threading.Event()
        self.answer = answer
        self.outbox: Any = None
        self.thread: Any = None

    def __call__(self, sqs, entries):
        self.thread = threading.current_thread()
        self.is_sent.set()
        assert self.may_arrive.wait(10)
        with pytest.raises(PublisherClosedError):
            put(self.outbox)
        return self.answer(sqs, entries)


@pytest.mark.parametrize("answer", [stored, lost_before(DENIED)], ids=["stored", "refused"])
def test_a_request_that_is_abandoned_moves_nothing_when_it_comes_back(answer):
    request = Slow(answer)
    one = request.outbox = outbox(FakeSqs(request))
    put(one)
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(one.settle)
        assert request.is_sent.wait(10)
        put(one, 1)
        one.abandon()
        assert flushed.result(10) is True
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert [each.seq for each in raised.value.increments] == [0, 1]
    assert raised.value.reasons == (ABANDONED,)
    request.may_arrive.set()
    request.thread.join(10)
    one.raise_unsent()
    assert one.stats().unsent == 2


def test_what_an_exception_kept_from_being_withdrawn_is_handed_over():
    one = outbox(FakeSqs())
    put(one)
    one.close()
    one._inbox.put(Put("a", part(1)))  # and its put() was interrupted
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert [each.seq for each in raised.value.increments] == [1]
    assert raised.value.reasons == (LATE,)
    assert one.settle()


def test_what_a_sender_is_just_giving_up_is_handed_over_as_well():
    one = outbox(FakeSqs())
    one.abandon()
    one._holding._left.append(Put("a", part(1)))  # taken from the inbox, where the sender stopped
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert [each.seq for each in raised.value.increments] == [1]
    assert one.stats().unsent == 1


def test_more_may_be_given_up_in_the_midst_of_a_hand_over():
    holding = Holding(Inbox(), fifo=False)
    late = Failure(Interrupted(lambda: None), "late")
    holding.arrived([Failure(Interrupted(lambda: holding.arrived([late])), "lost")])
    with pytest.raises(UnsentError) as raised:
        holding.raise_unsent()
    assert raised.value.reasons == ("lost", "late")
    assert len(raised.value.increments) == 2


@pytest.mark.parametrize("is_last", [False, True])
def test_giving_up_settles_the_markers_that_it_meets_and_tells_of_the_last(is_last):
    inbox = Inbox()
    holding = Holding(inbox, fifo=False)
    inbox.put(Put("a", part()))
    marker = inbox.mark(Marker(is_last=is_last))
    inbox.put(Put("a", part(1)))
    assert holding.give_up("away") is is_last
    assert (marker.is_settled, bool(inbox), holding.unsent) == (True, False, 2)


class Contended(Holding):
    """What was given up is handed over while the sender gives up more."""

    reads = 0

    @property
    def _given_up(self):
        self.reads += 1
        if self.reads == 2:
            self.top = NOTHING
        return self.top

    @_given_up.setter
    def _given_up(self, top):
        self.top = top


@pytest.mark.parametrize("call", ["arrived", "give_up"])
def test_what_is_given_up_while_another_is_told_is_not_lost(call):
    holding = Contended(Inbox(), fifo=False)
    message = Interrupted(lambda: None)
    holding.top = GivenUp([Failure(message, "told")], NOTHING, 1, 1)
    holding.reads = 0
    holding.in_flight = [message]
    if call == "arrived":
        holding.arrived([Failure(message, "lost")])
    else:
        holding.give_up("lost")
    with pytest.raises(UnsentError) as raised:
        holding.raise_unsent()
    assert raised.value.reasons == ("lost",)


def test_only_what_nobody_took_is_taken_back():
    inbox, item = Inbox(), Put("a", part())
    inbox.put(item)
    assert [inbox.withdraw(item), inbox.withdraw(item)] == [True, False]


def test_who_sends_while_an_exception_is_handled_gives_nothing_up():
    sqs = FakeSqs()
    one = outbox(sqs, launch=no_thread)
    try:
        int("no number")
    except ValueError:
        put(one)
        one._work(lambda: True)
        assert one.has_open
        one.settle()
    one.close()
    assert (len(sqs.events), one.stats().unsent) == (1, 0)


class Trickle(Clock):
    """A time that passes only as it is looked at; with each look one more increment is there."""

    def __init__(self, increments):
        super().__init__()
        self.seqs = iter(range(increments))
        self.outbox: Any = None

    def __call__(self):
        self.now_s += LINGER_S / 4
        if self.outbox:
            seq = next(self.seqs, None)
            if seq is None:
                self.outbox.finish()
                self.outbox = None
            else:
                self.outbox._inbox.put(Put("a", part(seq)))
                self.outbox._bell.ring()
        return self.now_s


def test_an_increment_lingers_for_its_time_whatever_comes_after_it():
    sqs, clock = FakeSqs(), Trickle(increments=20)
    one = clock.outbox = outbox(sqs, clock, launch=no_thread, linger_s=LINGER_S)
    clock()
    one._work()
    assert [body.count("source") for body in sqs.bodies] == [5, 6, 6, 3]


def long_part(number):
    """An increment that has a request for itself."""
    return to_json(Increment("a", id=f"{number:0600000}", at=NOW_MS))


def test_what_stood_in_vain_in_one_wait_is_none_of_the_next():
    vain = [failing(0, "RequestThrottled")] * PATIENT_TRIES
    sqs = FakeSqs(*vain * MAX_VAIN_REQUESTS)
    one = outbox(sqs, launch=no_thread)
    for number in range(MAX_VAIN_REQUESTS):
        one.put("a", long_part(number))
        if number + 1 == MAX_VAIN_REQUESTS:
            one.put("a", long_part(-1))
        one.settle()
    assert (one.stats().unsent, one.stats().confirmed) == (MAX_VAIN_REQUESTS, 1)
    one.close()


def test_what_stood_in_vain_is_remembered_while_another_waits():
    sqs = FakeSqs(*[failing(0, "RequestThrottled")] * PATIENT_TRIES)
    one = outbox(sqs, launch=no_thread, fifo=True)
    markers = []
    for seq in range(2):
        one._inbox.put(Put("a", part(seq)))
        markers.append(one._inbox.mark(Marker()))
    one._work(lambda: markers[1].is_settled)
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert raised.value.reasons == ("RequestThrottled", NOT_TRIED)
    assert [each.seq for each in raised.value.increments] == [0, 1]
    one.close()


class Eager(Marker):
    """Of somebody who, as soon as they know, does something else."""

    def __init__(self, then):
        super().__init__()
        self.then = then

    @property
    def is_settled(self):
        return False

    @is_settled.setter
    def is_settled(self, is_so):
        if is_so:
            self.then()


@pytest.mark.parametrize(
    "vain",
    [[failing(0, "RequestThrottled")] * PATIENT_TRIES, [lost_before(DENIED)]],
    ids=["throttled", "refused"],
)
def test_who_waits_again_as_soon_as_they_know_has_what_is_new_tried(vain):
    sqs = FakeSqs(*vain)
    one = outbox(sqs, launch=no_thread, fifo=True)
    again = []

    def publish_again():
        one._inbox.put(Put("a", part(1)))
        again.append(one._inbox.mark(Marker()))

    one._inbox.put(Put("a", part()))
    one._inbox.mark(Eager(publish_again))
    one._work(lambda: bool(again) and again[0].is_settled)
    assert [event.seq for event in sqs.events] == [1]
    with pytest.raises(UnsentError) as raised:
        one.raise_unsent()
    assert [each.seq for each in raised.value.increments] == [0]
    one.close()


def test_what_was_on_its_way_when_an_end_was_interrupted_is_what_is_sent_next():
    inbox = Inbox()
    holding = Holding(inbox, fifo=False)
    inbox.put(Put("a", part(1)))
    holding.pack()
    holding.hurry()
    holding.in_flight = [Interrupted(lambda: None)]
    assert holding.take() == holding.in_flight
    holding.arrived([])
    assert [len(message.parts) for message in holding.take()] == [1]


class Launches(list[Any]):
    """The threads that were asked for; none of them ever begins."""

    def __call__(self, _start, arguments):
        self.append(arguments)


def test_a_thread_that_does_not_begin_is_started_once_more_and_not_at_once():
    launched, clock = Launches(), Clock()
    one = outbox(FakeSqs(), clock, launch=launched)
    told = []
    for seq, passed_s in enumerate((0.0, RELAUNCH_S / 2, RELAUNCH_S / 2, 0.0)):
        clock.now_s += passed_s
        put(one, seq)
        told.append(len(launched))
    assert told == [1, 1, 2, 2]


def test_who_stops_sending_leaves_a_thread_to_what_is_there():
    launched = Launches()
    one = outbox(FakeSqs(), launch=launched)
    one._work(lambda: True)
    assert len(launched) == 0
    one._inbox.put(Put("a", part()))
    one._work(lambda: True)
    assert len(launched) == 1


def test_a_bell_that_nobody_hears_keeps_one_ring():
    bell = Bell()
    for _ in range(3):
        bell.ring()
    began_at_s = time.monotonic()
    bell.wait(2 * SOON_S)
    assert time.monotonic() - began_at_s < SOON_S
    assert bell._rings.empty()


def test_what_an_unknown_error_meets_is_given_up_whole_and_counted_once():
    steps = [failing(1, "RequestThrottled"), lost_before(ZeroDivisionError())]
    one = outbox(FakeSqs(*steps), launch=no_thread, fifo=True)
    one.put("a", part())
    one.put("b", part(1))
    with pytest.raises(ZeroDivisionError):
        one.settle()
    stats = one.stats()
    assert (stats.published, stats.confirmed, stats.unsent) == (2, 0, 2)


def test_a_flush_after_the_end_leaves_nothing_behind():
    one = outbox(FakeSqs())
    put(one)
    one.close()
    assert one.settle()
    one.raise_unsent()
    assert not one.has_unsent
