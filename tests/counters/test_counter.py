"""A counter's value, byte for byte, and what it answers to each event."""

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.errors import UnreadableValueError
from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Limits
from tests.counters.reference import packed

APPLIED, REJECTED = Decision.APPLIED, Decision.REJECTED
APPLIED_BEFORE, REJECTED_BEFORE = Decision.APPLIED_BEFORE, Decision.REJECTED_BEFORE
DECIDED_BEFORE, UNDECIDABLE, FULL = Decision.DECIDED_BEFORE, Decision.UNDECIDABLE, Decision.FULL
LIMITS = Limits()
A, B = 0x1122334455667788, 0xAABBCCDDEEFF0011
T = 1_760_000_001  # seconds; 68e77801 in hexadecimal
EXAMPLE = bytes.fromhex(
    "33390a 95 01 c410 8877665544332211 1100ffeeddccbbaa 9300ce68e7780102 92 09 9400000301"
    "8100 9400000702"
)


def event(seq, amount=1, source=A, at=T * 1_000, **bounds):
    return Event("c", source, seq, at, amount, **bounds)


def next_value(value, events, limits):
    return fold(value, events, limits).value


EXAMPLE_EVENTS = [
    *(event(seq, 4) for seq in range(7)),
    event(7, 4, high=38),
    event(8, 4, high=38),
    event(3, 4, source=B, at=T * 1_000 + 1_001),
]


def value_of(count, floor, *sources):
    """A value as docs/format.md has it; a source is (id, seen, decided[, rejected])."""
    ids = b"".join(source[0].to_bytes(8, "little") for source in sources)
    times = [floor, *(source[1] for source in sources)]
    decided = [source[2] for source in sources]
    rejected = {place: source[3] for place, source in enumerate(sources) if len(source) > 3}
    return b"%d\n" % count + msgspec.msgpack.encode([1, ids, times, decided, rejected])


def test_the_example_of_the_design_is_reached_by_folding():
    assert len(EXAMPLE) == 45
    assert fold(b"7", EXAMPLE_EVENTS, LIMITS) == (
        EXAMPLE,
        [*[APPLIED] * 7, REJECTED, REJECTED, APPLIED],
    )


def test_the_example_of_the_design_is_reached_in_single_steps():
    value = b"7"
    for each in EXAMPLE_EVENTS:
        value = next_value(value, [each], LIMITS)
    assert value == EXAMPLE


def test_the_example_of_the_design_is_read():
    assert read_count(EXAMPLE) == 39
    assert fold(EXAMPLE, EXAMPLE_EVENTS, LIMITS) == (
        None,
        [*[APPLIED_BEFORE] * 7, REJECTED_BEFORE, REJECTED_BEFORE, APPLIED_BEFORE],
    )
    assert fold(EXAMPLE, [event(4, 1, source=B)], LIMITS) == (
        value_of(40, 0, (A, T, 9, [0, 0, 7, 2]), (B, 2, [0, 0, 3, 2])),
        [APPLIED],
    )


def test_an_absent_counter_begins_at_zero():
    assert fold(None, [event(0, 5)], LIMITS) == (value_of(5, 0, (A, T, 1)), [APPLIED])


@pytest.mark.parametrize("count", [0, 42, -42, INT64_MAX - 5, INT64_MIN])
def test_a_bare_integer_is_adopted(count):
    value = b"%d" % count
    assert read_count(value) == count
    assert fold(value, [event(0, 5)], LIMITS) == (value_of(count + 5, 0, (A, T, 1)), [APPLIED])


@pytest.mark.parametrize("value", [None, b"42", EXAMPLE])
def test_no_events_leave_a_value_alone(value):
    assert fold(value, [], LIMITS) == (None, [])


def test_the_same_event_twice_in_a_batch_is_decided_once():
    assert fold(None, [event(0, 5), event(0, 5), event(0, 5)], LIMITS) == (
        value_of(5, 0, (A, T, 1)),
        [APPLIED, APPLIED_BEFORE, APPLIED_BEFORE],
    )


@pytest.mark.parametrize(
    ("count", "amount", "low", "high", "decision"),
    [
        (9, 1, INT64_MIN, 10, APPLIED),
        (10, 1, INT64_MIN, 10, REJECTED),
        (-9, -1, -10, INT64_MAX, APPLIED),
        (-10, -1, -10, INT64_MAX, REJECTED),
        (50, -1, 0, 10, APPLIED),
        (50, 1, 60, 10, REJECTED),
        (-50, 1, 0, 10, APPLIED),
        (-50, -1, -60, -70, APPLIED),
        (50, 0, 60, 10, APPLIED),
        (INT64_MAX, 0, 0, 0, APPLIED),
        (INT64_MAX, 1, INT64_MIN, INT64_MAX, REJECTED),
        (INT64_MIN, -1, INT64_MIN, INT64_MAX, REJECTED),
        (INT64_MAX, INT64_MIN, INT64_MIN, INT64_MAX, APPLIED),
        (INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, APPLIED),
        (INT64_MAX, INT64_MAX, INT64_MIN, INT64_MAX, REJECTED),
        (INT64_MIN, INT64_MIN, INT64_MIN, INT64_MAX, REJECTED),
        (0, INT64_MAX, INT64_MIN, INT64_MAX, APPLIED),
        (0, INT64_MIN, INT64_MIN, INT64_MAX, APPLIED),
    ],
)
def test_a_plus_checks_only_max_and_a_minus_only_min(count, amount, low, high, decision):
    moved, rejected = (count, [1]) if decision is REJECTED else (count + amount, [])
    assert fold(b"%d" % count, [event(0, amount, low=low, high=high)], LIMITS) == (
        value_of(moved, 0, (A, T, 1, *rejected)),
        [decision],
    )


def test_a_rejection_is_written_and_stays_when_the_bound_would_allow_it():
    refused = event(0, 5, high=4)
    value = next_value(None, [refused], LIMITS)
    assert value == value_of(0, 0, (A, T, 1, 1))
    lower = next_value(value, [event(1, -5)], LIMITS)
    assert fold(lower, [refused], LIMITS) == (None, [REJECTED_BEFORE])


@pytest.mark.parametrize(
    ("at", "seen"),
    [(1, 1), (1_000, 1), (1_001, 2), (INT64_MAX, 9_223_372_036_854_776)],
)
def test_seen_is_the_events_own_time_rounded_up_to_seconds(at, seen):
    value = value_of(1, 0, (A, seen, 1))
    assert fold(None, [event(0, at=at)], LIMITS) == (value, [APPLIED])
    assert fold(value, [event(0, at=at)], LIMITS) == (None, [APPLIED_BEFORE])


def test_seen_never_falls():
    value = next_value(None, [event(0, at=9_000), event(1, at=2_000)], LIMITS)
    assert value == value_of(2, 0, (A, 9, 2))


def test_sources_of_one_second_keep_their_order_and_the_new_come_last():
    value = next_value(None, [event(0, source=B), event(0, source=A)], LIMITS)
    assert value == value_of(2, 0, (B, T, 1), (A, 0, 1))
    later = next_value(value, [event(0, source=7), event(1, source=A)], LIMITS)
    assert later == value_of(4, 0, (B, T, 1), (A, 0, 2), (7, 0, 1))
    moved = next_value(later, [event(1, source=B, at=T * 1_000 + 1)], LIMITS)
    assert moved == value_of(5, 0, (A, T, 2), (7, 0, 1), (B, 1, 2))


def test_an_event_at_the_floor_is_undecidable_and_a_millisecond_later_it_is_not():
    value = value_of(5, 9)
    assert fold(value, [event(0, at=9_000)], LIMITS) == (None, [UNDECIDABLE])
    assert fold(value, [event(0, at=9_001)], LIMITS) == (value_of(6, 9, (A, 1, 1)), [APPLIED])


def test_a_decided_event_below_the_floor_keeps_its_outcome():
    value = value_of(5, 9, (A, 0, 2, [0, 0, 1, 1]))
    assert fold(value, [event(0, at=1), event(1, at=1), event(2, at=1)], LIMITS) == (
        None,
        [APPLIED_BEFORE, REJECTED_BEFORE, UNDECIDABLE],
    )


def test_a_full_source_takes_only_what_touches_its_runs():
    limits = Limits(max_runs=4)
    value = value_of(3, 0, (A, T, [0, 1, 4, 1, 4, 1]))
    refused = [event(2), event(8), event(12)]
    assert fold(value, refused, limits) == (None, [FULL, FULL, FULL])
    assert fold(value, [event(11), event(6), event(1), event(2)], limits) == (
        value_of(7, 0, (A, T, [0, 3, 2, 2, 3, 2])),
        [APPLIED, APPLIED, APPLIED, APPLIED],
    )


def test_a_source_is_full_past_max_runs_and_not_at_it():
    value = value_of(2, 0, (A, T, [0, 1, 4, 1]))
    assert fold(value, [event(9)], Limits(max_runs=4)).decisions == [APPLIED]
    assert fold(value, [event(9)], Limits(max_runs=3)).decisions == [FULL]


@pytest.mark.parametrize(
    ("seqs", "kept"),
    [
        ((0, 2), [0, 1, 1, 1]),
        ((0, 2, 4), [2, 1, 1, 1]),
        ((0, 2, 4, 6), [4, 1, 1, 1]),
        ((0, 2, 4, 6, 8), [4, 1, 1, 1, 1, 1]),
        ((3, 5), [3, 1, 1, 1]),
    ],
)
def test_past_max_rejected_the_lower_half_is_forgotten_and_stays_decided(seqs, kept):
    refused = [event(seq, high=0) for seq in seqs]
    value = next_value(None, refused, Limits(max_rejected=4))
    assert value == value_of(0, 0, (A, T, packed(set(seqs)), kept))
    assert fold(value, refused, LIMITS) == (
        None,
        [DECIDED_BEFORE if seq < kept[0] else REJECTED_BEFORE for seq in seqs],
    )


def test_a_rejection_below_what_is_forgotten_is_decided_and_not_recorded():
    value = value_of(0, 0, (A, T, [0, 0, 4, 1], [4, 1]))
    refused, taken = event(1, high=0), event(2)
    decided = value_of(1, 0, (A, T, [0, 0, 1, 2, 1, 1], [4, 1]))
    assert fold(value, [refused, taken], LIMITS) == (decided, [REJECTED, APPLIED])
    assert fold(decided, [refused, taken], LIMITS) == (None, [DECIDED_BEFORE, DECIDED_BEFORE])


def test_while_the_value_fits_its_chunk_nothing_is_forgotten():
    days_apart = [event(0, source=n, at=n * 10 * 86_400_000) for n in range(1, 30)]
    value = next_value(None, days_apart, LIMITS)
    assert len(value) < LIMITS.free_bytes
    assert fold(value, days_apart, LIMITS) == (None, [APPLIED_BEFORE] * 29)


@pytest.mark.parametrize(
    ("free_bytes", "dropped", "floor"),
    [(70, 0, 0), (69, 1, 100), (50, 2, 101), (49, 3, 102), (0, 3, 102)],
)
def test_past_the_chunk_expired_sources_go_until_it_fits_and_others_stay(
    free_bytes, dropped, floor
):
    seen = [100, 101, 102, 204, 205, 206]
    events = [event(0, source=number, at=at * 1_000) for number, at in enumerate(seen)]
    limits = Limits(horizon_s=102, free_bytes=free_bytes)
    value = next_value(None, events, limits)
    times = [floor, *seen[dropped:]]
    kept = [(n, times[n - dropped + 1] - times[n - dropped], 1) for n in range(dropped, 6)]
    assert value == value_of(6, floor, *kept)
    assert fold(value, events, limits) == (
        None,
        [UNDECIDABLE] * dropped + [APPLIED_BEFORE] * (6 - dropped),
    )


def test_past_max_bytes_live_sources_go_as_well():
    events = [event(0, source=number, at=number * 1_000) for number in (3, 1, 2)]
    whole = next_value(None, events, Limits(free_bytes=20, max_bytes=40))
    assert whole == value_of(3, 0, (1, 1, 1), (2, 1, 1), (3, 1, 1))
    assert len(whole) == 40
    fitted = next_value(None, events, Limits(free_bytes=20, max_bytes=39))
    assert fitted == value_of(3, 1, (2, 1, 1), (3, 1, 1))


def test_even_the_newest_source_goes_where_nothing_fits():
    limits = Limits(free_bytes=1, max_bytes=1)
    assert fold(None, [event(0), event(1)], limits) == (value_of(2, T), [APPLIED, APPLIED])
    assert fold(value_of(2, T), [event(0)], limits) == (None, [UNDECIDABLE])


UNBOUNDED = [event(seq, 2**seq, source=source, at=seq + 1) for source in (A, B) for seq in range(3)]


def test_every_order_gives_one_sum():
    sums = {read_count(next_value(None, order, LIMITS)) for order in permutations(UNBOUNDED)}
    assert sums == {14}


@given(st.lists(st.lists(st.sampled_from(UNBOUNDED))), st.permutations(UNBOUNDED))
def test_any_order_any_duplicates_and_any_batches_give_one_value(batches, rest):
    value: Any = None
    for batch in [*batches, rest]:
        value = next_value(value, batch, LIMITS) or value
    assert fold(value, UNBOUNDED, LIMITS) == (None, [APPLIED_BEFORE] * 6)
    assert read_count(value) == 14


def test_a_decision_says_whether_it_is_settled():
    assert {each for each in Decision if not each.is_settled} == {UNDECIDABLE, FULL}


@pytest.mark.parametrize("value", [b"", b"x", b"1.5", b"9223372036854775808"])
def test_a_count_that_is_none_cannot_be_read(value):
    for each in (value, value + b"\n" + EXAMPLE[3:]):
        with pytest.raises(UnreadableValueError):
            read_count(each)
