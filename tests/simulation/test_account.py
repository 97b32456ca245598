"""The oracle lets every right write pass, and names what is wrong with every wrong one."""

import msgspec
import pytest

from tally.counters.counter import fold
from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Limits
from tests.simulation.account import Account
from tests.simulation.facts import EPOCH_MS, Fact
from tests.simulation.timeline import ViolationError

AT_S = EPOCH_MS // 1_000
TIGHT = Limits(horizon_s=0, free_bytes=40, max_bytes=120)


def fact(seq, source=1, late_s=0, **fields):
    usual = {"amount": 1, "low": INT64_MIN, "high": INT64_MAX}
    return Fact(0, "c", source, seq, EPOCH_MS + late_s * 1_000, **usual | fields)


def folded(value, facts, limits=TIGHT):
    events = [
        Event(f.counter, f.source, f.seq, f.at, f.amount, f.low, f.high, f.reset) for f in facts
    ]
    return fold(value, events, limits).value


def page(count, floor=0, sources=()):
    """A value by hand: (source, seen after the floor or the one before, decided, rejected)."""
    ids = b"".join(source.to_bytes(8, "little") for source, *_ in sources)
    times = [floor, *(seen for _, seen, *_ in sources)]
    rejected = {place: each[3] for place, each in enumerate(sources) if each[3]}
    ledger = [1, ids, times, [each[2] for each in sources], rejected]
    return b"%d\n" % count + msgspec.msgpack.encode(ledger)


@pytest.fixture
def account():
    return Account(0, TIGHT)


def test_right_writes_pass_and_the_truth_grows(account):
    first = [fact(0), fact(1, high=1), fact(0)]
    value = folded(None, first)
    assert account.write(value, first) == first[:2]
    second = [fact(1), fact(0, source=2, late_s=9), fact(4, late_s=10)]
    assert account.write(folded(value, second), second) == second[1:]
    assert account.decided == {(1, 0): True, (1, 1): False, (2, 0): True, (1, 4): True}
    assert account.count == 3


WRONG = {
    "wrote count 2; what was applied gives 1": page(2, 0, [(1, AT_S, 1, 0)]),
    "wrote count 0; what was applied gives 1": page(0, 0, [(1, AT_S, 1, 0)]),
    f"wrote seen {AT_S - 1}, the latest event is of {AT_S}": page(1, 0, [(1, AT_S - 1, 1, 0)]),
    "decided {1} of 0000000000000001 are wrong": page(1, 0, [(1, AT_S, 2, 0)]),
    "decided {0, 5} of 0000000000000001 are wrong": page(1, 0, [(1, AT_S, [0, 0, 5, 1], 0)]),
    "rejected {0}, truly set() from 0": page(1, 0, [(1, AT_S, 1, 1)]),
    "wrote sources that nothing was decided of: {2}": page(1, 0, [(1, AT_S, 1, 0), (2, 0, 1, 0)]),
    f"wrote floor 0, what it forgets makes it {AT_S}": page(1),
    f"wrote floor 7, what it forgets makes it {AT_S}": page(1, 7),
    "forgot a source of 72 bytes, though 14 of 120": page(1, AT_S),
}


@pytest.mark.parametrize("violation", WRONG)
def test_a_wrong_write_of_one_event_is_named(violation):
    account = Account(0, Limits(horizon_s=60, free_bytes=100, max_bytes=120))
    with pytest.raises(ViolationError) as raised:
        account.write(WRONG[violation], [fact(0)])
    assert str(raised.value) == violation


def test_a_value_that_was_there_before_is_named(account):
    value = folded(None, [fact(0)])
    account.write(value, [fact(0)])
    with pytest.raises(ViolationError, match=r"^wrote a value seen before"):
        account.write(value, [])


def test_an_event_decided_again_after_it_was_forgotten_is_named(account):
    many = [fact(0, source=source, late_s=source) for source in range(1, 5)]
    account.write(folded(None, many), many)
    assert 1 not in account.sources
    account.floor = 0
    with pytest.raises(ViolationError, match=r"^decided twice: Fact\(.*source=1, seq=0"):
        account.write(page(5, 0, [(1, AT_S, 1, 0)]), [fact(0, late_s=1)])


def test_an_event_applied_past_its_bound_and_a_needless_rejection_are_named():
    for bound, count, rejected in [(0, 1, 0), (1, 0, 1)]:
        account = Account(0, TIGHT)
        with pytest.raises(ViolationError, match=f"^wrote count {count}; .* gives {1 - count}$"):
            account.write(page(count, 0, [(1, AT_S, 1, rejected)]), [fact(0, high=bound)])


def test_a_right_reset_passes_whatever_its_bounds_and_decides_what_follows(account):
    facts = [fact(0), fact(1, reset=9, high=3), fact(2), fact(3, high=10)]
    assert account.write(folded(None, facts), facts) == facts
    assert (account.count, account.decided[1, 3]) == (10, False)


@pytest.mark.parametrize("count", [1, 6, 7])
def test_a_reset_that_is_not_the_count_is_named(account, count):
    with pytest.raises(ViolationError, match=rf"^wrote count {count}; what was applied gives 5$"):
        account.write(page(count, 0, [(1, AT_S, 2, 0)]), [fact(0), fact(1, reset=5)])


def test_an_unrecorded_rejection_is_named(account):
    with pytest.raises(ViolationError, match=r"^rejected set\(\), truly \{0\} from 0$"):
        account.write(page(0, 0, [(1, AT_S, 1, 0)]), [fact(0, high=0)])


def test_what_is_expired_and_kept_past_the_free_bytes_is_named():
    account = Account(0, Limits(horizon_s=0, free_bytes=20, max_bytes=120))
    with pytest.raises(ViolationError, match=r"^kept what is expired in"):
        account.write(page(1, 0, [(1, AT_S, 1, 0)]), [fact(0)])
