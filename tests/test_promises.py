"""Where a promise ends, as the program sees it that meets it; docs/guarantees.md names these."""

import io

import pytest

from tally.cli import lines
from tally.cli.unsent import UnsentFile
from tally.counters.counter import fold, read_count
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.identity import derived_source
from tally.counters.ledger import MS, Limits
from tally.counters.outcome import Outcome, outcome
from tally.publishing.errors import UnsentError
from tally.publishing.sequence import Sequence
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.dynamodb import items
from tally.stores.memory import Items, MemoryStore
from tests.support.clock import Clock
from tests.support.consumers import Draws, events
from tests.support.sqs import FakeSqs, client_error, lost_before, publisher

NOW_S = 1_790_000_000
NOW_MS = NOW_S * MS
LIMITS = Limits()
MEBIBYTE_IDS = 105_000
"""What docs and docstrings say of how many ids a full ledger knows."""

TABLE_RATE = 25
"""Enough for a table's ledger."""

DAY_MS, KIBIBYTE_IDS = 86_400 * MS, 200
"""After how long, and how many other ids, an id may be forgotten: 104 do not fill a kibibyte."""

RATE, AHEAD_S, FULL_AFTER_S = 2_000, 299, 53
"""Ids a second from a clock so far ahead, and when they have filled the ledger."""

HARMLESS_RATE, HARMLESS_FULL_AFTER_S = 300, 360
"""The same for ids that come so slowly that the ledger remembers more than that lead."""


def published(now_ms, **fields):
    """The event of `publish("c", id="order-17")`, by a clock that says so."""
    sqs = FakeSqs()
    with publisher(sqs, sequence=Sequence(clock_ms=lambda: now_ms)) as publishing:
        publishing.publish("c", id="order-17", **fields)
    [event] = sqs.events
    return event


def decided(value, *batch):
    return fold(value, batch, LIMITS).decisions


@pytest.fixture(scope="module")
def known():
    """The value in which the id is known."""
    return fold(None, [published(NOW_MS)], LIMITS).value


@pytest.fixture(scope="module")
def full(known):
    """The same once a mebibyte of other ids has counted, a second later."""
    others = [Event("c", source, 0, NOW_MS + MS) for source in range(MEBIBYTE_IDS)]
    return fold(known, others, LIMITS).value


def test_an_id_stamped_anew_counts_again_once_a_mebibyte_of_other_ids_has_counted(known, full):
    again = published(NOW_MS + 2 * MS)
    assert decided(known, again) == [Decision.APPLIED_BEFORE]
    counted = fold(full, [again], LIMITS)
    assert counted.decisions == [Decision.APPLIED]
    assert read_count(counted.value or b"") == read_count(full) + 1 == MEBIBYTE_IDS + 2


@pytest.fixture(scope="module")
def day_old(known):
    """The same a day later, once as many other ids have counted as fill a kibibyte."""
    others = [Event("c", source, 0, NOW_MS + DAY_MS + MS) for source in range(KIBIBYTE_IDS)]
    return fold(known, others, LIMITS).value


def test_an_id_stamped_anew_counts_again_a_day_later_once_others_fill_a_kibibyte(known, day_old):
    again = published(NOW_MS + DAY_MS + 2 * MS)
    assert decided(known, again) == [Decision.APPLIED_BEFORE]
    assert decided(day_old, again) == [Decision.APPLIED]
    same = published(NOW_MS + DAY_MS + 2 * MS, at=NOW_MS)
    assert decided(day_old, same) == [Decision.UNDECIDABLE]


def test_an_id_with_the_same_at_never_counts_again_and_is_reported_once_it_is_forgotten(
    known, full
):
    again = published(NOW_MS + 2 * MS, at=NOW_MS)
    assert decided(known, again) == [Decision.APPLIED_BEFORE]
    assert decided(full, again) == [Decision.UNDECIDABLE]


def test_what_was_not_confirmed_is_handed_back_with_its_identity_and_its_at(tmp_path):
    refusing, path = (
        FakeSqs(lost_before(client_error("AccessDenied", 403))),
        tmp_path / "unsent.jsonl",
    )
    with publisher(refusing, sequence=Sequence(clock_ms=lambda: NOW_MS)) as publishing:
        sent = publishing.publish("c", id="order-17")
        with pytest.raises(UnsentError) as raised:
            publishing.flush()
    assert raised.value.increments == (sent,)
    UnsentFile(path).keep(raised.value.increments)
    [line] = lines.read(io.BytesIO(path.read_bytes()), lines.Format.JSONL)
    later = FakeSqs()
    with publisher(later, sequence=Sequence(clock_ms=lambda: NOW_MS + MS)) as publishing:
        again = [publishing.publish_again(sent), publishing.publish_fields(line.fields)]
    assert again == [sent, sent]
    assert [event.at for event in later.events] == [NOW_MS] * 2


def ids_of_a_clock_ahead(first_s, last_s, rate=RATE):
    """So many ids of each of these seconds, as the clock that is ahead stamps them."""
    return [
        Event("c", second * rate + number, 0, (NOW_S + second + AHEAD_S) * MS)
        for second in range(first_s, last_s)
        for number in range(rate)
    ]


def latest_first(waited_s, events=200):
    """What is decided on events of as many programs, spread over the time that they waited."""
    value, decisions = None, []
    for waits_s in range(0, waited_s, waited_s // events):
        event = Event("c", derived_source(f"{waits_s}"), 0, (NOW_S - waits_s) * MS)
        folded = fold(value, [event], LIMITS)
        value = folded.value or value
        decisions += folded.decisions
    return set(decisions)


def test_what_waited_for_more_than_a_day_may_be_undecidable_after_newer_ones():
    assert latest_first(LIMITS.horizon_s) == {Decision.APPLIED}
    assert latest_first(2 * LIMITS.horizon_s) == {Decision.APPLIED, Decision.UNDECIDABLE}


def right(second):
    """An event of a clock that is right."""
    return Event("c", derived_source(f"right {second}"), 0, (NOW_S + second) * MS)


def test_a_clock_ahead_at_a_full_mebibyte_makes_the_events_of_right_clocks_undecidable():
    before = fold(None, ids_of_a_clock_ahead(0, FULL_AFTER_S - 1), LIMITS).value
    assert decided(before, right(FULL_AFTER_S)) == [Decision.APPLIED]
    full = fold(before, ids_of_a_clock_ahead(FULL_AFTER_S - 1, FULL_AFTER_S), LIMITS).value
    undecidable_until = FULL_AFTER_S + 246
    seconds = (FULL_AFTER_S, undecidable_until, undecidable_until + 1)
    assert decided(full, *map(right, seconds)) == [
        Decision.UNDECIDABLE,
        Decision.UNDECIDABLE,
        Decision.APPLIED,
    ]


def test_at_300_ids_a_second_a_clock_ahead_harms_nobody():
    ids = ids_of_a_clock_ahead(0, HARMLESS_FULL_AFTER_S, HARMLESS_RATE)
    full = fold(None, ids, LIMITS).value
    assert decided(full, ids[0]) == [Decision.UNDECIDABLE]  # it is full, and has forgotten
    assert decided(full, right(HARMLESS_FULL_AFTER_S)) == [Decision.APPLIED]


@pytest.mark.parametrize(
    ("rate", "decision"), [(TABLE_RATE, Decision.UNDECIDABLE), (20, Decision.APPLIED)]
)
def test_in_a_table_25_ids_a_second_of_a_clock_ahead_are_enough(rate, decision):
    limits = items.Items("counters", None, lambda: NOW_S).limits("c")
    full = fold(None, ids_of_a_clock_ahead(0, AHEAD_S, rate), limits)
    assert fold(full.value, [right(AHEAD_S)], limits).decisions == [decision]


def writer(items):
    """A consumer's writer, which knows nothing yet."""
    clock = Clock()
    rounds = Rounds(
        MemoryStore(items, clock=clock), clock=clock, sleep=clock.sleep, uniform=Draws()
    )
    return Writer(rounds, Copies())


def settled(consumer, event):
    groups = {"c": [event]}
    return consumer.settle(groups, consumer.clock() + 1, Activity()).settlements()["c"]


def test_into_a_new_life_an_event_counts_again_unless_a_warm_copy_knows_it():
    items, [event] = Items(), events(0)
    warm = writer(items)
    assert settled(warm, event) == [Decision.APPLIED]
    assert settled(warm, event) == [Decision.APPLIED_BEFORE]
    items.copies.clear()  # it has expired
    assert settled(warm, event) == [Decision.APPLIED_BEFORE]
    assert items.copies == {}
    assert settled(writer(items), event) == [Decision.APPLIED]


def test_a_source_used_twice_loses_what_comes_second():
    twins = FakeSqs(), FakeSqs()
    for sqs in twins:
        with publisher(sqs, sequence=Sequence(entropy=bytes)) as publishing:
            publishing.publish("c")
    [first], [second] = (sqs.events for sqs in twins)
    assert decided(fold(None, [first], LIMITS).value, second) == [Decision.APPLIED_BEFORE]


def test_what_another_program_sets_forgets_what_was_counted():
    items, [event] = Items(), events(0)
    assert settled(writer(items), event) == [Decision.APPLIED]
    items.put("c", b"1")
    assert settled(writer(items), event) == [Decision.APPLIED]
    assert read_count(items.copies["c"].value or b"") == 2


def test_an_outcome_is_forgotten_for_good_only_within_a_life():
    forgetful = Limits(free_bytes=1, max_bytes=1)
    [event] = events(0)
    value = fold(None, [event], forgetful).value
    asked = event.source, event.seq, event.at
    assert outcome(value, *asked) is Outcome.FORGOTTEN
    later = fold(value, events(1, at=event.at + MS), forgetful).value
    assert outcome(later, *asked) is Outcome.FORGOTTEN
    assert outcome(None, *asked) is Outcome.PENDING
    assert outcome(fold(None, [event], LIMITS).value, *asked) is Outcome.APPLIED


def test_the_chance_that_two_of_a_thousand_ids_share_their_64_bits_is_as_told():
    ids = 1_000
    assert f"{ids * (ids - 1) / 2 / 2**64:.0e}" == "3e-14"
    assert max(derived_source(str(number)) for number in range(ids)).bit_length() == 64
