"""At least once under any faults: nothing lost, no bound crossed; exact if no effect is hidden."""

import functools

import grpc
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.event import Event
from tally.local.momento.store import MAX_TTL_MS
from tally.settling.progress import Activity
from tally.settling.reason import Unsettled
from tests.support.clock import Clock
from tests.support.consumers import AT_MS, make_bare_writer
from tests.support.momento_channel import AT_LEAST_ONCE, Effect, FakeChannel, FakeStore, Fault

STATUS = grpc.StatusCode
MOST, LEAST = 6, -4
LARGEST = 3
MAX_DELIVERIES = 40
TIME_S = 20.0
UNKNOWN = [STATUS.UNAVAILABLE, STATUS.DEADLINE_EXCEEDED, STATUS.CANCELLED]
BEFORE = [STATUS.RESOURCE_EXHAUSTED, STATUS.FAILED_PRECONDITION, *UNKNOWN]
METHODS = st.sampled_from(list(AT_LEAST_ONCE))
LOST = st.builds(Fault, METHODS, st.sampled_from(BEFORE))
HIDDEN = st.builds(
    Fault, METHODS, st.sampled_from(UNKNOWN), st.sampled_from([Effect.DONE, Effect.LATE])
)
STALE = st.just("GetWithHash").map(functools.partial(Fault, stale=True))
GROUPS = st.fixed_dictionaries(
    {
        "plain": st.lists(st.integers(1, 5), max_size=6),
        "tickets": st.lists(st.integers(1, LARGEST), max_size=6),
        "stock": st.lists(st.integers(-3, -1), max_size=6),
    }
)
BATCHES = st.lists(GROUPS, min_size=1, max_size=4)


class CountWitness(FakeStore):
    """A store that remembers every count that was ever there."""

    def __init__(self, clock):
        super().__init__(clock)
        self.held = {}

    def put(self, key, value, ttl_ms=MAX_TTL_MS):
        self.held.setdefault(key.decode(), []).append(int(value))
        super().put(key, value, ttl_ms)


def events_of(number, groups):
    """The events of a batch, which is a source of its own."""
    return {
        counter: [
            Event(counter, number, seq, AT_MS, amount, **bounds)
            for seq, amount in enumerate(groups[counter])
        ]
        for counter, bounds in (
            ("plain", {}),
            ("tickets", {"high": MOST}),
            ("stock", {"low": LEAST}),
        )
        if groups[counter]
    }


def delivered(batches, faults):
    """What was ever stored, after each batch was delivered until all of it was settled."""
    clock = Clock()
    store = CountWitness(clock)
    channels = [FakeChannel(clock, store, AT_LEAST_ONCE) for _ in range(2)]
    writers = [make_bare_writer(channel) for channel in channels]
    channels[0].faults = faults
    waiting = [events_of(number, groups) for number, groups in enumerate(batches)]
    for delivery in range(MAX_DELIVERIES):
        for place, groups in enumerate(waiting):
            writer = writers[(delivery + place) % 2]
            progress = writer.settle(groups, clock() + TIME_S, Activity())
            settled = progress.settlements()
            waiting[place] = {
                counter: group
                for counter, group in groups.items()
                if isinstance(settled[counter], Unsettled)
            }
    assert not any(waiting)
    return store.held


def last(held, counter):
    return held.get(counter, [0])[-1]


@given(BATCHES, st.lists(LOST | HIDDEN | STALE, max_size=12))
def test_nothing_is_lost_and_no_bound_is_crossed(batches, faults):
    held = delivered(batches, faults)
    assert last(held, "plain") >= sum(sum(groups["plain"]) for groups in batches)
    assert all(0 <= count <= MOST for count in held.get("tickets", []))
    assert all(LEAST <= count <= 0 for count in held.get("stock", []))
    # A rejection has met a count that was too full for it, and no ticket is ever given back.
    wanted = sum(sum(groups["tickets"]) for groups in batches)
    assert last(held, "tickets") >= min(wanted, MOST - LARGEST + 1)


@given(BATCHES, st.lists(LOST | STALE, max_size=12))
def test_where_no_effect_is_hidden_every_event_counts_once(batches, faults):
    held = delivered(batches, faults)
    assert last(held, "plain") == sum(sum(groups["plain"]) for groups in batches)
    wanted = sum(sum(groups["tickets"]) for groups in batches)
    assert wanted > MOST or last(held, "tickets") == wanted
