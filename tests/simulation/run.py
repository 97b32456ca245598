"""One run of a plan: everybody at work, then no more faults, then rest, then the verdict."""

import itertools
import traceback
from collections import Counter
from concurrent.futures import Executor
from typing import NamedTuple

from tests.simulation.books import Books
from tests.simulation.consumers import Environment, Stores
from tests.simulation.copies import Cache
from tests.simulation.faults import Fault
from tests.simulation.onlooker import Onlooker
from tests.simulation.plan import Plan
from tests.simulation.producers import Producer, counters, foreign_value, start_value
from tests.simulation.programs import Press, heard
from tests.simulation.queue import Queue
from tests.simulation.sqs import Post
from tests.simulation.store import Store
from tests.simulation.table import Table
from tests.simulation.timeline import ViolationError, violated
from tests.simulation.world import World

CALM_AFTER_S = 5.0
"""How long after the last producer's end faults go on."""

REDRIVES_AT = (0.3, 0.7, 1.0)
"""When somebody may redrive the dead letters: shares of the time in which producers publish."""


class Outcome(NamedTuple):
    """What a run came to; `violation` is empty if nothing was wrong."""

    violation: str
    totals: Counter[str]
    faults: Counter[str]


def run(plan: Plan, executor: Executor, history: list[str] | None = None) -> Outcome:
    """Play a plan to its end.

    Args:
        plan: what to play; the same plan gives the same outcome.
        executor: lends the threads, at least one for each consumer.
        history: is filled with what happened, if given.
    """
    world = World(plan, executor, history)
    with world.timeline.guard:
        _play(world)
    world.totals["seeds"] += 1
    return Outcome(_told(world.timeline.guard.error), world.totals, world.dice.struck)


def _told(error: BaseException | None) -> str:
    """The violation; any other error is one too, for no message may make the handler raise."""
    if error is None or isinstance(error, ViolationError):
        return str(error or "")
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"raised {error!r} at {where.filename}:{where.lineno}"


def _play(world: World) -> None:
    plan, timeline = world.plan, world.timeline
    queue = Queue(world, plan.random("queue"))
    table = Table(world, plan.random("table"))
    stores = Stores(
        Store(world, plan.random("store")), table, Cache(world, table, plan.random("cache"))
    )
    store = table if plan.is_durable else stores.store
    _fill(world, store)
    post = Post(world, queue, Books(world))
    if plan.has_programs:
        Press(post).finish_after(plan.span_s + CALM_AFTER_S)
    else:
        _publish(world, queue)
    for share in REDRIVES_AT:
        queue.expect(plan.span_s * share + CALM_AFTER_S / 2, queue.redrive)
    timeline.at(plan.span_s + CALM_AFTER_S, queue.calm_down)
    for number in range(plan.consumers):
        timeline.act(world.executor, Environment(world, queue, stores, number).live)
    if plan.is_durable or plan.has_programs:
        timeline.act(world.executor, Onlooker(world, queue, store, stores.cache).live)
    with heard(post):
        timeline.play()
    if not timeline.stopped:
        _judge(world, post, store)


def _fill(world: World, store: Store | Table) -> None:
    random = world.plan.random("start")
    for counter in counters(world.plan.counters):
        if world.dice.strikes(Fault.FOREIGN):
            store.spoil(counter, foreign_value(random))
        else:
            store.begin(counter, start_value(random))


def _publish(world: World, queue: Queue) -> None:
    plan, origins = world.plan, itertools.count()
    share = plan.letters // plan.producers
    producers = [Producer(world, number) for number in range(plan.producers)]
    letters = itertools.chain.from_iterable(each.letters(share, origins) for each in producers)
    for number, (at_s, letter) in enumerate(letters):
        if number not in plan.dropped:
            world.totals["messages"] += 1
            world.totals["events"] += len(letter.meant)
            world.totals["resets"] += sum(fact.reset is not None for fact in letter.meant)
            queue.post(letter, at_s)


def _judge(world: World, post: Post, store: Store | Table) -> None:
    """At rest: nothing is lost, nothing counted twice, and the ledger says so itself."""
    oracle, queue = world.oracle, post.queue
    oracle.rests(queue.sent.values(), queue.dead)
    post.books.rest(oracle.decided, [*queue.dead, *queue.gone])
    if not world.plan.forgets:
        world.totals["anonymous events decided again"] += oracle.counted_again()
    if world.plan.may_be_bare:
        world.totals["events counted under both guarantees"] += oracle.counted_under_both()
    for counter in oracle.accounts:
        world.totals["outcomes forgotten"] += oracle.answers(counter, store.get(counter))
    if world.plan.profile == "calm" and any(letter.valid for letter in queue.dead):
        violated("let a good message die, though nothing failed")
