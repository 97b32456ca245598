"""Several writers on one counter: whoever comes between which calls, and whatever is lost."""

import itertools

import grpc
import pytest

from tally.counters.counter import Counter
from tally.settling.progress import Activity
from tests.support.clock import Clock
from tests.support.consumers import Draws, events, make_writer
from tests.support.momento_channel import Effect, FakeChannel, FakeStore, Fault

TIME_S = 10.0
PLACES = list(itertools.product(range(5), repeat=2))
FAULTS = {
    "no fault": None,
    "never arrived": Effect.NONE,
    "answer lost": Effect.DONE,
    "arrives late": Effect.LATE,
}


class OneOfSeveral:
    """A writer of its own environment, which another may interrupt before any of its calls."""

    def __init__(self, store, clock, batch, fault):
        self.channel = FakeChannel(clock, store)
        self.writer = make_writer(self.channel, uniform=Draws(0.5))
        self.batch = batch
        if fault:
            self.channel.faults = [
                Fault(method, grpc.StatusCode.UNAVAILABLE, fault)
                for method in ("SetIf", "SetIfHash")
            ]

    def interrupt(self, place, run):
        """Let another run to its end before this one's call number `place`."""

        def before(call):
            if self.channel.calls.index(call) == place:
                run()

        self.channel.before_call = before

    def settle(self):
        groups = {"c": self.batch}
        progress = self.writer.settle(groups, self.writer.clock() + TIME_S, Activity())
        assert progress.open == {}


class Run:
    """Something that runs once: where a writer has no call of that number, at the end."""

    def __init__(self, settle):
        self._settle = settle
        self._is_done = False

    def __call__(self):
        if not self._is_done:
            self._is_done = True
            self._settle()


def together(batches, places, fault, start):
    """Each writer is interrupted by the next at its place; returns what is stored in the end."""
    clock = Clock()
    store = FakeStore(clock)
    if start is not None:
        store.put("c", start)
    writers = [OneOfSeveral(store, clock, batch, fault) for batch in batches]
    runs = [Run(writer.settle) for writer in writers]
    for writer, run, place in zip(writers, runs[1:], places, strict=False):
        writer.interrupt(place, run)
    for run in runs:
        run()
    store.land()
    return Counter(store.get("c"))


def recalled(counter, event):
    return counter.ledger.source(event.source).recall(event.seq).value


@pytest.mark.parametrize("start", [None, b"40"], ids=["absent", "present"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", range(6))
def test_two_writers_lose_nothing_and_count_nothing_twice(place, fault, start):
    shared = events(7, source=9)
    batches = [events(0, 1) + shared, shared + events(0, 1, 2, source=2)]
    counter = together(batches, [place], FAULTS[fault], start)
    assert counter.count == int(start or b"0") + 6


@pytest.mark.parametrize("start", [None, b"40"], ids=["absent", "present"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("places", PLACES, ids=str)
def test_three_writers_lose_nothing_and_count_nothing_twice(places, fault, start):
    shared = events(7, source=9)
    batches = [events(0, 1) + shared, shared + events(0, source=2), events(0, source=3) + shared]
    counter = together(batches, places, FAULTS[fault], start)
    assert counter.count == int(start or b"0") + 5


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("places", PLACES, ids=str)
def test_no_bound_is_crossed_and_each_event_has_one_outcome(places, fault):
    batches = [events(0, 1, source=source, high=4) for source in (1, 2, 3)]
    counter = together(batches, places, FAULTS[fault], None)
    outcomes = [recalled(counter, event) for batch in batches for event in batch]
    assert sorted(outcomes) == ["applied before"] * 4 + ["rejected before"] * 2
    assert counter.count == 4


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", range(3))
def test_a_batch_delivered_to_two_writers_at_once_counts_once(place, fault):
    batch = events(0, 1, 2)
    assert together([batch, batch], [place], FAULTS[fault], None).count == 3
