"""Many seeds, on all cores, until the time or the seeds are used up or a promise is broken."""

import math
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from typing import NamedTuple

from tests.simulation.plan import MAX_THREADS, Plan, draw
from tests.simulation.run import run

CHUNK_SEEDS = 10
"""Seeds that a process takes at a time: about a second's work."""

TICK_S = 1.0


class Failure(NamedTuple):
    """A seed that broke a promise, and which."""

    seed: int
    violation: str


class Totals:
    """What was done so far."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.seconds = 0.0

    def add(self, other: "Totals") -> None:
        self.counts += other.counts
        self.faults += other.faults
        self.failures += other.failures


def play(seeds: range, profile: str, cut: Callable[[Plan], Plan] = lambda plan: plan) -> Totals:
    """Run seeds one after the other, to the first that fails; `cut` makes plans smaller."""
    totals = Totals()
    with ThreadPoolExecutor(MAX_THREADS) as executor:
        for seed in seeds:
            outcome = run(cut(draw(seed, profile)), executor)
            totals.counts += outcome.totals
            totals.faults += outcome.faults
            if outcome.violation:
                totals.failures.append(Failure(seed, outcome.violation))
                break
    return totals


def campaign(
    seeds: range,
    profile: str,
    *,
    processes: int,
    seconds: float,
    tick: Callable[[Totals], object],
    events: float = math.inf,
) -> Totals:
    """Run seeds on several processes, for so long or so many events; `tick` is told now and then.

    The chunks under way at a failure, at Ctrl-C or at that end are finished and counted.
    """
    totals = Totals()
    chunks = _chunks(seeds)
    began_at = time.monotonic()
    ends_at = began_at + seconds
    context = multiprocessing.get_context("spawn")  # a fork would copy gRPC's threads, not run them
    with ProcessPoolExecutor(processes, context, initializer=_leave_interrupts) as pool:
        running: set[Future[Totals]] = set()
        more = True
        while running or more:
            has_ended = time.monotonic() >= ends_at or totals.counts["events"] >= events
            more = more and not totals.failures and not has_ended
            while more and len(running) <= processes:
                chunk = next(chunks, None)
                more = chunk is not None
                if chunk is not None:
                    running.add(pool.submit(play, chunk, profile))
            try:
                done, running = wait(running, TICK_S, FIRST_COMPLETED)
            except KeyboardInterrupt:
                more, done = False, set()
            for future in done:
                totals.add(future.result())
            totals.seconds = time.monotonic() - began_at
            tick(totals)
    return totals


def _chunks(seeds: range) -> Iterator[range]:
    for start in range(0, len(seeds), CHUNK_SEEDS):
        yield seeds[start : start + CHUNK_SEEDS]


def _leave_interrupts() -> None:
    """Ctrl-C is the parent's to handle: it lets the chunks under way finish."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
