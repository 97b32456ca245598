"""Sets of sequence numbers as runs: what a plain set would answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.event import INT64_MAX
from tally.counters.runs import add, contains, touches
from tests.counters.reference import bounds

SEQS = st.lists(st.integers(0, 12), unique=True)


@pytest.mark.parametrize(
    ("runs", "seq", "after"),
    [
        ([0, 0], 0, [0, 1]),
        ([0, 1], 1, [0, 2]),
        ([0, 0], 3, [0, 0, 3, 4]),
        ([0, 0, 3, 4], 0, [0, 1, 3, 4]),
        ([0, 0, 3, 4], 2, [0, 0, 2, 4]),
        ([0, 0, 3, 4], 4, [0, 0, 3, 5]),
        ([0, 0, 3, 4], 5, [0, 0, 3, 4, 5, 6]),
        ([0, 0, 1, 2], 0, [0, 2]),
        ([0, 3, 4, 9], 3, [0, 9]),
        ([0, 1, 3, 4, 7, 8], 5, [0, 1, 3, 4, 5, 6, 7, 8]),
        ([0, 1, 3, 4, 5, 6], 4, [0, 1, 3, 6]),
        ([5, 7, 9, 10], 8, [5, 7, 8, 10]),
        ([5, 7, 9, 10], 7, [5, 8, 9, 10]),
        ([0, 0], INT64_MAX, [0, 0, INT64_MAX, INT64_MAX + 1]),
    ],
)
def test_a_number_joins_the_runs_that_it_touches(runs, seq, after):
    add(runs, seq)
    assert runs == after


@given(SEQS)
def test_numbers_added_in_any_order_make_the_runs_of_their_set(seqs):
    runs = [0, 0]
    for seq in seqs:
        add(runs, seq)
    assert runs == bounds(set(seqs))


@given(SEQS)
def test_runs_contain_what_was_added_and_touch_its_neighbours(seqs):
    runs = bounds(set(seqs))
    for seq in range(15):
        assert contains(runs, seq) is (seq in seqs)
        assert touches(runs, seq) is (seq - 1 in seqs or seq + 1 in seqs)


@given(st.integers(0, 9), SEQS)
def test_runs_with_a_higher_low_know_nothing_below_it(low, seqs):
    runs = [low, low + 1]
    kept = {seq for seq in seqs if seq > low}
    for seq in kept:
        add(runs, seq)
    assert runs == bounds({low, *kept}, low)
    assert [seq for seq in range(15) if contains(runs, seq)] == sorted({low, *kept})


def test_the_next_number_of_a_long_run_leaves_two_bounds():
    runs = [0, 0]
    for seq in range(10_000):
        add(runs, seq)
    assert runs == [0, 10_000]
