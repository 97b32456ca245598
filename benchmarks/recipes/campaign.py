"""Every recipe at every rate, over many seeds, on all cores."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import NamedTuple

from benchmarks.recipes.lineup import RECIPES
from benchmarks.recipes.run import Outcome, run, total
from benchmarks.recipes.scenario import CONSUMERS, RATES, Scenario, rates

CHUNK_SEEDS = 10
"""Seeds that a process takes at a time: about a second's work."""


class Task(NamedTuple):
    """A recipe at a rate, over some seeds."""

    recipe: str
    rate: float
    seeds: range


Results = dict[tuple[str, float], Outcome]
"""The outcome of each recipe at each rate."""


def play(task: Task) -> Outcome:
    """Run a task's seeds one after the other, and sum up."""
    scenarios = [Scenario(seed, rates(task.rate)) for seed in task.seeds]
    with ThreadPoolExecutor(CONSUMERS) as executor:
        return total(run(RECIPES[task.recipe], each, executor) for each in scenarios)


def campaign(seeds: range, *, processes: int, tick: Callable[[float], object]) -> Results:
    """Run all recipes at all rates; `tick` is told which share is done."""
    todo = list(tasks(seeds))
    results: Results = {}
    context = multiprocessing.get_context("spawn")  # a fork would copy gRPC's threads, not run them
    with ProcessPoolExecutor(processes, context, initializer=_leave_interrupts) as pool:
        for number, (task, outcome) in enumerate(zip(todo, pool.map(play, todo), strict=True), 1):
            cell = (task.recipe, task.rate)
            results[cell] = total([results[cell], outcome]) if cell in results else outcome
            tick(number / len(todo))
    return results


def tasks(seeds: range) -> Iterator[Task]:
    """Every recipe at every rate, over the seeds in chunks."""
    for rate in RATES:
        for recipe in RECIPES:
            for start in range(0, len(seeds), CHUNK_SEEDS):
                yield Task(recipe, rate, seeds[start : start + CHUNK_SEEDS])


def _leave_interrupts() -> None:
    """Ctrl-C is the parent's to handle: it lets the chunks under way finish."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
