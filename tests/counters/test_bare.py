"""Counters without a ledger: what may be summed, and what a batch makes of a bare integer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.bare import Sum, fold_bare, summed
from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.errors import UnreadableValueError
from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Limits
from tests.support.batches import BATCHES, STARTS
from tests.support.consumers import events

APPLIED, BEFORE, REJECTED = Decision.APPLIED, Decision.APPLIED_BEFORE, Decision.REJECTED


def amounts(*all_amounts, **fields):
    """Events with these amounts."""
    return [
        event
        for seq, amount in enumerate(all_amounts)
        for event in events(seq, amount=amount, **fields)
    ]


@pytest.mark.parametrize(
    ("group", "amount"),
    [
        (amounts(1, 2, -5), -2),
        (amounts(0, low=0, high=0), 0),
        (amounts(1, 2, low=0), 3),
        (amounts(-1, -2, high=0), -3),
        (amounts(INT64_MAX, INT64_MIN), -1),
        (amounts(INT64_MAX - 1, 1), INT64_MAX),
        (amounts(INT64_MIN + 1, -1), INT64_MIN),
    ],
    ids=["no bounds", "nothing", "only min", "only max", "both ends", "the most", "the least"],
)
def test_events_that_no_bound_can_reject_are_a_sum(group, amount):
    assert summed(group) == Sum(amount, [APPLIED] * len(group))


@pytest.mark.parametrize(
    "group",
    [
        [*amounts(1, 1), *events(9, high=INT64_MAX - 1)],
        [*amounts(1, 1), *events(9, amount=-1, low=INT64_MIN + 1)],
        [*amounts(1, 1), *events(9, reset=0)],
        amounts(INT64_MAX, 1, -1),
        amounts(INT64_MIN, -1, 1),
    ],
    ids=["max", "min", "reset", "too much", "too little"],
)
def test_events_that_may_be_rejected_or_depend_on_their_order_are_no_sum(group):
    assert summed(group) is None


def test_the_same_event_twice_is_summed_once():
    group = events(0, 1, 0, amount=5) + events(0, source=2) + events(1, amount=5)
    assert summed(group) == Sum(11, [APPLIED, APPLIED, BEFORE, APPLIED, BEFORE])


def test_events_are_decided_in_their_order_on_the_integer():
    group = [*events(0, 1, 0, high=41), *events(2, reset=7), *events(3, amount=-8, low=0)]
    assert fold_bare(b"40", group) == (b"7", [APPLIED, REJECTED, BEFORE, APPLIED, REJECTED])
    assert fold_bare(None, events(0, amount=-1, low=0)) == (b"0", [REJECTED])


def test_a_source_may_have_as_many_gaps_as_it_likes_where_nothing_is_remembered():
    group = events(*range(0, 200_000, 2), high=INT64_MAX)
    assert fold_bare(None, group) == (b"100000", [APPLIED] * 100_000)


@pytest.mark.parametrize("value", [b"", b"words", b"007", b"+1", b" 1", b"9" * 19])
def test_what_is_no_integer_is_not_decided_on(value):
    with pytest.raises(UnreadableValueError, match=r"^the count cannot be read: "):
        fold_bare(value, events(0))


def test_a_value_with_a_ledger_says_why_it_is_not_decided_on():
    ledger = fold(None, events(0), Limits()).value
    with pytest.raises(
        UnreadableValueError, match=r"^it has a ledger: it was counted exactly once"
    ):
        fold_bare(ledger, events(1))


@given(STARTS, BATCHES)
def test_a_first_batch_is_decided_as_exactly_once_does(start, batches):
    group = batches[0]
    told = fold(start, group, Limits(max_runs=10**6))
    after, decisions = fold_bare(start, group)
    assert decisions == told.decisions
    assert int(after) == (read_count(told.value) if told.value else int(start or b"0"))


@given(st.sampled_from([None, b"0", b"42", b"-7"]), BATCHES)
def test_a_sum_is_what_its_events_come_to_one_after_another(start, batches):
    group = [
        Event("c", event.source, event.seq, event.at, event.amount)
        for event in batches[0]
        if abs(event.amount) < INT64_MAX
    ]
    after, decisions = fold_bare(start, group)
    assert summed(group) == Sum(int(after) - int(start or b"0"), decisions)
