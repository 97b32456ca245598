"""Momento's items: what each key holds and held, and the calls of a counter; when they act."""

import math
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from tally.local.momento.data_calls import DATA_CALLS
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

MAX_PAST = 8
"""How many former values a stale read may tell."""

MS = 1_000
SENT = (("GetWithHash", ""), ("SetIf", "absent"))
"""Calls with their conditions; counters send these, and SetIfHash."""


class Item(NamedTuple):
    """A value, and when it expires on the timeline."""

    value: bytes
    expires_at_s: float


class Store:
    """One cache. Every read and every write is atomic, at the time at which it takes effect."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._items: dict[str, Item] = {}
        self._past: dict[str, list[bytes | None]] = {}

    def begin(self, counter: str, value: bytes | None) -> None:
        """What stands under a key before anyone writes: nothing, or a bare integer."""
        self._world.oracle.begins(counter, value)
        if value is not None:
            self._items[counter] = Item(value, math.inf)

    def spoil(self, counter: str, value: bytes) -> None:
        """What stands under a key is no counter."""
        self._world.oracle.forbids(counter)
        self._items[counter] = Item(value, math.inf)

    def get(self, counter: str) -> bytes | None:
        """What a key holds now; with what has expired, the counter's life is over."""
        item = self._items.get(counter)
        if item is None:
            return None
        if self._world.plan.expires and item.expires_at_s <= self._world.timeline.now_s:
            del self._items[counter]
            self._past.setdefault(counter, []).append(item.value)
            self._world.note("expired", counter)
            self._world.totals["lives ended"] += 1
            self._world.oracle.begins(counter, None)
            return None
        return item.value

    def carry_out(self, method: str, request: Any, delivery: Delivery) -> Any:
        """The effect and the answer of a call, sent by who was handed the delivery."""
        condition = request.WhichOneof("condition") if method.startswith("SetIf") else ""
        if (method, condition) not in SENT and method != "SetIfHash":
            violated(f"sent {method} {condition}".rstrip())
        # Conditions of SetIfHash that compare nothing write all the same, for the oracle to see.
        get = self.read if method == "GetWithHash" else self.get
        cache: Any = SimpleNamespace(
            get=lambda key: get(key.decode()),
            put=lambda key, value, ttl_ms: self._put(key.decode(), value, ttl_ms, delivery),
        )
        return DATA_CALLS[method](cache, request)

    def read(self, counter: str) -> bytes | None:
        """What a key holds, or perhaps an older value."""
        value, past = self.get(counter), self._past.get(counter)
        if past and self._world.dice.strikes(Fault.STALE):
            value = self._random.choice(past)
        return value

    def _put(self, counter: str, value: bytes, ttl_ms: int, delivery: Delivery) -> None:
        past = self._past.setdefault(counter, [])
        current = self._items.get(counter)
        past.append(current.value if current else None)
        del past[:-MAX_PAST]
        self._items[counter] = Item(value, self._world.timeline.now_s + ttl_ms / MS)
        self._world.note("stored", counter, value)
        news = self._world.oracle.writes(counter, value, delivery)
        self._world.totals["writes"] += 1
        self._world.totals["decisions"] += news
