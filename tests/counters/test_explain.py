"""Why an increment is refused, in the words of the contract and not in those of a decoder."""

import pytest

from tally.counters.errors import MAX_SHOWN_CHARS, InvalidIncrementError, shown
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
