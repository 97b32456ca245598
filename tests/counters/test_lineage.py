"""A value that comes of another lacks nothing of it; one that was set back lacks something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.counter import fold
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.counters.lineage import lacks

AT_MS = 1_790_000_000_000
SMALL = Limits(horizon_s=3, free_bytes=40, max_bytes=80, max_runs=6)


def event(seq, source=1, at_s=0):
    return Event("c", source, seq, AT_MS + at_s * 1_000)


def after(value, *events, limits=None):
    made = fold(value, events, limits or Limits()).value
    assert made is not None
    return made


def test_a_later_value_lacks_nothing_of_an_earlier_one():
    earlier = after(None, event(0), event(2), event(0, source=2))
    later = after(earlier, event(1), event(7, source=3))
    assert not lacks(earlier, earlier)
    assert not lacks(later, earlier)


@pytest.mark.parametrize(
    "news", [event(1), event(5), event(0, source=2)], ids=["next", "gap", "source"]
)
def test_an_earlier_value_lacks_what_came_later(news):
    earlier = after(None, event(0))
    assert lacks(earlier, after(earlier, news))


def test_two_values_of_one_origin_lack_each_others_events():
    origin = after(None, event(0))
    one, other = after(origin, event(1)), after(origin, event(2))
    assert lacks(one, other)
    assert lacks(other, one)


def test_what_is_at_or_below_the_floor_was_forgotten_and_is_not_missed():
    limits = Limits(horizon_s=1, free_bytes=32)
    earlier = after(None, event(0, source=1))
    later = after(earlier, event(0, source=2, at_s=9), limits=limits)
    assert later.count(bytes([1, 0, 0, 0, 0, 0, 0, 0])) == 0
    assert not lacks(later, earlier)


def test_a_bare_integer_knows_no_event_and_is_missed_by_none():
    counted = after(b"41", event(0))
    assert not lacks(counted, b"41")
    assert lacks(b"42", counted)


@pytest.mark.parametrize("values", [(b"1\nx", b"1"), (b"1", b"1\nx")])
def test_what_is_no_counter_is_an_error(values):
    with pytest.raises(UnreadableValueError):
        lacks(*values)


EVENTS = st.lists(
    st.builds(event, st.integers(0, 9), st.integers(1, 6), st.integers(0, 12)), max_size=6
)


@given(st.lists(EVENTS, min_size=2, max_size=8))
def test_whatever_is_forgotten_on_the_way_a_line_of_values_lacks_nothing(batches):
    line = [b"0"]
    for events in batches:
        line.append(fold(line[-1], events, SMALL).value or line[-1])
    pairs = [(later, earlier) for place, later in enumerate(line) for earlier in line[:place]]
    assert [pair for pair in pairs if lacks(*pair)] == []
