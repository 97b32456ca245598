"""Copies beside the rounds of a batch: when they are set, how long they are waited for."""

import contextlib
import time

import pytest

from tally.stores.mirroring import (
    MAX_AGE_S,
    MAX_AT_ONCE,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    Mirroring,
)
from tests.support.clock import Clock
from tests.support.mirrors import AWAY, FakeMirror
from tests.support.processes import wait_until

LONG_S, SHORT_S = 60.0, 0.02


@pytest.fixture
def mirror():
    mirror = FakeMirror()
    yield mirror
    mirror.may_answer.set()


@pytest.fixture
def wall_clock():
    return Clock()


@pytest.fixture
def mirroring(mirror, wall_clock):
    with contextlib.closing(Mirroring(mirror, wall_clock=wall_clock, wait_s=LONG_S)) as made:
        yield made


def begin(mirroring, *counters, put_at=1_000.0):
    for counter in counters:
        mirroring.begin(counter, b"1", put_at)


def test_what_was_stored_is_set_and_waited_for(mirroring, mirror):
    begin(mirroring, "a", "b")
    assert mirroring.finish(LONG_S) == 0
    assert [value for call in mirror.calls for value in call] == [("a", b"1"), ("b", b"1")]
    assert mirror.cancelled == []


def test_a_batch_that_stored_nothing_waits_for_nothing(mirroring, mirror):
    assert mirroring.finish(LONG_S) == 0
    assert (mirror.calls, mirror.cancelled) == ([], [])


def test_rounds_go_on_while_copies_are_on_their_way(mirroring, mirror):
    mirror.may_answer.clear()
    begin(mirroring, "a")
    assert mirror.asked.wait(LONG_S)
    begin(mirroring, "b", "c")  # which would never return if it waited
    mirror.may_answer.set()
    assert mirroring.finish(LONG_S) == 0
    assert mirror.calls == [[("a", b"1")], [("b", b"1"), ("c", b"1")]]


def test_what_the_cache_does_not_take_is_counted(mirroring, mirror):
    mirror.failure = AWAY
    begin(mirroring, "a", "b")
    assert mirroring.finish(LONG_S) == 2
    mirror.failure = None
    begin(mirroring, "a")
    assert mirroring.finish(LONG_S) == 0


@pytest.mark.parametrize(("wait_s", "most_s"), [(SHORT_S, LONG_S), (LONG_S, SHORT_S), (LONG_S, -1)])
def test_the_wait_is_short_and_what_is_unanswered_then_is_taken_back(
    mirror, wall_clock, wait_s, most_s
):
    mirror.may_answer.clear()
    mirroring = Mirroring(mirror, wall_clock=wall_clock, wait_s=wait_s)
    begin(mirroring, "a")
    assert mirror.asked.wait(LONG_S)
    begin(mirroring, "b")
    began_at = time.monotonic()
    assert mirroring.finish(most_s) == 2
    assert time.monotonic() - began_at < LONG_S / 2
    assert mirror.cancelled == [True]
    mirror.may_answer.set()
    mirroring.close()
    assert mirror.calls == [[("a", b"1")]]  # and never the one that had not begun


def test_after_a_batch_in_which_none_was_answered_the_next_waits_for_none(mirroring, mirror):
    mirror.may_answer.clear()
    for most_s in (SHORT_S, LONG_S):  # the second would take that long
        begin(mirroring, "a")
        began_at = time.monotonic()
        assert mirroring.finish(most_s) == 1
        assert time.monotonic() - began_at < LONG_S / 2
    mirror.may_answer.set()
    begin(mirroring, "a")
    assert mirroring.finish(LONG_S) == 0  # and the one after that waits again


def test_of_a_cache_that_is_only_slow_the_connections_are_kept(mirroring, mirror):
    begin(mirroring, "a")
    assert wait_until(lambda: mirroring._answered == 1)
    mirror.may_answer.clear()
    begin(mirroring, "b")
    assert mirroring.finish(SHORT_S) == 1
    assert mirror.cancelled == [False]


def test_where_one_was_answered_the_next_batch_waits(mirroring, mirror):
    begin(mirroring, "a")
    assert mirroring.finish(LONG_S) == 0
    mirror.asked.clear()
    mirror.may_answer.clear()
    begin(mirroring, "a", "b")
    assert mirror.asked.wait(LONG_S)
    mirror.may_answer.set()
    assert mirroring.finish(LONG_S) == 0


def test_an_answer_that_comes_after_its_batch_counts_for_no_other(mirroring, mirror):
    mirror.may_answer.clear()
    begin(mirroring, "a")
    assert mirror.asked.wait(LONG_S)
    assert mirroring.finish(0) == 1
    begin(mirroring, "b")
    mirror.may_answer.set()
    assert mirroring.finish(0) in {0, 1}  # it waits for none
    begin(mirroring, "c")
    assert mirroring.finish(LONG_S) == 0


@pytest.mark.parametrize(
    ("age_s", "failed"), [(MAX_AGE_S, 0), (MAX_AGE_S + 0.1, 1), (-MAX_AGE_S - 0.1, 1)]
)
def test_none_begins_later_than_two_seconds_after_its_put(
    mirroring, mirror, wall_clock, age_s, failed
):
    begin(mirroring, "a", put_at=wall_clock() - age_s)
    began_at = time.monotonic()
    assert mirroring.finish(LONG_S) == failed
    assert time.monotonic() - began_at < LONG_S / 2
    assert len(mirror.calls) == 1 - failed
    assert mirror.cancelled == []


def test_what_a_client_raises_ends_the_copies_of_its_batch_and_of_no_other(mirroring, mirror):
    answers, mirror.set = mirror.set, lambda _values, _deadline_s: 1 // 0
    begin(mirroring, "a")
    assert mirroring.finish(SHORT_S) == 1
    assert wait_until(lambda: not mirroring._is_running)
    mirror.set = answers
    begin(mirroring, "b")
    assert mirroring.finish(LONG_S) in {0, 1}  # it need not wait after one without an answer
    begin(mirroring, "c")
    assert mirroring.finish(LONG_S) == 0
    assert ("c", b"1") in mirror.calls[-1]


def test_more_than_a_cache_can_take_is_dropped(mirroring, mirror):
    mirror.may_answer.clear()
    begin(mirroring, "first")
    assert mirror.asked.wait(LONG_S)
    begin(mirroring, *(f"c{number}" for number in range(MAX_WAITING + 3)))
    mirror.may_answer.set()
    assert mirroring.finish(LONG_S) == 3
    assert [len(call) for call in mirror.calls[1:]] == [MAX_AT_ONCE] * (MAX_WAITING // MAX_AT_ONCE)


def test_long_values_do_not_pile_up_in_memory(mirroring, mirror):
    mirror.may_answer.clear()
    begin(mirroring, "first")
    assert mirror.asked.wait(LONG_S)
    most = b"1" * 65_536
    for number in range(MAX_WAITING_BYTES // len(most) + 1):
        mirroring.begin(f"c{number}", most, 1_000.0)
    mirror.may_answer.set()
    assert mirroring.finish(LONG_S) == 1
    mirroring.begin("c", most, 1_000.0)
    assert mirroring.finish(LONG_S) == 0


def test_what_is_taken_back_takes_no_room_of_what_comes_later(mirroring, mirror):
    mirror.may_answer.clear()
    begin(mirroring, "first")
    assert mirror.asked.wait(LONG_S)
    most = b"1" * MAX_WAITING_BYTES
    mirroring.begin("taken back", most, 1_000.0)
    assert mirroring.finish(0) == 2
    mirroring.begin("later", most, 1_000.0)
    mirror.may_answer.set()
    assert wait_until(lambda: mirror.calls[1:] == [[("later", most)]])


def test_a_mirroring_that_set_nothing_is_closed_as_well(mirror, wall_clock):
    Mirroring(mirror, wall_clock=wall_clock).close()
    assert mirror.calls == []
