"""What a value tells of an event: nothing but what its ledger knows."""

import pytest
from hypothesis import given

from tally.counters.counter import fold
from tally.counters.decision import Decision
from tally.counters.errors import UnreadableValueError
from tally.counters.event import INT64_MAX, Event, EventName
from tally.counters.ledger import Limits
from tally.counters.outcome import Outcome, outcome
from tests.counters.reference import NEW
from tests.support.batches import ANY_LIMITS, STARTS, deliveries

AT = 1_790_000_000_000
LIMITS = Limits()
TOLD = {Decision.APPLIED: Outcome.APPLIED, Decision.REJECTED: Outcome.REJECTED}


def event(seq, at=AT, **fields):
    return Event("c", 255, seq, at, **fields)


def told(value, seq, at=AT):
    return outcome(value, 255, seq, at)


def test_what_is_decided_is_told_as_it_was_decided():
    batch = [event(0), event(1, amount=5, high=4), event(2, reset=7)]
    value = fold(b"0", batch, LIMITS).value
    assert [told(value, seq) for seq in range(4)] == [
        Outcome.APPLIED,
        Outcome.REJECTED,
        Outcome.APPLIED,
        Outcome.PENDING,
    ]


def test_an_event_is_asked_for_by_its_name():
    asked = event(3)
    value = fold(None, [asked], LIMITS).value
    assert outcome(value, *EventName.parse(asked.identity)) is Outcome.APPLIED


@pytest.mark.parametrize("value", [None, b"0", b"42"])
def test_a_counter_that_knows_nothing_answers_pending(value):
    assert told(value, 0, at=1) is Outcome.PENDING
    assert told(value, INT64_MAX, at=INT64_MAX) is Outcome.PENDING


def test_how_a_rejection_was_decided_may_be_forgotten():
    refused = [event(seq, high=0) for seq in (0, 2, 4, 6)]
    value = fold(None, refused, Limits(max_rejected=4)).value
    assert [told(value, seq) for seq in (0, 2, 4, 6)] == [
        Outcome.FORGOTTEN,
        Outcome.FORGOTTEN,
        Outcome.REJECTED,
        Outcome.REJECTED,
    ]


def test_at_the_floor_an_event_is_forgotten_and_a_millisecond_later_it_is_pending():
    value = fold(None, [event(0, at=9_000)], Limits(free_bytes=1, max_bytes=1)).value
    assert told(value, 0, at=9_000) is Outcome.FORGOTTEN
    assert told(value, 1, at=9_000) is Outcome.FORGOTTEN
    assert told(value, 1, at=9_001) is Outcome.PENDING


def test_below_the_floor_a_decision_that_is_known_is_told():
    value = fold(None, [event(0, at=9_000), event(1, at=5_000)], LIMITS).value
    others = [Event("c", 7, 0, 8_000)]
    forgetful = Limits(horizon_s=0, free_bytes=29, max_bytes=60)
    value = fold(value, others, forgetful).value
    assert told(value, 1, at=5_000) is Outcome.APPLIED
    assert outcome(value, 7, 0, 8_000) is Outcome.FORGOTTEN


@pytest.mark.parametrize("value", [b"", b"x", b"1\n", b"1\nx"])
def test_of_what_is_no_counter_nothing_is_told(value):
    with pytest.raises(UnreadableValueError):
        told(value, 0)


@given(STARTS, deliveries(), ANY_LIMITS)
def test_an_outcome_is_the_decision_or_is_forgotten(start, batches, limits):
    value, decided = start, {}
    for batch in batches:
        folded = fold(value, batch, limits)
        value = folded.value or value
        for each, decision in zip(batch, folded.decisions, strict=True):
            if decision in NEW:
                decided[each] = TOLD[decision]
    for each in {each for batch in batches for each in batch}:
        said = outcome(value, each.source, each.seq, each.at)
        if each in decided:
            assert said in {decided[each], Outcome.FORGOTTEN}
        else:
            assert said in {Outcome.PENDING, Outcome.FORGOTTEN}
