"""Any bytes in the store: what cannot be read is reported and stays as it is, to the last byte."""

import msgspec
from hypothesis import event, given
from hypothesis import strategies as st

from tally.counters.counter import fold, read_count
from tally.counters.errors import UnreadableValueError
from tally.counters.ledger import Limits
from tests.support.batches import ANY_LIMITS, STARTS, deliveries
from tests.support.lambda_event import event as sqs_event
from tests.support.lambda_event import failures, increment, record

GOOD = "good"
SUSPECTS = ["suspect:1", "suspect:2"]
INTEGERS = st.integers(-(2**70), 2**70) | st.integers(-20, 20)
NO_NUMBERS = ["", "+1", "-0", "007", " 7", "7 ", "1_000", "0x10", "4.2", "1e3", "٤٢", "NaN"]
TOO_LARGE = st.integers(2**63) | st.integers(max_value=-(2**63) - 1)
EMPTY_LEDGER = b"\x95\x01\xc4\x00\x91\x00\x90\x80"
LATER = st.tuples(st.integers(2, 2**64 - 1), st.binary(max_size=9), st.lists(st.integers(0, 9)))


@st.composite
def ledgers(draw):
    """What a history of batches has written."""
    value, limits = draw(STARTS), draw(ANY_LIMITS)
    for batch in draw(deliveries()):
        value = fold(value, batch, limits).value or value
    return value or b"0"


@st.composite
def damaged(draw):
    """A value of ours with a piece cut out, and another in its place."""
    value = draw(ledgers())
    start = draw(st.integers(0, len(value)))
    end = min(len(value), start + draw(st.integers(0, 3)))
    return value[:start] + draw(st.binary(max_size=3)) + value[end:]


UNREADABLE = st.one_of(
    st.sampled_from(NO_NUMBERS).map(str.encode),
    st.sampled_from(NO_NUMBERS).map(lambda text: text.encode() + b"\n" + EMPTY_LEDGER),
    TOO_LARGE.map(lambda number: b"%d" % number),
    INTEGERS.map(lambda number: b"%d\n" % number),
    LATER.map(lambda fields: b"5\n" + msgspec.msgpack.encode(fields)),
)
KINDS = [UNREADABLE, st.binary(max_size=30), damaged(), damaged(), ledgers(), ledgers()]
ANY = st.sampled_from(KINDS).flatmap(lambda kind: kind)


def is_readable(value):
    try:
        fold(value, [], Limits())
    except UnreadableValueError:
        return False
    return True


def records(counters):
    """A message for each counter, one for all of them, and one for nobody."""
    alone = [record(counter, increment(0, counter)) for counter in counters]
    for_all = [increment(1, counter) for counter in counters]
    return [*alone, record("all", for_all), record("bad", "{")]


@given(UNREADABLE)
def test_a_value_of_another_kind_or_version_is_unreadable(value):
    assert not is_readable(value)


@given(st.lists(ANY, min_size=2, max_size=2))
def test_what_cannot_be_read_is_reported_and_not_touched_and_its_neighbours_go_on(judged, values):
    stored = dict(zip(SUSPECTS, values, strict=True))
    unreadable = {name: value for name, value in stored.items() if not is_readable(value)}
    event(f"unreadable: {len(unreadable)}")
    consumer, channel = judged.deployed(stored)
    for _ in range(2):
        answer = consumer.handle(sqs_event(*records([GOOD, *SUSPECTS])), None)
        reasons = dict(judged.returned())
        assert answer == failures(*reasons)
        said = {name: reasons.get(name) for name in SUSPECTS}
        assert {name for name, why in said.items() if why == "unreadable"} == unreadable.keys()
        # Damage may have made a ledger that knows nothing so old: reported too, and not touched.
        assert set(said.values()) <= {"unreadable", "undecidable", None}
        assert ("all" in reasons) is any(said.values())
        assert (reasons["bad"], reasons.get(GOOD)) == ("invalid", None)
    assert {name: channel.store.get(name) for name in unreadable} == unreadable
    written = {call.key for call in channel.calls if call.value is not None}
    assert written.isdisjoint(unreadable)
    assert read_count(channel.store.get(GOOD)) == 2


@given(ledgers())
def test_a_value_that_can_be_read_is_added_to(judged, value):
    consumer, channel = judged.deployed({GOOD: value})
    answer = consumer.handle(sqs_event(record("m1", increment(2**40, GOOD))), None)
    assert (answer, judged.returned()) == (failures(), [])
    full = read_count(value) == 2**63 - 1
    assert read_count(channel.store.get(GOOD)) == read_count(value) + (not full)
    assert fold(channel.store.get(GOOD), [], Limits()).value is None
