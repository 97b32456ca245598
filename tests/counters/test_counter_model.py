"""fold() against the design in its plainest form, and what must hold of every history."""

from typing import Any

from hypothesis import given, settings

from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tests.counters.reference import NEW, dump, load, reference_fold
from tests.support.batches import ANY_LIMITS, BATCHES, HOSTILE, STARTS, deliveries

SETTLED_BEFORE = {
    Decision.APPLIED: {Decision.APPLIED_BEFORE, Decision.DECIDED_BEFORE},
    Decision.REJECTED: {Decision.REJECTED_BEFORE, Decision.DECIDED_BEFORE},
}


def history(start, batches, limits):
    """Each step of a counter's life: the events, the decisions and the value after them."""
    value = start
    for batch in batches:
        folded = fold(value, batch, limits)
        value = folded.value or value
        yield batch, folded.decisions, value


def new_decisions(start, batches, limits):
    """The events decided anew, each with its decision, in their order."""
    return [
        (event, decision)
        for batch, decisions, _ in history(start, batches, limits)
        for event, decision in zip(batch, decisions, strict=True)
        if decision in NEW
    ]


@settings(max_examples=150)
@given(STARTS, BATCHES, ANY_LIMITS)
def test_fold_does_what_the_design_says_byte_for_byte(start, batches, limits):
    value = start
    for batch in batches:
        folded = fold(value, batch, limits)
        assert folded == reference_fold(value, batch, limits)
        value = folded.value or value


@settings(max_examples=100)
@given(STARTS, deliveries(), ANY_LIMITS)
def test_fold_does_what_the_design_says_when_all_comes_again(start, batches, limits):
    value = start
    for batch in batches:
        folded = fold(value, batch, limits)
        assert folded == reference_fold(value, batch, limits)
        value = folded.value or value


@given(STARTS, deliveries(), ANY_LIMITS)
def test_an_event_is_decided_once_and_is_never_told_otherwise(start, batches, limits):
    outcome = {}
    for batch, decisions, _ in history(start, batches, limits):
        for event, decision in zip(batch, decisions, strict=True):
            if decision in NEW:
                assert event.identity not in outcome
                outcome[event.identity] = decision
            elif decision.is_settled:
                assert decision in SETTLED_BEFORE[outcome[event.identity]]
            elif decision is Decision.FULL:
                assert event.identity not in outcome


@given(STARTS, deliveries(), ANY_LIMITS)
def test_the_count_is_the_last_reset_and_the_sum_of_what_was_applied_after_it(
    start, batches, limits
):
    decided = new_decisions(start, batches, limits)
    applied = [event for event, decision in decided if decision is Decision.APPLIED]
    resets = [place for place, event in enumerate(applied) if event.reset is not None]
    begun_with, after = read_count(start or b"0"), applied
    if resets:
        begun_with, after = applied[resets[-1]].reset, applied[resets[-1] + 1 :]
    [*_, (_, _, value)] = history(start, batches, limits)
    assert read_count(value or b"0") == begun_with + sum(event.amount for event in after)


@given(STARTS, deliveries(), ANY_LIMITS)
def test_no_apply_crosses_a_bound_and_no_rejection_would_have_kept_it(start, batches, limits):
    count = read_count(start or b"0")
    for event, decision in new_decisions(start, batches, limits):
        after = count + event.amount
        crosses = after > event.high if event.amount > 0 else event.amount and after < event.low
        if event.reset is not None:
            after, crosses = event.reset, False
        assert decision is (Decision.REJECTED if crosses else Decision.APPLIED)
        count = count if crosses else after


@given(STARTS, deliveries(), ANY_LIMITS)
def test_the_floor_never_falls_and_no_value_comes_back(start, batches, limits):
    seen, floor = {start}, 0
    for _, decisions, value in history(start, batches, limits):
        assert (value not in seen) is any(decision in NEW for decision in decisions)
        seen.add(value)
        state = load(value)
        assert state.floor >= floor
        floor = state.floor


@given(STARTS, deliveries(), ANY_LIMITS)
def test_what_a_dropped_source_decided_is_at_or_below_the_floor(start, batches, limits):
    decided: dict[str, Any] = {}
    for batch, decisions, value in history(start, batches, limits):
        new = zip(batch, decisions, strict=True)
        decided |= {event.identity: event for event, decision in new if decision in NEW}
        state = load(value)
        for event in decided.values():
            source = state.sources.get(event.source)
            in_ledger = source is not None and event.seq in source.decided
            assert in_ledger or event.at <= state.floor * 1_000


@given(STARTS, deliveries(), ANY_LIMITS)
def test_a_value_is_written_as_it_is_read(start, batches, limits):
    for _, _, value in history(start, batches, limits):
        if value != start:
            assert dump(load(value)) == value
            assert read_count(value) == load(value).count


@given(STARTS, deliveries())
def test_a_value_stays_within_its_limit(start, batches):
    for _, decisions, value in history(start, batches, HOSTILE):
        if any(decision in NEW for decision in decisions) and load(value).sources:
            assert len(value) <= HOSTILE.max_bytes


def test_the_batches_drawn_here_meet_every_decision():
    met: set[Decision] = set()

    @settings(max_examples=200)
    @given(STARTS, BATCHES | deliveries(), ANY_LIMITS)
    def draw(start, batches, limits):
        met.update(*(decisions for _, decisions, _ in history(start, batches, limits)))

    draw()
    assert met == set(Decision)
