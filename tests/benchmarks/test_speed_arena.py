"""Everybody whom a benchmark compares counts right, on the embedded Momento; and costs are told."""

import pytest

from benchmarks.speed import arena, peers
from benchmarks.speed.arena import COUNTERS, CURVES, Entrant, matches
from benchmarks.speed.consumers import MiscountedError, tally, unread, warm_up
from benchmarks.speed.growth import Cost, cost, over_counters, over_sources, value_bytes
from benchmarks.speed.memory import untraced
from benchmarks.speed.workload import Workload

NO_SERVER = "no-such-redis-server"


@pytest.fixture(scope="module")
def servers():
    with arena.arena(NO_SERVER) as running:
        yield running


@pytest.mark.parametrize("name", [arena.OURS, arena.SEED, arena.INCREMENT, arena.POWERTOOLS])
@pytest.mark.parametrize("packed", [False, True])
def test_an_entrant_counts_what_was_published(servers, name, packed):
    workload = Workload(1, 3, name=f"packed-{packed}")
    entrant = servers.entrants[name]
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


def test_without_a_redis_server_there_is_no_entrant_on_it(servers):
    assert servers.redis is None
    assert not {arena.REDIS, arena.REDIS_PIPELINED, arena.REDIS_PACKED} & servers.entrants.keys()


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
    settled, ended = untraced(servers.endpoint, 5, seed=1)
    assert 0 < settled <= ended
