"""What the contract cannot see of counters in memory: tokens, and threads that come between."""

from tally.stores.memory import Items, MemoryStore
from tally.stores.port import ABSENT, NOT_SENT, Copy, LostRace, Stored, Swap
from tests.support.clock import Clock

MANY = 70_000
"""More than two bytes can number."""


class Between(dict[str, Copy]):
    """Items that let another thread swap at each look, unless the lock keeps it out."""

    def __init__(self, items, swap):
        self._items, self._swap = items, swap
        self.is_kept_out = False

    def get(self, *key):
        found = super().get(*key)
        self.is_kept_out = self._items.lock.locked()
        if not self.is_kept_out:
            self._swap()
        return found


def test_no_two_values_ever_have_one_token():
    items = Items()
    tokens = [items.put(counter, b"1").token for _ in range(MANY) for counter in "ab"]
    assert len(set(tokens)) == 2 * MANY


def test_nobody_comes_between_a_look_and_the_swap_that_follows_from_it():
    items, clock = Items(), Clock()
    store = MemoryStore(items, clock=clock)
    between = items.copies = Between(items, lambda: items.put("c", b"another's"))
    [(_, answer)] = store.write([Swap("c", ABSENT, b"1")], clock() + 1)
    assert isinstance(answer, Stored)
    assert between.is_kept_out
    assert items.copies["c"] == (b"1", answer.token)


def test_the_lock_is_free_again_whoever_won():
    items, clock = Items(), Clock()
    store = MemoryStore(items, clock=clock)
    for _ in range(2):
        answers = [each for _, each in store.write([Swap("c", ABSENT, b"1")], clock() + 1)]
        assert not items.lock.locked()
    assert answers == [LostRace(items.copies["c"])]


def test_at_the_very_end_of_its_time_no_call_begins():
    clock = Clock()
    store = MemoryStore(clock=clock)
    assert list(store.read(["c"], clock())) == [("c", NOT_SENT)]
    swap = Swap("c", ABSENT, b"1")
    assert list(store.write([swap], clock())) == [(swap, NOT_SENT)]
    assert store.usage.operations == 0
