"""Everybody whom a benchmark compares counts right, on the embedded Momento; and costs are told."""

from functools import partial

import pytest

from benchmarks.speed import arena, consumers, peers
from benchmarks.speed.arena import CURVES
from benchmarks.speed.consumers import MiscountedError, tally, unread, warm_up
from benchmarks.speed.growth import Cost, cost, over_counters, over_sources, value_bytes
from benchmarks.speed.matches import COUNTERS, Entrant, matches, times_counted
from benchmarks.speed.memory import untraced
from benchmarks.speed.run import CLOSE
from benchmarks.speed.stores import Place, swap
from benchmarks.speed.workload import Workload
from tally.stores.memory import MemoryStore
from tests.support.valkey import needed

OURS = (arena.OURS, arena.OURS_PACKED, arena.MEMORY, arena.MEMORY_PACKED)
ON_VALKEY = (arena.VALKEY, arena.VALKEY_PACKED)
LUA = (arena.LUA, arena.LUA_PIPELINED, arena.LUA_PACKED, arena.LUA_LEAN)
OTHERS = (arena.SEED, arena.INCREMENT, arena.POWERTOOLS)


@pytest.fixture(scope="module")
def servers():
    with arena.arena() as running:
        yield running


@pytest.mark.parametrize("name", [*OURS, *OTHERS, *ON_VALKEY, *LUA])
@pytest.mark.parametrize("packed", [False, True])
def test_an_entrant_counts_what_was_published(servers, name, packed):
    if name in ON_VALKEY:
        needed()
    if name in LUA:
        needed()
        pytest.importorskip(arena.CLIENT, reason="redis-py is not installed: make bench does it")
    entrant = servers.entrants[name]
    workload = Workload(1, 3, name=f"{entrant.counters}-packed-{packed}")
    with unread():
        entrant.handle(workload.of_each_counter().event)
        entrant.handle(workload.batch(20, packed=packed).event)
    assert entrant.read(workload.counters) == workload.published


def test_a_match_has_a_time_of_everybody_for_each_repeat(servers):
    [match] = matches(servers.entrants, [45], repeats=2, seed=1, counters=4)
    assert (match.size, match.increments) == (45, 90)
    repeats = {name: len(times) for name, times in match.times.items()}
    assert repeats == dict.fromkeys(servers.entrants, 2)
    assert all(rate > 0 for name in repeats for rate in match.rates(name))
    assert all(cpu_us >= 0 for name in repeats for cpu_us in match.cpu_us(name))


def test_without_a_server_of_valkey_there_is_no_entrant_on_it():
    with arena.arena(["no-such-valkey-server"]) as without:
        assert without.server == ""
        assert not {*ON_VALKEY, *LUA} & without.entrants.keys()


def test_ours_counts_once_what_is_delivered_twice_and_nobody_else_does(servers):
    counted = dict.fromkeys([*OURS, *ON_VALKEY], 1) | dict.fromkeys([*OTHERS, *LUA], 2)
    there = servers.entrants.keys() & counted.keys()
    assert times_counted(servers.entrants, 1) == {name: counted[name] for name in there}


def test_who_counts_some_of_what_is_delivered_twice_once_is_found():
    def count_nothing(_event):
        pass

    def read(counters):
        return {counter: place % 2 for place, counter in enumerate(counters)}

    with pytest.raises(MiscountedError, match="half"):
        times_counted({"half": Entrant(count_nothing, read=read)}, seed=1)


def test_the_bare_swaps_are_one_for_each_counter_of_a_batch(servers):
    workload = Workload(1, 300, name="bare")
    bare = servers.entrants[arena.BARE]
    given = [bare.prepare(workload.of_each_counter().event) for _ in range(2)]
    assert [sorted(each) for each in given] == [workload.counters] * 2
    before = servers.stats().calls["SetIfHash"]
    for each in given:
        bare.handle(each)
    assert servers.stats().calls["SetIfHash"] - before == 2 * 300


def test_ours_swaps_on_every_store_and_tells_how_long_the_values_are(servers):
    stored = {name: servers.entrants[name] for name in CLOSE if name in servers.entrants}
    [few, many] = swap(stored, [Place(100, 4), Place(4, 290)], repeats=1, seed=1)
    assert (few.place, many.place) == (Place(100, 4), Place(4, 290))
    assert 50 < few.value_bytes < 120
    assert 2_500 < many.value_bytes < 3_500
    assert few.times.keys() == {arena.MEMORY, arena.OURS, arena.VALKEY} & (
        {arena.MEMORY} | stored.keys()
    )
    assert few.beyond_us(arena.OURS) == [few.cpu_us(arena.OURS)[0] - few.cpu_us(arena.MEMORY)[0]]


def test_counts_in_memory_are_those_of_their_own_store():
    memory = MemoryStore()
    workload = Workload(1, 3)
    with unread():
        consumers.in_store(memory)(workload.batch(20).event)
    assert consumers.counts(memory, [*workload.counters, "other"]) == workload.published


def test_who_miscounts_is_found():
    def count_nothing(_event):
        pass

    entrants = {"idle": Entrant(count_nothing, read=lambda counters: dict.fromkeys(counters, 0))}
    with pytest.raises(MiscountedError, match="idle"):
        matches(entrants, [10], repeats=1, seed=1)


def test_a_batch_costs_ours_one_swap_a_counter_and_the_seed_three_operations_an_event(servers):
    workload = Workload(1, COUNTERS, name="cost")
    seed = servers.entrants[arena.SEED].handle
    with tally(servers.endpoint, CURVES) as ours, unread():
        warm_up(ours, workload)
        assert cost(servers, ours, workload, 1_000) == Cost(1_000, 0, 100, 200)
    warm_up(seed, workload)
    assert cost(servers, seed, workload, 10) == Cost(10, 10, 20, 30)


def test_the_curves_tell_what_grew(servers):
    counters = over_counters(servers, [2, 3], repeats=1, seed=1)
    assert [(point.many, point.cost) for point in counters] == [
        (2, Cost(10_000, 0, 2, 4)),
        (3, Cost(10_000, 0, 3, 6)),
    ]
    [few, many] = over_sources(servers, [2, 200], repeats=1, seed=1)
    assert (few.many, few.cost) == (2, Cost(100, 0, 1, 2))
    assert (many.many, many.cost) == (200, Cost(100, 0, 1, 6))
    value = peers.read_value(servers.endpoint, CURVES, "from-200:00000")
    assert few.value_bytes < 60
    assert 2_048 < many.value_bytes == len(value) < 3_072


def test_the_value_of_sixty_live_sources_fits_a_billed_kilobyte():
    assert value_bytes(60) == 861
    assert value_bytes(1, increments_each=1) == 24


def test_the_peak_of_a_process_never_falls(servers):
    settled, ended = untraced(partial(tally, servers.endpoint, CURVES), 5, seed=1)
    assert 0 < settled <= ended
