"""A store's items: what each key holds and held, and the calls of a counter; when they act."""

import math
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from tally.local.momento.data_calls import DATA_CALLS
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.account import Account

MAX_PAST = 8
"""How many former values a stale read may tell, and to how many states a failover may lead."""

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
        self._states: list[tuple[dict[str, Item], dict[str, Account]]] = []
        self.epoch = 0
        self.knows_script = False

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
            self._end(counter, "expired")
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

    def swap(
        self, counter: str, value: bytes, ttl_ms: int, seen: bytes | None, delivery: Delivery
    ) -> bytes | int | None:
        """Valkey's swap: 1 if the key held what was seen, or else what it holds."""
        found = self.get(counter)
        if found != seen:
            return found
        self._put(counter, value, ttl_ms, delivery)
        return 1

    def evict(self) -> None:
        """Forget a counter, if there is one."""
        if found := sorted(self._items.keys() & self._world.oracle.accounts.keys()):
            self._end(self._random.choice(found), "evicted")

    def fail_over(self) -> None:
        """Be what some replica was: all keys at one earlier moment, and no script known."""
        if not self._states:
            return
        place = self._random.randrange(len(self._states))
        self._items, truth = self._states[place]
        del self._states[place:]
        self.epoch += 1
        self.knows_script = False
        self._world.note("failed over")
        self._world.totals["failovers"] += 1
        self._world.oracle.restores(truth)

    def read(self, counter: str) -> bytes | None:
        """What a key holds, or perhaps an older value."""
        value, past = self.get(counter), self._past.get(counter)
        if past and self._world.dice.strikes(Fault.STALE):
            value = self._random.choice(past)
        return value

    def _end(self, counter: str, how: str) -> None:
        """A counter's life is over."""
        self._past.setdefault(counter, []).append(self._items.pop(counter).value)
        self._world.note(how, counter)
        self._world.totals["lives ended"] += 1
        self._world.oracle.begins(counter, None)

    def _put(self, counter: str, value: bytes, ttl_ms: int, delivery: Delivery) -> None:
        if Fault.FAILED_OVER in self._world.plan.rates:
            self._states.append((self._items.copy(), self._world.oracle.snapshot()))
            del self._states[:-MAX_PAST]
        past = self._past.setdefault(counter, [])
        current = self._items.get(counter)
        past.append(current.value if current else None)
        del past[:-MAX_PAST]
        self._items[counter] = Item(value, self._world.timeline.now_s + ttl_ms / MS)
        self._world.note("stored", counter, value)
        news = self._world.oracle.writes(counter, value, delivery)
        self._world.totals["writes"] += 1
        self._world.totals["decisions"] += news
