"""Everything that is measured, one thing after the other, on a scale that can be chosen."""

import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.speed import cold, contention, durable, growth, memory, publishing, stores
from benchmarks.speed.arena import (
    BARE,
    CURVES,
    LUA_PACKED,
    LUA_PIPELINED,
    MEMORY,
    OURS,
    SEED,
    VALKEY,
    VALKEY_PACKED,
    Arena,
    arena,
)
from benchmarks.speed.consumers import tally, unread, warm_up
from benchmarks.speed.contention import Contest
from benchmarks.speed.durable import Durable
from benchmarks.speed.growth import Cost, Point
from benchmarks.speed.matches import COUNTERS, Match, matches, times_counted
from benchmarks.speed.memory import Memory
from benchmarks.speed.publishing import Published
from benchmarks.speed.stores import Swapped
from benchmarks.speed.workload import Workload

COST_INCREMENTS = 1_000
"""In the batch whose calls and operations are counted."""

LIVE_SOURCES = 60
"""Of the value whose length is told."""

CLOSE = (OURS, BARE, MEMORY, VALKEY, LUA_PIPELINED, VALKEY_PACKED, LUA_PACKED)
"""Who is compared by a few percent, and so more often: each beside whom it is compared with."""

CLOSE_SIZES = (1_000, 10_000)

PAUSED_FACTOR = 3
"""How much longer consumers are watched that pause between their batches."""


class Scale(NamedTuple):
    """How much is measured; what is not said here is always the same.

    Attributes:
        repeats: of each comparison …
        closely: … and of those that ask for a few percent.
        sizes: of batches.
        counters: the places of their curve.
        sources: the places of theirs.
        contest_s: how long consumers contend, in virtual time …
        contests: … and how often.
        starts: cold starts of each kind.
        batches: while memory is watched.
        published: the share of what is otherwise published.
    """

    repeats: int = 5
    closely: int = 21
    sizes: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    counters: tuple[int, ...] = growth.COUNTERS
    sources: tuple[int, ...] = growth.SOURCES
    contest_s: float = 10.0
    contests: int = 5
    starts: int = 9
    batches: int = memory.BATCHES
    published: float = 1.0


FULL = Scale()
QUICK = Scale(repeats=2, closely=5, contest_s=4.0, contests=2, starts=3, batches=100, published=0.2)


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    python: str
    server: str
    """The name and version of Valkey or Redis; empty if there was none."""


class Results(msgspec.Struct, frozen=True):
    """All that was measured.

    Attributes:
        machine: where.
        seed: of all that is drawn.
        scale: how much.
        matches: of each size of a batch.
        close: the same between CLOSE, with more repeats, of CLOSE_SIZES.
        swapped: ours on each store, with a swap an event.
        counted: how often each has counted what was delivered twice.
        cost: of a warm batch of COST_INCREMENTS, ours and the recipe's.
        depth: of a warm batch, in round trips.
        busy: contests of consumers that always have a next batch, by their number.
        paused: the same where each has one batch in a window.
        counters: the curve over the counters of a batch.
        sources: the curve over the live sources of a counter.
        value_bytes: the length of a value with LIVE_SOURCES.
        starts: seconds of cold starts.
        adapters: seconds of importing Valkey's adapter, by what was imported before.
        tables: seconds of what a cold start takes with a table, by what it is.
        memory: over many batches.
        durable: ours and others on DynamoDB.
        published: to SQS.
    """

    machine: Machine
    seed: int
    scale: Scale
    matches: list[Match]
    close: list[Match]
    swapped: list[Swapped]
    counted: dict[str, int]
    cost: dict[str, Cost]
    depth: float
    busy: list[list[Contest]]
    paused: list[list[Contest]]
    counters: list[Point]
    sources: list[Point]
    value_bytes: int
    starts: dict[str, list[float]]
    adapters: dict[str, list[float]]
    tables: dict[str, list[float]]
    memory: Memory
    durable: Durable
    published: Published

    def match(self, size: int) -> Match:
        """The match of batches of a size."""
        return next(match for match in self.matches if match.size == size)

    def closely(self, size: int) -> Match:
        """The same with more repeats, between CLOSE."""
        return next(match for match in self.close if match.size == size)


def measure(scale: Scale, seed: int, tell: Callable[[str], object] = lambda _: None) -> Results:
    """Measure everything.

    Args:
        scale: how much.
        seed: of all that is drawn.
        tell: is told what is measured next.
    """
    tell("cold starts")
    starts = cold.starts(scale.starts)
    adapters = cold.adapters(scale.starts)
    tables = cold.tables(scale.starts)
    tell("publishing to moto")
    published = publishing.publish(scale.repeats, scale.published)
    tell("on moto's DynamoDB")
    on_tables = durable.measure(scale.repeats, scale.batches, seed)
    with arena() as servers:
        side_by_side = _side_by_side(servers, scale, seed, tell)
    tell("consumers on one hot counter, in virtual time")
    return Results(
        seed=seed,
        scale=scale,
        depth=contention.depth(COUNTERS),
        busy=_contests(scale, seed),
        paused=_contests(scale, seed, contention.WINDOW_S),
        value_bytes=growth.value_bytes(LIVE_SOURCES),
        starts=starts,
        adapters=adapters,
        tables=tables,
        durable=on_tables,
        published=published,
        **side_by_side,
    )


def _side_by_side(
    servers: Arena, scale: Scale, seed: int, tell: Callable[[str], object]
) -> dict[str, Any]:
    """What needs the servers, by the names that it has in Results."""
    many: dict[str, Any] = {"repeats": scale.repeats, "seed": seed}
    tell("ours and the others, batch by batch")
    played = matches(servers.entrants, scale.sizes, **many)
    tell("ours on each store, and what it is measured by")
    close, swapped = _closely(servers, scale, seed)
    costs = _costs(servers, seed)
    tell("the cost over counters and over sources")
    counters = growth.over_counters(servers, scale.counters, **many)
    sources = growth.over_sources(servers, scale.sources, **many)
    tell("memory")
    return {
        "matches": played,
        "close": close,
        "swapped": swapped,
        "cost": costs,
        "counters": counters,
        "sources": sources,
        "memory": memory.measure(partial(tally, servers.endpoint, CURVES), scale.batches, seed),
        "counted": times_counted(servers.entrants, seed),
        "machine": _machine(servers),
    }


def _closely(servers: Arena, scale: Scale, seed: int) -> tuple[list[Match], list[Swapped]]:
    entrants = {name: servers.entrants[name] for name in CLOSE if name in servers.entrants}
    close = matches(entrants, CLOSE_SIZES, repeats=scale.closely, seed=seed, label="-close")
    places = stores.PLACES
    return close, stores.swap(servers.entrants, places, repeats=scale.closely, seed=seed)


def _costs(servers: Arena, seed: int) -> dict[str, Cost]:
    """Of a warm batch of ours, and of one of Momento's own recipe, on counters of their own."""
    workload = Workload(seed, COUNTERS, name="cost")
    with tally(servers.endpoint, CURVES) as ours, unread():
        warm_up(ours, workload)
        costs = {OURS: growth.cost(servers, ours, workload, COST_INCREMENTS)}
    theirs = servers.entrants[SEED].handle
    warm_up(theirs, workload)
    return costs | {SEED: growth.cost(servers, theirs, workload, COST_INCREMENTS)}


def _contests(scale: Scale, seed: int, pause_s: float = 0.0) -> list[list[Contest]]:
    return contention.curve(
        range(seed, seed + scale.contests),
        duration_s=scale.contest_s * (PAUSED_FACTOR if pause_s else 1),
        pause_s=pause_s,
    )


def _machine(servers: Arena) -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        server=servers.server,
    )


def _processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
