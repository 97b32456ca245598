"""Everything that is measured, one thing after the other, on a scale that can be chosen."""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.speed import cold, contention, growth, memory, publishing
from benchmarks.speed.arena import COUNTERS, CURVES, OURS, SEED, Arena, Match, arena, matches
from benchmarks.speed.consumers import tally, unread, warm_up
from benchmarks.speed.contention import Contest
from benchmarks.speed.growth import Cost, Point
from benchmarks.speed.memory import Memory
from benchmarks.speed.publishing import Published
from benchmarks.speed.workload import Workload

COST_INCREMENTS = 1_000
"""In the batch whose calls and operations are counted."""

LIVE_SOURCES = 60
"""Of the value whose length is told."""


PAUSED_FACTOR = 3
"""How much longer consumers are watched that pause between their batches."""


class Scale(NamedTuple):
    """How much is measured; what is not said here is always the same.

    Attributes:
        repeats: of each comparison.
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
    sizes: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    counters: tuple[int, ...] = growth.COUNTERS
    sources: tuple[int, ...] = growth.SOURCES
    contest_s: float = 10.0
    contests: int = 5
    starts: int = 9
    batches: int = memory.BATCHES
    published: float = 1.0


FULL = Scale()
QUICK = Scale(repeats=2, contest_s=4.0, contests=2, starts=3, batches=100, published=0.2)


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    python: str
    redis: str


class Results(msgspec.Struct, frozen=True):
    """All that was measured.

    Attributes:
        machine: where.
        seed: of all that is drawn.
        scale: how much.
        matches: of each size of a batch.
        cost: of a warm batch of COST_INCREMENTS, ours and the seed's.
        depth: of a warm batch, in round trips.
        busy: contests of consumers that always have a next batch, by their number.
        paused: the same where each has one batch in a window.
        counters: the curve over the counters of a batch.
        sources: the curve over the live sources of a counter.
        value_bytes: the length of a value with LIVE_SOURCES.
        starts: seconds of cold starts.
        memory: over many batches.
        published: to SQS.
    """

    machine: Machine
    seed: int
    scale: Scale
    matches: list[Match]
    cost: dict[str, Cost]
    depth: float
    busy: list[list[Contest]]
    paused: list[list[Contest]]
    counters: list[Point]
    sources: list[Point]
    value_bytes: int
    starts: dict[str, list[float]]
    memory: Memory
    published: Published

    def match(self, size: int) -> Match:
        """The match of batches of a size."""
        return next(match for match in self.matches if match.size == size)


def measure(scale: Scale, seed: int, tell: Callable[[str], object] = lambda _: None) -> Results:
    """Measure everything.

    Args:
        scale: how much.
        seed: of all that is drawn.
        tell: is told what is measured next.
    """
    tell("cold starts")
    starts = cold.starts(scale.starts)
    tell("publishing to moto")
    published = publishing.publish(scale.repeats, scale.published)
    with arena() as servers:
        tell("ours and the others, batch by batch")
        played = matches(servers.entrants, scale.sizes, repeats=scale.repeats, seed=seed)
        costs = _costs(servers, seed)
        tell("the cost over counters and over sources")
        counters = growth.over_counters(servers, scale.counters, repeats=scale.repeats, seed=seed)
        sources = growth.over_sources(servers, scale.sources, repeats=scale.repeats, seed=seed)
        tell("memory")
        held = memory.measure(servers.endpoint, scale.batches, seed)
        machine = _machine(servers)
    tell("consumers on one hot counter, in virtual time")
    return Results(
        machine=machine,
        seed=seed,
        scale=scale,
        matches=played,
        cost=costs,
        depth=contention.depth(COUNTERS),
        busy=_contests(scale, seed),
        paused=_contests(scale, seed, contention.WINDOW_S),
        counters=counters,
        sources=sources,
        value_bytes=growth.value_bytes(LIVE_SOURCES),
        starts=starts,
        memory=held,
        published=published,
    )


def _costs(servers: Arena, seed: int) -> dict[str, Cost]:
    """Of a warm batch of ours, and of one of the seed's algorithm, on counters of their own."""
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
        redis=servers.redis.version if servers.redis else "",
    )


def _processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
