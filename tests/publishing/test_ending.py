"""The end of a program, or of a publisher that nobody closed: what is left is sent, or told of."""

import threading
from _thread import start_new_thread
from typing import Any

import pytest

from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.holding import ABANDONED
from tally.publishing.process import EXIT_FLUSH_S, UNCLOSED, Ending, PerProcess
from tests.publishing.boxes import DENIED, NeverStarts, no_thread, outbox, put
from tests.support.clock import Clock
from tests.support.processes import wait_until
from tests.support.sqs import (
    FakeSqs,
    lost_before,
    publisher,
    stored,
)


class Exit:
    """The end of a process, as told."""

    def __init__(self):
        self.clock = Clock()
        self.pids = [7]
        self.hooks: list[Any] = []
        self.ending = Ending(
            clock=self.clock.pacer.clock,
            getpid=lambda: self.pids[-1],
            register=self.hooks.append,
            modules={},
        )

    def outbox(self, sqs):
        one = outbox(sqs, self.clock)
        self.ending.add(one)
        return one

    def come(self):
        for hook in self.hooks:
            hook()


def test_at_the_end_of_a_program_what_is_left_is_sent_with_a_warning(caplog):
    end, sqs = Exit(), FakeSqs()
    one = end.outbox(sqs)
    put(one)
    with pytest.warns(ResourceWarning, match=UNCLOSED.partition("`")[0]):
        end.come()
    assert len(sqs.events) == 1
    end.come()  # multiprocessing and atexit both have the hook
    put(one, 1)  # in a hook that comes later
    assert len(sqs.events) == 2
    assert not caplog.records


def test_a_worker_of_multiprocessing_has_a_hook_of_its_own():
    hooks: list[Any] = []

    class Util:
        @staticmethod
        def Finalize(held, hook, *, exitpriority):  # noqa: N802 (multiprocessing's name)
            hooks.append((held, hook, exitpriority))

    ending = Ending(register=lambda _: None, modules={"multiprocessing.util": Util})
    assert hooks == [(None, ending.run, 0)]


def test_what_is_flushed_before_the_end_is_not_warned_of(recwarn, caplog):
    end = Exit()
    one = end.outbox(FakeSqs())
    put(one)
    one.settle()
    end.come()
    assert (recwarn.list, caplog.records) == ([], [])


def test_what_was_given_up_and_nobody_was_told_of_is_said_at_the_end(recwarn, caplog):
    end = Exit()
    one = end.outbox(FakeSqs(lost_before(DENIED)))
    put(one)
    put(one, 1)
    one.settle()
    end.come()
    [record] = caplog.records
    assert record.getMessage().startswith("the program ended before SQS had confirmed 2 of")
    assert recwarn.list == []


def test_what_an_exception_left_between_two_places_is_still_open():
    one = outbox(FakeSqs())
    put(one)
    one._inbox.move_to(one._holding._left)
    assert (one.stats().published, one.has_open) == (1, True)
    one.abandon()
    assert (one.stats().published, one.stats().unsent) == (1, 1)


def test_a_forked_child_leaves_to_its_parent_what_is_its_parents():
    end, sqs = Exit(), FakeSqs()
    one = end.outbox(sqs)
    put(one)
    end.pids.append(8)
    end.come()
    assert one.has_open
    one.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_at_the_end_it_waits_for_its_time_and_says_how_many_are_not_confirmed(caplog):
    may_arrive = threading.Event()
    end = Exit()

    def slow(sqs, entries):
        end.clock.now_s += EXIT_FLUSH_S
        assert may_arrive.wait(10)
        return stored(sqs, entries)

    one = end.outbox(FakeSqs(slow))
    put(one)
    end.come()
    [record] = caplog.records
    assert record.getMessage().startswith("the program ended before SQS had confirmed 1 of")
    with pytest.raises(PublisherClosedError):
        one.admit()
    late = end.outbox(FakeSqs())
    with pytest.raises(PublisherClosedError):
        late.admit()
    may_arrive.set()
    one.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_published_in_a_later_hook_and_not_sent_in_time_is_raised():
    may_arrive = threading.Event()
    end = Exit()

    def slow(sqs, entries):
        end.clock.now_s += EXIT_FLUSH_S
        assert may_arrive.wait(10)
        return stored(sqs, entries)

    end.come()
    one = end.outbox(FakeSqs(slow))
    with pytest.raises(UnsentError) as raised:
        put(one)
    assert raised.value.reasons == (ABANDONED,)
    may_arrive.set()


class Member:
    """Somebody who has nothing open at the end."""

    has_open = False

    def __init__(self):
        self.told_s = []

    def exit(self, left_s):
        self.told_s.append(left_s())
        return 0


def test_the_end_comes_once():
    end, member = Exit(), Member()
    end.ending.add(member)
    end.come()
    end.clock.now_s += EXIT_FLUSH_S / 2
    end.come()
    assert member.told_s == [EXIT_FLUSH_S]


def test_of_two_threads_that_come_at_once_both_get_the_same():
    others: list[Any] = []

    def make():
        if not others:
            others.append(None)
            others.append(state.get())
        return object()

    state = PerProcess(make)
    assert state.get() is others[1] is state.get()


def test_a_process_that_made_nothing_has_nothing():
    state = PerProcess(object)
    assert state.made() is None
    assert state.get() is state.made()


def test_a_collected_publisher_warns_and_its_thread_sends():
    sqs = FakeSqs()
    one = publisher(sqs)
    one.publish("a")
    with pytest.warns(ResourceWarning, match="a Publisher was not closed"):
        del one
    assert wait_until(lambda: len(sqs.events) == 1)


def test_a_collected_publisher_that_was_flushed_is_not_warned_of(recwarn):
    sqs = FakeSqs()
    one = publisher(sqs)
    one.publish("a")
    one.flush()
    del one
    assert recwarn.list == []


class Room:
    """Starts threads once there is room; each refusal is one way in which there is none."""

    def __init__(self, *refusals):
        self._refusals = list(refusals)

    def __call__(self, start, arguments):
        launch = self._refusals.pop(0) if self._refusals else start_new_thread
        launch(start, arguments)


def no_second_thread(start, _arguments):
    """As where there was room for the thread that starts another, and not for that."""
    start(NeverStarts())


def test_a_publisher_collected_where_no_thread_could_be_started_is_sent_once_one_can():
    sqs = FakeSqs()
    one = outbox(sqs, launch=Room(no_thread))
    put(one)
    one.forget()
    assert wait_until(lambda: len(sqs.events) == 1)


@pytest.mark.parametrize("refusal", [no_thread, no_second_thread])
def test_what_was_collected_where_no_thread_can_be_started_is_logged(caplog, refusal):
    one = outbox(FakeSqs(), launch=Room(no_thread, refusal))
    put(one)
    one.forget()
    said = "SQS has not confirmed 1 of the increments of a Publisher that was not closed"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_a_publisher_collected_with_nothing_in_it_starts_no_thread():
    outbox(FakeSqs(), launch=no_second_thread).forget()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_a_collected_publisher_could_not_send_is_logged(caplog):
    one = publisher(FakeSqs(lost_before(DENIED)))
    one.publish("a")
    one.publish("a")
    left = one._outboxes.get()
    del one
    assert wait_until(lambda: caplog.records)
    assert left.exit(lambda: 1.0) == 0  # not told again at the end of the program
    said = "SQS has not confirmed 2 of the increments of a Publisher that was not closed"
    assert [record.getMessage() for record in caplog.records] == [said]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_error_at_the_end_of_one_takes_nothing_from_the_others(caplog):
    end, sqs = Exit(), FakeSqs()
    broken = outbox(FakeSqs(lost_before(ZeroDivisionError())), end.clock, launch=no_thread)
    others = [end.outbox(sqs) for _ in range(2)]
    end.ending.add(broken)
    for each in (broken, *others):
        put(each)
    with pytest.raises(ZeroDivisionError):
        end.come()
    assert len(sqs.events) == 2
    assert not caplog.records
