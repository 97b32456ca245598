"""Waiting for an outcome: when it looks, how long it pauses, and what it says in the end."""

import pytest

from tally.counters.outcome import Outcome
from tally.reading.errors import ReadError
from tally.reading.waiting import (
    MAX_POLL_S,
    MAX_WAIT_S,
    MIN_CALL_S,
    POLL_S,
    QUIET_WAIT_S,
    WAIT_S,
    Pace,
    wait,
)
from tally.stores.port import Trouble
from tests.support.clock import START_S, Clock
from tests.support.consumers import Draws

LOST = ReadError("UNAVAILABLE", Trouble.UNKNOWN_OUTCOME)
THROTTLED = ReadError("RESOURCE_EXHAUSTED", Trouble.THROTTLED)
REFUSED = ReadError("INVALID_ARGUMENT", Trouble.REFUSED)
NO_COUNTER = ReadError("c: the count cannot be read")


class Looks:
    """What each look sees, the last one from then on; each takes no time."""

    def __init__(self, *seen):
        self._seen = list(seen)
        self.allowed_s = []

    def __call__(self, allowed_s):
        self.allowed_s.append(allowed_s)
        seen = self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]
        if isinstance(seen, ReadError):
            raise seen
        return seen


@pytest.fixture
def clock():
    return Clock()


def waited(clock, looks, timeout_s, poll_s=1.0, draws=None):
    return wait(looks, Pace(clock, clock.sleep, draws or Draws()), timeout_s, poll_s)


@pytest.mark.parametrize("final", [Outcome.APPLIED, Outcome.REJECTED, Outcome.FORGOTTEN])
def test_a_final_outcome_ends_the_wait(clock, final):
    looks = Looks(Outcome.PENDING, Outcome.PENDING, final)
    assert waited(clock, looks, 10) is final
    assert clock.slept_s == [1.0, 2.0]
    assert looks.allowed_s == [10, 9.0, 7.0]


def test_what_is_pending_when_the_time_is_up_is_pending(clock):
    looks, draws = Looks(Outcome.PENDING), Draws()
    assert waited(clock, looks, 6.5, 1.0, draws) is Outcome.PENDING
    assert clock.slept_s == [1.0, 2.0, MAX_POLL_S, 1.5]
    assert draws.spans == [(0.5, 1.0), (1.0, 2.0), (1.0, 2.0), (1.0, 2.0)]
    assert looks.allowed_s == [6.5, 5.5, 3.5, 1.5, MIN_CALL_S]
    assert clock() == START_S + 6.5


def test_the_usual_wait_outlasts_a_lambda_that_waits_for_more_traffic(clock):
    decided_at_s = clock() + QUIET_WAIT_S + 3.0  # and a batch's time

    def look(_allowed_s):
        return Outcome.APPLIED if clock() >= decided_at_s else Outcome.PENDING

    assert waited(clock, look, WAIT_S, POLL_S) is Outcome.APPLIED
    assert decided_at_s <= clock() <= decided_at_s + MAX_POLL_S


def test_a_wait_without_time_looks_once(clock):
    looks = Looks(Outcome.PENDING)
    assert waited(clock, looks, 0) is Outcome.PENDING
    assert (looks.allowed_s, clock.slept_s) == ([MIN_CALL_S], [])


def test_a_failure_that_passes_is_tried_again(clock):
    looks = Looks(LOST, THROTTLED, LOST, Outcome.APPLIED)
    assert waited(clock, looks, 10) is Outcome.APPLIED


def test_a_failure_after_a_good_look_does_not_unsay_it(clock):
    assert waited(clock, Looks(LOST, Outcome.PENDING, THROTTLED), 3) is Outcome.PENDING


def test_a_wait_in_which_no_look_succeeded_says_why_the_last_did_not(clock):
    with pytest.raises(ReadError) as raised:
        waited(clock, Looks(LOST, THROTTLED), 3)
    assert raised.value is THROTTLED
    assert clock() == START_S + 3


@pytest.mark.parametrize("error", [REFUSED, NO_COUNTER])
def test_a_failure_that_stays_ends_the_wait(clock, error):
    with pytest.raises(ReadError) as raised:
        waited(clock, Looks(Outcome.PENDING, error), 3)
    assert raised.value is error
    assert clock() == START_S + 1


@pytest.mark.parametrize(
    ("timeout_s", "poll_s", "complaint"),
    [
        (-1, 1, "timeout_s must be 0 to 900, found -1"),
        (MAX_WAIT_S + 1, 1, "timeout_s must be 0 to 900, found 901.0"),
        (float("nan"), 1, "timeout_s must be 0 to 900, found nan"),
        (1, 0, "poll_s must be 0.001 to 2, found 0"),
        (1, 2.5, "poll_s must be 0.001 to 2, found 2.5"),
    ],
)
def test_a_wait_that_cannot_be_is_refused(clock, timeout_s, poll_s, complaint):
    looks = Looks(Outcome.APPLIED)
    with pytest.raises(ValueError, match=complaint):
        waited(clock, looks, timeout_s, poll_s)
    assert looks.allowed_s == []
