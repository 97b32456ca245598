"""Medians, ratios and turns are what they are called."""

import functools

import pytest

from benchmarks.speed.report import number
from benchmarks.speed.timing import Spread, interleaved, ratios, spread, timed


def test_a_spread_is_the_median_the_least_and_the_greatest():
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([4.0, 1.0, 2.0, 3.0]) == Spread(2.5, 1.0, 4.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratios_are_taken_repeat_by_repeat():
    assert ratios([10.0, 20.0, 60.0], [1.0, 4.0, 2.0]) == [10.0, 5.0, 30.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_what_is_compared_takes_turns():
    turns = []

    def turn(name, repeat):
        turns.append((name, repeat))
        return f"{name}{repeat}"

    told = interleaved({name: functools.partial(turn, name) for name in "ab"}, range(2))
    assert turns == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert told == {"a": ["a0", "a1"], "b": ["b0", "b1"]}


def test_what_is_timed_is_done_once():
    done = []
    took = timed(lambda: done.append(1))
    assert done == [1]
    assert took.wall_s >= 0
    assert took.cpu_s >= 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0.0, "0"), (861, "861"), (12_345, "12,345"), (-2.5, "-2.50")),
        *((0.2, "0.20"), (1.646, "1.65"), (16.44, "16.4"), (103.7, "104")),
        *((1_023.4, "1,020"), (250_379.3, "250,000")),
    ],
)
def test_a_number_has_the_digits_that_say_something(value, shown):
    assert number(value) == shown
