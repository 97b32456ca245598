"""One run of a recipe in a scenario, and the sum of many."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import NamedTuple

from benchmarks.recipes.environment import Environment, Recipe
from benchmarks.recipes.scenario import Scenario, publish
from benchmarks.recipes.store import Stores
from benchmarks.recipes.truth import Truth, key_of
from tally.counters.body import increments
from tests.simulation.queue import Queue
from tests.simulation.timeline import Actor
from tests.simulation.world import World


class Outcome(NamedTuple):
    """What came of a run, or of many: totals of Truth.verdict with calls and units, and faults."""

    totals: Counter[str]
    faults: Counter[str]


def run(recipe: Recipe, scenario: Scenario, executor: Executor) -> Outcome:
    """Let a recipe count a scenario's increments.

    Args:
        recipe: which.
        scenario: the same scenario gives the same outcome.
        executor: lends the threads, one for each consumer at least.
    """
    plan = scenario.plan
    world = World(plan, executor)
    queue = Queue(world, plan.random("queue"))
    published = list(publish(plan))
    truth = Truth(each.increment for each in published)
    stores = Stores(truth, world.timeline)
    for each in published:
        queue.post(each.letter, each.at_s)

    def consumer(number: int) -> None:
        def live(actor: Actor) -> None:
            Environment(world, queue, stores.act, recipe, actor, number).work()

        world.timeline.act(executor, live)

    for number in range(plan.consumers):
        consumer(number)
    world.timeline.play()
    if world.timeline.guard.error:
        raise world.timeline.guard.error
    values = {counter: stores.value(counter) for counter in truth.counters}
    dead = frozenset(key_of(dead) for letter in queue.dead for dead in increments(letter.body))
    totals = truth.verdict(values, dead)
    totals.update({name: world.totals[name] for name in ("calls", "deliveries")})
    totals.update(units=stores.units, records=stores.records)
    return Outcome(totals, world.dice.struck)


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """The sum of many runs."""
    result = Outcome(Counter[str](), Counter[str]())
    for outcome in outcomes:
        # Not +=, which drops what is 0.
        result.totals.update(outcome.totals)
        result.faults.update(outcome.faults)
    return result
