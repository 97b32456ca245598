"""The real durable store on a table and a cache of a run, and the thread beside its rounds."""

from collections.abc import Callable
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from tally.counters.ledger import Limits
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore
from tally.stores.secret import Key
from tally.stores.valkey.store import ValkeyStore
from tests.simulation.copies import Cache, CopyLine
from tests.simulation.dynamodb import FREEZE_S, Client, Threads
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.network import Caller, KilledError
from tests.simulation.opened import DEADLINE_S, SERVER
from tests.simulation.plan import Plan
from tests.simulation.table import NAME
from tests.simulation.timeline import Actor, violated
from tests.simulation.world import World

NEVER_S = -1.0


class TightStore(DynamoStore):
    """A table's store that may remember less, so that runs come to what that leads to."""

    def __init__(self, plan: Plan, drawn: Limits, **options: Any) -> None:
        super().__init__(NAME, **options)
        self._plan = plan
        self._drawn = drawn

    def limits(self, counter: str) -> Limits:
        own, drawn = super().limits(counter), self._drawn
        free_bytes = min(own.free_bytes, drawn.free_bytes)
        max_bytes = min(own.max_bytes, drawn.max_bytes)
        limits = msgspec.structs.replace(drawn, free_bytes=free_bytes, max_bytes=max_bytes)
        if limits != self._plan.limits_of(counter, drawn):
            violated(f"takes {limits} for what a write unit has room for")
        return limits


class Beside:
    """A peer of the thread in which copies are set, with a turn of its own; it ends with a process.

    Attributes:
        wakes_at_s: until when it sleeps; NEVER_S if it has nothing to do.
    """

    def __init__(self, world: World, random: Random) -> None:
        self.delivery = Delivery([], fifo=False)
        self._random = random
        self.wakes_at_s = NEVER_S
        self._world = world
        self._actor: Actor | None = None
        self._is_over = False

    def submit(self, run: Callable[[], object]) -> None:
        """Run it as soon as whoever has the turn lets it."""

        def live(actor: Actor) -> None:
            self._actor = actor
            try:
                self.lives()
                run()
            except KilledError:
                pass
            self.wakes_at_s = NEVER_S

        self.wakes_at_s = self._world.timeline.now_s
        self._world.timeline.act(self._world.executor, live)

    def leave(self) -> None:
        """What is on its way ends in its own time."""

    def end(self) -> None:
        """The process is no more."""
        self._is_over = True

    def lives(self) -> None:
        """Whether it is; and it may freeze here.

        Raises:
            KilledError: it is not.
        """
        if self._world.dice.strikes(Fault.FROZEN):
            self.sleep_until(self._world.timeline.now_s + self._random.uniform(0.0, FREEZE_S))
        if self._is_over:
            raise KilledError

    def sleep_until(self, when_s: float) -> None:
        self.wakes_at_s = when_s
        if self._actor:
            self._actor.sleep_until(when_s)
        if self._is_over:
            raise KilledError


class Changed:
    """A peer of Condition between a caller and the thread beside: one of them runs at a time."""

    def __init__(self, world: World, caller: Caller, beside: Beside) -> None:
        self._timeline = world.timeline
        self._caller = caller
        self._beside = beside

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nobody else has come between."""

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Sleep until it is so, which only the thread beside can bring about, or for so long."""
        ends_at_s = self._timeline.now_s + timeout_s
        while not is_so() and self._timeline.now_s < ends_at_s:
            wakes_at_s = self._beside.wakes_at_s
            next_s = ends_at_s if wakes_at_s == NEVER_S else min(wakes_at_s, ends_at_s)
            self._caller.sleep_until(next_s)
        return is_so()

    def notify_all(self) -> None:
        """Who waits looks by itself."""


def open_durable(
    world: World,
    client: Client,
    cache: Cache,
    beside: Beside,
    lines: Caller,
    limits: Limits | None = None,
) -> DurableStore:
    """The store of a process.

    Args:
        world: of the run.
        client: of the table, whose dice are the cache's as well.
        cache: before it.
        beside: sets copies there.
        lines: who speaks to the cache.
        limits: how much a counter may remember; by default what the plan says.
    """
    timeline, plan = world.timeline, world.plan
    clocks: dict[str, Any] = {"clock": timeline, "wall_clock": timeline}
    table = TightStore(
        plan,
        limits or plan.limits,
        ttl_s=plan.ttl_s if plan.expires else None,
        deadline_s=DEADLINE_S,
        connect=lambda: client,
        make_threads=Threads,
        **clocks,
    )
    opened = partial(CopyLine, world, cache, lines, Random(client.random.random()))
    return DurableStore(
        table,
        _open_cache(opened, **clocks),
        plan.copy_ttl_s,
        make_threads=lambda _most, _name: beside,
        condition=lambda: Changed(world, client.caller, beside),
        **clocks,
    )


def _open_cache(opened: Callable[[], CopyLine], **clocks: Any) -> ValkeyStore:
    return ValkeyStore(
        SERVER, Key(""), opened=lambda _ends_at: opened(), deadline_s=DEADLINE_S, **clocks
    )
