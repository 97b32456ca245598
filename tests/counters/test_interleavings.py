"""Small scope, all of it: every batch of a few events, every interleaving of two and three writers.

A writer reads the value, folds its batch, and swaps: stored if the value is still the one that it
read, otherwise it begins again. Its first read may be stale: any value that ever stood there. Its
batch may be another writer's: that is SQS's redelivery.
"""

from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import pytest

from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tests.counters.reference import NEW, reference_fold
from tests.support.batches import GAPPY, HOSTILE

FIRST = Event("c", 1, 0, 1_000, 2)
SECOND = Event("c", 1, 2, 2_000, 3, high=4)
OTHER = Event("c", 2, 0, 3_000, 4, high=6)
MINUS = Event("c", 2, 1, 3_001, -3, low=0)
RESET = Event("c", 1, 1, 1_500, reset=3)
FOUR = (FIRST, SECOND, OTHER, MINUS)
WITH_RESET = (FIRST, RESET, OTHER, MINUS)
FEW = [batch for length in range(4) for batch in product(FOUR, repeat=length)]
TIGHT = Limits(horizon_s=1, free_bytes=20, max_bytes=30, max_runs=2, max_rejected=2)
PAIRS = [batch for length in (1, 2) for batch in product(FOUR[:3], repeat=length)]
RESET_PAIRS = [batch for length in (1, 2) for batch in product(WITH_RESET[:3], repeat=length)]
FEW_WITH_RESET = [batch for length in range(4) for batch in product(WITH_RESET, repeat=length)]
TRIOS = list(combinations_with_replacement([(FIRST,), (FIRST, OTHER), (MINUS, SECOND)], 3))
RESET_TRIOS = list(combinations_with_replacement([(RESET,), (FIRST, RESET), (MINUS, OTHER)], 3))


class Writer(NamedTuple):
    """Where a writer is: what it read (a tuple, empty before the read), and its outcomes.

    `stored` is the place of its value among all, 0 if it has written none.
    """

    batch: tuple[Event, ...]
    copy: tuple[bytes | None, ...] = ()
    decisions: tuple[Decision, ...] | None = None
    lost: bool = False
    stored: int = 0


def steps(values, writer, limits):
    """What one writer may do next, as (values, writer): read, or swap what it makes of its copy."""
    if not writer.copy:
        readable = values[-1:] if writer.lost else values
        return [(values, writer._replace(copy=(value,))) for value in readable]
    folded = fold(writer.copy[0], writer.batch, limits)
    settled = writer._replace(decisions=tuple(folded.decisions))
    if folded.value is None:
        return [(values, settled)]
    if writer.copy[0] != values[-1]:
        return [(values, writer._replace(copy=(), lost=True))]
    return [((*values, folded.value), settled._replace(stored=len(values)))]


def endings(batches, limits):
    """Every end that some interleaving comes to: the values in their order, and the writers.

    Each lost swap follows another's stored one, so there is an end to every interleaving.
    """
    unfinished: list[Any] = [((None,), tuple(Writer(batch) for batch in batches))]
    while unfinished:
        values, writers = unfinished.pop()
        open_places = [place for place, each in enumerate(writers) if each.decisions is None]
        if not open_places:
            yield values, writers
        for place in open_places:
            for after, moved in steps(values, writers[place], limits):
                unfinished.append((after, (*writers[:place], moved, *writers[place + 1 :])))


def assert_exact(values, writers):
    """Each event was decided once, the count is what was applied, and no value came back."""
    in_order = sorted(writers, key=lambda each: each.stored)
    told = [pair for each in in_order for pair in zip(each.batch, each.decisions, strict=True)]
    new = [(event, decision) for event, decision in told if decision in NEW]
    assert len({event for event, _ in new}) == len(new)
    count = 0
    for event, decision in new:
        if decision is Decision.APPLIED:
            count = count + event.amount if event.reset is None else event.reset
    assert read_count(values[-1] or b"0") == count
    assert len(set(values)) == len(values)
    outcome = dict(new)
    for event, decision in told:
        if decision is Decision.APPLIED_BEFORE:
            assert outcome[event] is Decision.APPLIED
        elif decision is Decision.REJECTED_BEFORE:
            assert outcome[event] is Decision.REJECTED
        elif decision.is_settled:
            assert event in outcome


@pytest.mark.parametrize("limits", [Limits(), HOSTILE, GAPPY, TIGHT])
@pytest.mark.parametrize("few", [FEW, FEW_WITH_RESET], ids=["plain", "with a reset"])
def test_every_batch_of_up_to_three_of_four_events_is_as_the_design_has_it(few, limits):
    for first, second in product(few, few[:21]):
        folded = fold(None, first, limits)
        assert folded == reference_fold(None, first, limits)
        assert fold(folded.value, second, limits) == reference_fold(folded.value, second, limits)


@pytest.mark.parametrize("limits", [Limits(), HOSTILE, TIGHT])
@pytest.mark.parametrize("pairs", [PAIRS, RESET_PAIRS], ids=["plain", "with a reset"])
def test_two_writers_are_exact_in_every_interleaving(pairs, limits):
    for batches in product(pairs, pairs):
        for values, writers in endings(batches, limits):
            assert_exact(values, writers)


@pytest.mark.parametrize("limits", [Limits(), TIGHT])
@pytest.mark.parametrize("trios", [TRIOS, RESET_TRIOS], ids=["plain", "with a reset"])
def test_three_writers_are_exact_in_every_interleaving(trios, limits):
    for batches in trios:
        for values, writers in endings(batches, limits):
            assert_exact(values, writers)


def test_three_writers_of_one_batch_apply_it_once_and_two_find_it_applied():
    for values, writers in endings([(FIRST, OTHER)] * 3, Limits()):
        assert read_count(values[-1]) == 6
        applied, before = (Decision.APPLIED,) * 2, (Decision.APPLIED_BEFORE,) * 2
        assert sorted(each.decisions == applied for each in writers) == [False, False, True]
        assert sum(each.decisions == before for each in writers) == 2


def test_a_swap_that_ignores_what_was_read_would_be_found():
    lost = fold(None, [FIRST], Limits())
    writers = (Writer((FIRST,), (), (Decision.APPLIED,)), Writer((OTHER,), (), (Decision.APPLIED,)))
    with pytest.raises(AssertionError):
        assert_exact((None, lost.value), writers)
