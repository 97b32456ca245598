"""The account of what was really counted: told of writes, it finds what went wrong, and no more."""

from benchmarks.recipes.truth import Key, Truth, key_of
from tally.counters.counter import fold
from tally.counters.event import Event, Increment
from tally.counters.ledger import Limits

SOURCE = "00000000000000aa"
A, B, C = (Key("c", 0xAA, seq) for seq in range(3))
RIGHT = {"events": 3, "counters": 1, "bounds": 0, "dead": 0} | {
    "double": 0,
    "lost": 0,
    "wrong": 0,
    "oversold": 0,
}


def truth(bound=100):
    """Of three increments of one counter."""
    return Truth(
        Increment(counter="c", max=bound, source=SOURCE, seq=seq, at=1_790_000_000_000)
        for seq in range(3)
    )


def judged(account, value, dead=()):
    return account.verdict({"c": value}, frozenset(dead))


def test_an_increment_is_known_by_its_counter_source_and_seq():
    assert key_of(Increment(counter="c", max=1, source=SOURCE, seq=1, at=1)) == B


def test_each_increment_counted_once_is_right():
    account = truth()
    account.writes("c", None, b"1", {A: 1})
    account.writes("c", b"1", b"2", {B: 1})
    account.writes("c", b"2", b"3", {C: 1})
    assert judged(account, b"3") == RIGHT


def test_an_increment_counted_again_is_a_double():
    account = truth()
    for after, key in enumerate((A, A, B, C), 1):
        account.writes("c", b"%d" % (after - 1), b"%d" % after, {key: 1})
    assert judged(account, b"4") == RIGHT | {"double": 1, "wrong": 1}


def test_an_increment_taken_back_is_not_counted():
    account = truth(bound=2)
    for after, key in enumerate((A, B, C), 1):
        account.writes("c", b"%d" % (after - 1), b"%d" % after, {key: 1})
    account.writes("c", b"3", b"2", {C: -1})
    assert judged(account, b"2") == RIGHT | {"bounds": 1}


def test_a_write_that_knows_nothing_of_the_last_loses_it():
    account = truth()
    account.writes("c", None, b"1", {A: 1})
    account.writes("c", b"1", b"1", {B: 1})
    account.writes("c", b"1", b"2", {C: 1})
    assert judged(account, b"2") == RIGHT | {"lost": 1, "wrong": 1}


def test_what_was_acknowledged_and_never_written_is_lost_where_there_was_room():
    account = truth()
    account.writes("c", None, b"1", {A: 1})
    assert judged(account, b"1") == RIGHT | {"lost": 2, "wrong": 1}


def test_what_a_full_counter_has_not_was_rejected():
    account = truth(bound=1)
    account.writes("c", None, b"1", {A: 1})
    assert judged(account, b"1") == RIGHT | {"bounds": 1}


def test_what_is_a_dead_letter_is_neither_lost_nor_wrong():
    account = truth()
    account.writes("c", None, b"1", {A: 1})
    assert judged(account, b"1", [B, C]) == RIGHT | {"dead": 2}


def test_a_counter_above_its_bound_is_oversold():
    account = truth(bound=1)
    account.writes("c", None, b"1", {A: 1})
    account.writes("c", b"1", b"2", {B: 1})
    assert judged(account, b"2") == RIGHT | {"bounds": 1, "wrong": 1, "oversold": 1}


def test_a_counter_that_accepted_more_than_its_bound_is_oversold_whatever_it_says():
    account = truth(bound=1)
    account.writes("c", None, b"1", {A: 1})
    account.writes("c", b"1", b"1", {B: 1})
    assert judged(account, b"1") == RIGHT | {"bounds": 1, "lost": 1, "oversold": 1}


def test_a_counter_that_nobody_wrote_has_lost_everything():
    assert judged(truth(), None) == RIGHT | {"lost": 3, "wrong": 1}


def folded(value, *seqs, bound=100):
    events = [Event("c", 0xAA, seq, 1_790_000_000_000, high=bound) for seq in seqs]
    return fold(value, events, Limits()).value


def test_a_value_with_a_ledger_tells_itself_what_it_counts():
    account = truth()
    first = folded(None, 0, 1)
    second = folded(first, 2)
    account.writes("c", None, first, {})
    account.writes("c", first, second, {})
    assert judged(account, second) == RIGHT


def test_what_a_ledger_rejected_is_not_counted():
    account = truth(bound=2)
    value = folded(None, 0, 1, 2, bound=2)
    account.writes("c", None, value, {})
    assert judged(account, value) == RIGHT | {"bounds": 1}


def test_a_ledger_that_its_count_exceeds_has_counted_double():
    account = truth()
    value = folded(None, 0, 1, 2).replace(b"3\n", b"4\n")
    account.writes("c", None, value, {})
    assert judged(account, value) == RIGHT | {"double": 1, "wrong": 1}


def test_a_ledger_that_forgot_what_it_counted_counts_double():
    account = truth()
    first = folded(None, 0, 1, 2)
    again = b"4" + folded(None, 0)[1:]
    account.writes("c", None, first, {})
    account.writes("c", b"3", again, {})
    assert judged(account, again) == RIGHT | {"double": 1, "wrong": 1}


def test_the_account_knows_its_counters():
    assert truth().counters == ["c"]
    assert [truth().counts(name) for name in ("c", "record#1")] == [True, False]
