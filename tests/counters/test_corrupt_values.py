"""Values that are no counter: read as nothing else, and never overwritten."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.columns import MAX_SEEN_S
from tally.counters.counter import fold, read_count
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tests.support.batches import ANY_LIMITS, STARTS, deliveries

IDS = (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
EVENTS = [Event("c", source, seq, 5_000, 1) for source in (1, 2, 3) for seq in (0, 4, 9)]
REFUSED = [Event("c", source, seq, 2**62, 1, high=0) for source in (1, 2) for seq in range(10)]
INT64_END = 2**63  # one past the greatest seq
NEST_DEPTHS = (10, 900, 990, 1_100, 100_000)


def stored(*fields):
    """A value with just these fields behind its count."""
    return b"3\n" + msgspec.msgpack.encode(fields)


def survives(value):
    """Whether the value is read as a counter; the only other answer is UnreadableValueError."""
    try:
        fold(value, EVENTS, Limits())
    except UnreadableValueError:
        return False
    return True


def test_the_value_that_the_others_are_made_from_is_read():
    assert survives(stored(1, IDS, [1, 1, 1], [2, [0, 0, 3, 4]], {1: [0, 0, 4, 1]}))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" 42",
        b"42 ",
        b"+42",
        b"042",
        b"-",
        b"-0",
        b"-042",
        b"1_000",
        b"0x10",
        b"4.2",
        b"1e3",
        "٤٢".encode(),
        b"\xff",
        b"null",
        b'{"count":42}',
        b"9223372036854775808",
        b"-9223372036854775809",
        b"9" * 5_000,
    ],
)
def test_what_is_no_64_bit_integer_is_not_adopted(value):
    for each in (value, value + b"\n", value + stored(1, b"", [0], [], {})[1:]):
        with pytest.raises(UnreadableValueError):
            fold(each, EVENTS, Limits())
        with pytest.raises(UnreadableValueError):
            read_count(each)


@pytest.mark.parametrize("sources", [0, 1, 2])
def test_a_time_is_read_up_to_the_latest_that_there_can_be(sources):
    for late_s in (0, 1):
        times = [0] * sources + [MAX_SEEN_S + late_s]
        value = stored(1, IDS[: 8 * sources], times, [1] * sources, {})
        assert survives(value) is not bool(late_s)


@pytest.mark.parametrize("version", [0, 2, 255, -1, True, None, "1", 1.0, [1]])
def test_another_version_is_not_read(version):
    assert not survives(stored(version, IDS, [1, 1, 1], [2, 3], {}))


def test_another_version_is_named_even_if_its_fields_are_other():
    with pytest.raises(UnreadableValueError, match=r"version 2 "):
        fold(stored(2, "anything"), EVENTS, Limits())


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (1,),
        (1, IDS, [1, 1, 1], [2, 3]),
        (1, IDS, [1, 1, 1], [2, 3], {}, 0),
        (1, IDS[:-1], [1, 1, 1], [2, 3], {}),
        (1, IDS[:8], [1, 1, 1], [2, 3], {}),
        (1, IDS[:8] * 2, [1, 1, 1], [2, 3], {}),
        (1, IDS.decode(), [1, 1, 1], [2, 3], {}),
        (1, list(IDS), [1, 1, 1], [2, 3], {}),
        (1, IDS, [], [2, 3], {}),
        (1, IDS, [1, 1], [2, 3], {}),
        (1, IDS, [1, 1, 1, 1], [2, 3], {}),
        (1, IDS, [1, 1, -1], [2, 3], {}),
        (1, IDS, [-1, 1, 1], [2, 3], {}),
        (1, IDS, [1, 1, 1.0], [2, 3], {}),
        (1, IDS, [1, 1, None], [2, 3], {}),
        (1, IDS, [1, 1, 2**63], [2, 3], {}),
        (1, IDS, [1, 1, 1], [2], {}),
        (1, IDS, [1, 1, 1], [2, 3, 4], {}),
        (1, IDS, [1, 1, 1], {0: 2, 1: 3}, {}),
        (1, IDS, [1, 1, 1], [2, 3], []),
        (1, IDS, [1, 1, 1], [2, 3], {2: 1}),
        (1, IDS, [1, 1, 1], [2, 3], {-1: 1}),
        (1, IDS, [1, 1, 1], [2, 3], {"0": 1}),
    ],
)
def test_columns_that_do_not_belong_together_are_not_read(fields):
    assert not survives(stored(*fields))


@pytest.mark.parametrize(
    "runs",
    [
        0,
        -1,
        1.0,
        True,
        None,
        "2",
        [],
        [0],
        [0, 5],
        [0, 1, 2],
        [0, 1, 2, -1],
        [0, 1, 0, 2],
        [0, 1, 2, 0],
        [0, 1, 2, 1, 0, 1],
        [0, 0, INT64_END, 1],
        INT64_END + 1,
        2**64 - 1,
        [0, [1]],
    ],
)
def test_runs_that_none_can_be_are_not_read(runs):
    assert not survives(stored(1, IDS, [1, 1, 1], [2, runs], {}))
    assert not survives(stored(1, IDS, [1, 1, 1], [2, 9], {1: runs}))


@pytest.mark.parametrize("runs", [INT64_END, [0, 0, INT64_END - 1, 1]])
def test_runs_may_end_behind_the_greatest_seq(runs):
    assert survives(stored(1, IDS, [1, 1, 1], [2, runs], {}))
    assert survives(stored(1, IDS, [1, 1, 1], [2, INT64_END], {1: runs}))


@pytest.mark.parametrize("rejected", [4, [0, 0, 3, 1], [0, 1, 2, 1], [2, 2]])
def test_what_is_rejected_but_not_decided_is_not_read(rejected):
    assert not survives(stored(1, IDS, [1, 1, 1], [2, 3], {1: rejected}))


def test_decided_runs_begin_at_zero():
    assert not survives(stored(1, IDS, [1, 1, 1], [2, [3, 1]], {}))
    assert survives(stored(1, IDS, [1, 1, 1], [2, 4], {1: [3, 1]}))


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\xc1",
        b"\x95",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\x81\x80\x00",
        b"\xa2\xff\xff",
        stored(1, IDS, [1, 1, 1], [2, 3], {})[2:] + b"\x00",
        stored(1, IDS, [1, 1, 1], [2, 3], {})[2:] + b"\n",
    ],
)
def test_bytes_that_are_not_our_messagepack_are_not_read(tail):
    assert not survives(b"3\n" + tail)


@pytest.mark.parametrize("opening", [b"\x91", b"\x92\x02\x91", b"\x81\x00", b"\x95\x02\x91"])
@pytest.mark.parametrize("depth", NEST_DEPTHS)
def test_nesting_of_any_depth_is_not_read(opening, depth):
    assert not survives(b"3\n" + opening[:-1] + opening[-1:] * depth)
    assert not survives(b"3\n" + opening * depth + b"\x00")


@st.composite
def real_values(draw):
    """A value that a history of batches has written."""
    value = draw(STARTS)
    limits = draw(ANY_LIMITS)
    for batch in draw(deliveries()):
        value = fold(value, batch, limits).value or value
    return value or b"0"


@given(real_values(), st.data())
def test_a_truncated_ledger_is_not_read(value, data):
    if b"\n" in value:
        cut = data.draw(st.integers(value.index(b"\n") + 1, len(value) - 1))
        assert not survives(value[:cut])


@given(real_values(), st.data())
def test_a_value_with_one_flipped_byte_is_read_as_a_counter_or_not_at_all(value, data):
    place = data.draw(st.integers(0, len(value) - 1))
    flipped = value[:place] + bytes([value[place] ^ data.draw(st.integers(1, 255))])
    assert survives(flipped + value[place + 1 :]) in (True, False)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_a_counter_or_not_at_all(raw):
    assert survives(raw) in (True, False)
    assert survives(b"3\n" + raw) in (True, False)
    assert survives(b"3\n\x95\x01" + raw) in (True, False)


NATURALS = st.integers(0, 20) | st.sampled_from([2**62, 2**63 - 1, 2**63, 2**64 - 1])
RUNS = NATURALS | st.lists(NATURALS, max_size=6)


@given(
    st.integers(1, 2),
    st.lists(NATURALS, min_size=2, max_size=3),
    st.lists(RUNS, min_size=1, max_size=2),
    st.dictionaries(st.integers(0, 2), RUNS, max_size=2),
)
def test_any_numbers_are_read_as_a_counter_that_can_be_written_or_not_at_all(
    sources, times, decided, rejected
):
    value = stored(1, IDS[: 8 * sources], times, decided, rejected)
    if survives(value):
        for events in (EVENTS, REFUSED):
            written = fold(value, events, Limits()).value
            assert written is None or survives(written)
