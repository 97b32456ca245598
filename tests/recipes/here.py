"""A recipe's surroundings without a queue: a store, a client that reaches it, and its time."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

from benchmarks.recipes.cache import CacheClient
from benchmarks.recipes.channel import Channel
from benchmarks.recipes.scenario import Scenario
from benchmarks.recipes.store import Store
from benchmarks.recipes.truth import Key, Truth
from tests.simulation.world import World


class Here:
    """A caller who is alone with the store."""

    def __init__(self, increments=(), rates=()):
        self.world = World(Scenario(1, dict(rates)).plan, ThreadPoolExecutor(1))
        self.truth = Truth(increments)
        self.store = Store(self.truth, self.world.timeline)
        self.random = Random(1)
        self.subject: Key | None = None
        self.cache = CacheClient(Channel(self.world, self.store.act, self))  # type: ignore[arg-type] # peers
        self._actor: Any = None

    def do(self, work):
        """What a piece of work returns, or raises, done in virtual time."""
        results = []

        def live(actor):
            self._actor = actor
            results.append(work())

        with ThreadPoolExecutor(1) as executor:
            self.world.timeline.act(executor, live)
            self.world.timeline.play()
        guard = self.world.timeline.guard
        error, guard.error = guard.error, None
        if error:
            raise error
        return results[0]

    def lives(self):
        """It always does."""

    def sleep_until(self, when_s):
        self._actor.sleep_until(when_s)
