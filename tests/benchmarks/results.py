"""Results of a benchmark as they might have been, for what is made of them."""

from benchmarks.speed import arena, cold, durable, publishing
from benchmarks.speed.contention import CONSUMERS, Contest
from benchmarks.speed.durable import Durable, Side
from benchmarks.speed.growth import Cost, Point
from benchmarks.speed.matches import Match
from benchmarks.speed.memory import Memory
from benchmarks.speed.publishing import Published
from benchmarks.speed.run import CLOSE_SIZES, FULL, Machine, Results
from benchmarks.speed.stores import PLACES, SWAPS, Swapped
from benchmarks.speed.timing import Timed

REPEATS = (0.8, 1.0, 1.4)
"""What the repeats take, in parts of their median."""


def times(wall_s, cpu_s=0.0):
    return [Timed(wall_s * part, cpu_s * part) for part in REPEATS]


WALLS_US = {arena.OURS: 5, arena.OURS_PACKED: 3, arena.SEED: 800, arena.MSGSPEC: 0.5}
WALLS_US |= {arena.MEMORY: 2.0, arena.BARE: 4.6}
VALKEY_WALLS_US = {arena.VALKEY: 2.1, arena.VALKEY_PACKED: 1, arena.LUA_PIPELINED: 5}
VALKEY_WALLS_US |= {arena.LUA_PACKED: 4.5}
"""What an increment takes; 0.6 of it is CPU."""


def match(size, *, valkey=True):
    walls_us = WALLS_US | (VALKEY_WALLS_US if valkey else {})
    told = {
        name: times(wall * size / 1e6, 0.6 * wall * size / 1e6) for name, wall in walls_us.items()
    }
    return Match(size, size, told)


def swapped(place, *, valkey=True):
    """A swap takes 2 µs in memory, 3 µs on Valkey, and 80 µs on Momento; 0.6 of it is CPU."""
    walls_us = {arena.MEMORY: 2, arena.VALKEY: 3, arena.OURS: 80}
    told = {
        name: times(wall * SWAPS / 1e6, 0.6 * wall * SWAPS / 1e6)
        for name, wall in walls_us.items()
        if valkey or name != arena.VALKEY
    }
    return Swapped(place, 13 * place.sources + 17, told)


def contest(consumers, tried, given_up=0):
    return Contest(consumers, tried, 100, given_up, 2.5, 10.0)


def curve(tries):
    """Three contests for each number of consumers, which tried so many swaps for 100 stored."""
    return [[contest(many, tried + more) for more in (0, 2, 1)] for many, tried in tries.items()]


def on_tables():
    """Ours takes a unit and 0.5 ms of CPU a call, the others 2 ms an event."""
    return Durable(
        sides={
            durable.OURS: Side(1_000, times(1.0, 0.05), 0.1, 0.1, 0),
            durable.ADD: Side(1_000, times(1.0, 2.0), 1, 1, 0),
            durable.TRANSACTION: Side(1_000, times(2.0, 2.0), 1, 4, 1),
        },
        counted={durable.OURS: 1, durable.ADD: 2, durable.TRANSACTION: 1},
        grown=[Side(place.events, times(1.0, 0.05), 0.1, 0.1, 0) for place in durable.PLACES],
        memory=Memory(200, (102_400, 102_400), (81_920, 81_920)),
    )


def results(*, valkey=True, **other):
    """All goals are met."""
    tries = {many: 100 + 8 * many for many in CONSUMERS} | {8: 155}
    point = Point(10, 10_000, times(0.05, 0.03), Cost(10_000, 0, 10, 20))
    told = {
        "machine": Machine("A processor", 2, "3.11.7", "Valkey 8.1.8" if valkey else ""),
        "seed": 0,
        "scale": FULL,
        "matches": [match(size, valkey=valkey) for size in FULL.sizes],
        "close": [match(size, valkey=valkey) for size in CLOSE_SIZES],
        "swapped": [swapped(place, valkey=valkey) for place in PLACES],
        "counted": {arena.OURS: 1, arena.SEED: 2},
        "cost": {
            arena.OURS: Cost(1_000, 0, 100, 200),
            arena.SEED: Cost(1_000, 1_000, 2_000, 3_000),
        },
        "depth": 1.0,
        "busy": curve(tries),
        "paused": curve(dict.fromkeys(CONSUMERS, 110)),
        "counters": [point],
        "sources": [Point(60, 100, times(0.002, 0.0015), Cost(100, 0, 1, 2), 861)],
        "value_bytes": 861,
        "starts": {cold.OURS: [0.12, 0.13, 0.11], cold.LIBRARIES: [0.10, 0.10, 0.10]},
        "adapters": {where: [0.003, 0.002, 0.0025] for where in cold.BEFORE_ADAPTER},
        "tables": {name: [0.2, 0.3, 0.25] for name in cold.TABLES},
        "memory": Memory(1_000, (102_400, 102_400), (81_920, 81_920)),
        "durable": on_tables(),
        "published": Published(
            {
                publishing.OURS: times(0.5),
                publishing.ONE_EACH: times(1.0),
                publishing.TEN_EACH: times(0.2),
            },
            1.0,
        ),
    }
    return Results(**(told | other))
