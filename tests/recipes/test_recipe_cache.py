"""The client that the usual recipes have, on the channel whose calls may be lost."""

import grpc
import pytest

from benchmarks.recipes.cache import DEADLINE_S, Copy
from benchmarks.recipes.truth import key_of
from tally.counters.event import Increment
from tally.local.momento.data_calls import value_hash
from tests.recipes.here import Here
from tests.simulation.faults import Fault
from tests.simulation.network import LATENCY_S


def test_a_read_tells_what_is_there():
    here = Here()
    cache = here.cache
    assert here.do(lambda: (cache.get("k"), cache.get_with_hash("k"))) == (None, None)
    here.do(lambda: cache.set("k", b"v"))
    assert here.do(lambda: cache.get("k")) == b"v"
    assert here.do(lambda: cache.get_with_hash("k")) == Copy(b"v", value_hash(b"v"))


def test_an_increment_tells_the_sum():
    here = Here()
    assert here.do(lambda: [here.cache.increment("k", by) for by in (2, -1)]) == [2, 1]


def test_a_deleted_item_is_gone():
    here = Here()
    here.do(lambda: here.cache.set("k", b"v"))
    here.do(lambda: here.cache.delete("k"))
    assert here.store.value("k") is None


def test_a_conditional_write_tells_whether_it_happened():
    here = Here()
    cache = here.cache
    assert here.do(lambda: cache.set_if_present_and_not_equal("k", b"1", b"9")) is False
    assert here.do(lambda: [cache.set_if_absent("k", b"1") for _ in "ab"]) == [True, False]
    assert here.do(lambda: cache.set_if_present_and_not_equal("k", b"9", b"9")) is True
    assert here.do(lambda: cache.set_if_present_and_not_equal("k", b"10", b"9")) is False
    read = Copy(b"9", value_hash(b"9"))
    assert here.do(lambda: cache.set_if_unchanged("k", b"10", read)) is True
    assert here.do(lambda: cache.set_if_unchanged("k", b"11", read)) is False
    assert here.store.value("k") == b"10"


@pytest.mark.parametrize(
    ("fault", "value"), [(Fault.REQUEST_LOST, None), (Fault.ANSWER_LOST, b"1")]
)
def test_a_lost_increment_raises_and_is_not_repeated(fault, value):
    here = Here(rates={fault: 1.0})
    with pytest.raises(grpc.RpcError):
        here.do(lambda: here.cache.increment("k", 1))
    assert here.world.totals["calls"] == 1
    assert here.store.value("k") == value


def test_a_lost_read_is_tried_four_times():
    here = Here(rates={Fault.ANSWER_LOST: 1.0})
    with pytest.raises(grpc.RpcError):
        here.do(lambda: here.cache.get("k"))
    assert here.world.totals["calls"] == 4


def test_a_read_that_was_lost_once_succeeds():
    here = Here(rates={Fault.REQUEST_LOST: 0.5})
    assert here.do(lambda: [here.cache.get("k") for _ in range(5)]) == [None] * 5
    assert here.world.totals["calls"] > 5


def test_a_call_takes_time_and_a_lost_one_ends_at_its_deadline_at_the_latest():
    here = Here()
    here.do(lambda: here.cache.get("k"))
    assert 0.0 < here.world.timeline.now_s <= 2 * LATENCY_S
    lost = Here(rates={Fault.REQUEST_LOST: 1.0})
    with pytest.raises(grpc.RpcError):
        lost.do(lambda: lost.cache.get("k"))
    assert DEADLINE_S < lost.world.timeline.now_s <= 4 * DEADLINE_S


def test_the_account_is_told_what_each_write_counts_and_for_whom():
    increment = Increment(counter="c", max=9, source="00000000000000aa", seq=0, at=1)
    here = Here([increment])
    here.subject = key_of(increment)
    here.do(lambda: [here.cache.increment("c", by) for by in (1, -1)])
    here.do(lambda: here.cache.set_if_present_and_not_equal("c", b"1", b"9"))
    here.do(lambda: here.cache.set_if_absent("c", b"7"))
    here.do(lambda: here.cache.set("record", b"not a counter"))
    verdict = here.truth.verdict({"c": here.store.value("c")}, frozenset())
    assert verdict["double"] == verdict["lost"] == verdict["wrong"] == 0


def test_a_write_of_what_is_there_already_is_told_as_well():
    """The article's recipe writes 1 over 1, and both of its increments were accepted."""
    sold = [
        Increment(counter="c", max=1, source="00000000000000aa", seq=seq, at=1) for seq in (0, 1)
    ]
    here = Here(sold)
    for increment in sold:
        here.subject = key_of(increment)
        here.do(lambda: here.cache.set("c", b"1"))
    verdict = here.truth.verdict({"c": here.store.value("c")}, frozenset())
    assert (verdict["lost"], verdict["oversold"]) == (1, 1)
