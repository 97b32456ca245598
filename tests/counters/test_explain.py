"""Why an increment is refused, in the words of the contract and not in those of a decoder."""

import math
from fractions import Fraction

import pytest

from tally.counters.errors import (
    MAX_SHOWN_CHARS,
    ArgumentError,
    InvalidIncrementError,
    check_number,
    shown,
)
from tally.counters.event import Increment, build


def reason_of(field, value):
    """Why an increment with this value is refused; nothing if it is not."""
    try:
        build({"counter": "c", field: value})
    except InvalidIncrementError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("field", Increment.__struct_fields__)
def test_no_reason_speaks_of_the_types_of_a_program(field):
    values = [None, True, 1.5, "", "a" * 600, b"a", [], [1], {}, {"a": 1}, 2**64, -(2**64)]
    reasons = [reason_of(field, value) for value in values]
    assert [reason for reason in reasons if "`" in reason] == []
    assert len({*reasons} - {""}) > 0


def test_a_value_is_shown_whole_up_to_the_limit_and_else_with_a_mark():
    whole, cut = "x" * (MAX_SHOWN_CHARS - 2), "x" * (MAX_SHOWN_CHARS - 1)
    assert shown(whole) == f"'{whole}'"
    assert shown(cut) == f"'{whole}…"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(1, 1, 100), (100, 1, 100), (0, 0.0, 60.0), (60.0, 0.0, 60.0), (Fraction(1, 2), 0.0, 60.0)],
)
def test_a_number_within_its_span_is_taken(value, low, high):
    check_number("x", value, low, high)


@pytest.mark.parametrize(
    ("value", "low", "high", "complaint"),
    [
        (0, 1, 100, "x must be an integer from 1 to 100, found 0"),
        (101, 1, 100, "x must be an integer from 1 to 100, found 101"),
        (2.0, 1, 100, "x must be an integer from 1 to 100, found 2.0"),
        ("2", 1, 100, "x must be an integer from 1 to 100, found '2'"),
        (-0.5, 0.0, 60.0, "x must be 0 to 60, found -0.5"),
        (60.5, 0.0, 60.0, "x must be 0 to 60, found 60.5"),
        (math.nan, 0.0, 60.0, "x must be 0 to 60, found nan"),
        (1j, 0.0, 60.0, "x must be 0 to 60, found 1j"),
        (10**400, 0.0, 60.0, "x must be 0 to 60, found 1000"),
    ],
)
def test_an_argument_that_is_no_number_of_its_span_is_named(value, low, high, complaint):
    with pytest.raises(ArgumentError) as raised:
        check_number("x", value, low, high)
    assert str(raised.value).startswith(complaint)
