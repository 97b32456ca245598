"""A reset: the count becomes what it says, once, in its order, whatever the bounds are."""

import json
from itertools import permutations

import pytest

from tally.counters.body import parse
from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import INT64_MAX, INT64_MIN, Envelope, Event, Increment, build, encode
from tally.counters.ledger import Limits

LIMITS = Limits()
SENT_AT = 1_790_000_000_000
ENVELOPE = Envelope("m-1", SENT_AT)
NATIVE = {"counter": "c", "source": "00000000000000ff", "seq": 1, "at": SENT_AT}
NAMED = {"counter": "c", "id": "order-1", "at": SENT_AT}
APPLIED, APPLIED_BEFORE = Decision.APPLIED, Decision.APPLIED_BEFORE


def event(seq, *, source=255, at=SENT_AT, **fields):
    return Event("c", source, seq, at, **fields)


def after(value, *events):
    """The count after a batch, and what was decided."""
    folded = fold(value, events, LIMITS)
    return read_count(folded.value or value), folded.decisions


@pytest.mark.parametrize("identity", [NATIVE, NAMED, {"counter": "c"}])
@pytest.mark.parametrize("count", [INT64_MIN, -1, 0, 1, INT64_MAX])
def test_every_signed_64_bit_integer_can_be_reset_to(identity, count):
    body = json.dumps(identity | {"reset": count})
    [parsed] = parse(body, ENVELOPE, default_max=10)
    assert parsed.reset == count
    assert after(b"42", parsed) == (count, [APPLIED])


def test_an_increment_resets_nothing():
    [parsed] = parse(json.dumps(NATIVE), ENVELOPE)
    assert parsed == event(1)
    assert parsed.reset is None


@pytest.mark.parametrize("field", ["amount", "max", "min"])
@pytest.mark.parametrize("number", [0, 1, -5])
def test_a_reset_excludes_an_amount_and_bounds(field, number):
    fields = NATIVE | {"reset": 0, field: number}
    for body, place in [(json.dumps(fields), ""), (json.dumps([NAMED, fields]), "[1].")]:
        with pytest.raises(InvalidIncrementError) as caught:
            parse(body, ENVELOPE)
        error = caught.value
        assert (error.field, error.reason) == (f"{place}{field}", "excludes reset")
        assert (error.value, error.counter) == (str(number), "c")
        assert error.identity == f"00000000000000ff:1:{SENT_AT}"


def test_a_reset_is_built_and_written():
    built = build({"counter": "c", "reset": 0})
    assert built == Increment("c", reset=0)
    assert encode(built) == b'{"counter":"c","reset":0}'


def test_a_reset_is_decided_once_and_a_duplicate_of_it_undoes_nothing():
    reset, increment = event(0, reset=5), event(1)
    value = fold(b"42", [reset], LIMITS).value
    assert after(value, increment, reset) == (6, [APPLIED, APPLIED_BEFORE])
    assert fold(value, [reset], LIMITS) == (None, [APPLIED_BEFORE])


def test_a_reset_to_the_count_that_stands_there_is_remembered_all_the_same():
    reset = event(0, reset=42)
    value = fold(b"42", [reset], LIMITS).value
    assert fold(value, [reset], LIMITS) == (None, [APPLIED_BEFORE])


def test_a_reset_asks_no_bound():
    reset = event(0, amount=1, low=10, high=-10, reset=1_000)
    assert after(b"0", reset) == (1_000, [APPLIED])


def test_what_comes_after_a_reset_is_decided_on_its_count():
    refused, taken = event(0, source=7, high=10), event(1, source=7, high=10)
    batch = [refused, event(0, reset=3), taken]
    assert after(b"10", *batch) == (4, [Decision.REJECTED, APPLIED, APPLIED])
    assert after(b"10", taken, event(0, reset=10), refused) == (
        10,
        [Decision.REJECTED, APPLIED, Decision.REJECTED],
    )


def test_in_every_order_the_count_is_the_last_reset_and_what_follows_it():
    batch = [event(0), event(1, reset=10), event(2, amount=5), event(3, reset=-3)]
    for order in permutations(batch):
        count = 100
        for each in order:
            count = count + each.amount if each.reset is None else each.reset
        assert after(b"100", *order) == (count, [APPLIED] * 4)


def test_a_reset_too_old_to_be_known_is_undecidable_and_changes_nothing():
    dropped = Limits(free_bytes=1, max_bytes=1)
    value = fold(b"42", [event(0)], dropped).value
    assert fold(value, [event(1, reset=0)], dropped) == (None, [Decision.UNDECIDABLE])


def test_a_counter_reset_to_zero_keeps_its_ledger():
    value = fold(None, [event(0), event(1)], LIMITS).value
    cleared = fold(value, [event(2, reset=0)], LIMITS).value
    assert after(cleared, event(0), event(1)) == (0, [APPLIED_BEFORE] * 2)
