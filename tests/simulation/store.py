"""A store's items: what each key holds and held, and the calls of a counter; when they act."""

import math
import re
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from tally.counters.event import INT64_MAX, INT64_MIN
from tally.local.momento.data_calls import DATA_CALLS
from tally.local.momento.errors import NOT_AN_INTEGER, SUM_OVERFLOW, RefusedError
from tests.simulation.account import Account, Life
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

MAX_PAST = 8
"""How many former values a stale read may tell, and to how many states a failover may lead."""

PARTIAL = 0.5
"""The share of failovers that one counter only is part of: of a shard, or a partition."""

MS = 1_000
SENT = (("GetWithHash", ""), ("GetBatch", ""), ("SetIf", "absent"))
"""Calls with their conditions; counters and readers send these, and SetIfHash."""

SENT_BARE = (("GetWithHash", ""), ("SetIf", "absent"), ("SetIf", "equal"), ("Increment", ""))
"""What counters send that count at least once."""

DECIMAL = re.compile(rb"0|-?[1-9][0-9]*")
READS = ("GetWithHash", "GetBatch")


class State(NamedTuple):
    """What a key has held since a time, up to the first newline; None if it was absent."""

    since_s: float
    value: bytes | None


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
        self._history: dict[str, list[State]] = {}
        self._lives: dict[str, list[Life]] = {}
        self.epoch = 0
        self.knows_script = False

    def begin(self, counter: str, value: bytes | None) -> None:
        """What stands under a key before anyone writes: nothing, or a bare integer."""
        self._world.oracle.begins(counter, value)
        self._remember(counter, value)
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

    def states(self, counter: str, since_s: float) -> Iterator[bytes | None]:
        """What a key has held at any time since one, and may show still where reads are stale."""
        self.get(counter)  # which may end a life
        until_s = self._world.timeline.now_s
        for state in reversed(self._history[counter]):
            if until_s < self._oldest_s(since_s):
                break
            yield state.value
            until_s = state.since_s

    def accounts(self, counter: str, since_s: float) -> Iterator[Account]:
        """What is true of a counter, and was of its lives and states that ended since a time."""
        self.get(counter)
        yield self._world.oracle.accounts[counter]
        for life in self._lives.get(counter, ()):
            if life.ended_at_s >= self._oldest_s(since_s):
                yield life.account

    def carry_out(self, method: str, request: Any, delivery: Delivery) -> Any:
        """The effect and the answer of a call, sent by who was handed the delivery."""
        condition = request.WhichOneof("condition") if method.startswith("SetIf") else ""
        is_bare = delivery.terms is not None and delivery.terms.is_bare
        if (method, condition) not in (SENT_BARE if is_bare else SENT) and (
            is_bare or method != "SetIfHash"
        ):
            violated(f"sent {method} {condition}".rstrip())
        # Conditions of SetIfHash that compare nothing write all the same, for the oracle to see.
        get = self.read if method in READS else self.get
        cache: Any = SimpleNamespace(
            get=lambda key: get(key.decode()),
            put=lambda key, value, ttl_ms: self._put(key.decode(), value, ttl_ms, delivery),
            increment=lambda key, amount, ttl_ms: self._add(key.decode(), amount, ttl_ms, delivery),
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

    def befall(self) -> None:
        """Perhaps it fails over, evicts or restarts here."""
        dice = self._world.dice
        if dice.strikes(Fault.FAILED_OVER):
            self._fail_over()
        if dice.strikes(Fault.EVICTED):
            self._evict()
        if dice.strikes(Fault.STORE_RESTARTED):
            self._restart()

    def _restart(self) -> None:
        """Begin anew with nothing, which no connection outlives."""
        for counter in sorted(self._items.keys() & self._world.oracle.accounts.keys()):
            self._end(counter, "lost")
        self.epoch += 1
        self.knows_script = False

    def _evict(self) -> None:
        """Forget a counter, if there is one."""
        if found := sorted(self._items.keys() & self._world.oracle.accounts.keys()):
            self._end(self._random.choice(found), "evicted")

    def _fail_over(self) -> None:
        """Be what some replica was: all keys at one earlier moment, and no script known."""
        if not self._states:
            return
        place = self._random.randrange(len(self._states))
        self._world.totals["failovers"] += 1
        if self._random.random() < PARTIAL:
            self._fail_back(self._random.choice(sorted(self._world.oracle.accounts)), place)
            return
        for counter in self._world.oracle.accounts:
            self._end_account(counter)
        self._items, truth = self._states[place]
        del self._states[place:]
        self.epoch += 1
        self.knows_script = False
        self._world.note("failed over")
        self._world.oracle.restores(truth)
        for counter in truth:
            item = self._items.get(counter)
            self._remember(counter, item.value if item else None)

    def _fail_back(self, counter: str, place: int) -> None:
        """One counter is as it was, and the others are not; others build on what it is now."""
        items, truth = self._states[place]
        self._end_account(counter)
        self._items.pop(counter, None)
        if counter in items:
            self._items[counter] = items[counter]
        self._world.note("failed back", counter)
        self._world.oracle.accounts[counter] = truth[counter].copy()
        item = self._items.get(counter)
        self._remember(counter, item.value if item else None)

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
        self._end_account(counter)
        self._remember(counter, None)
        self._world.oracle.begins(counter, None)

    def _end_account(self, counter: str) -> None:
        account = self._world.oracle.accounts[counter]
        self._lives.setdefault(counter, []).append(Life(self._world.timeline.now_s, account))

    def _remember(self, counter: str, value: bytes | None) -> None:
        head = None if value is None else value.partition(b"\n")[0]
        self._history.setdefault(counter, []).append(State(self._world.timeline.now_s, head))

    def _oldest_s(self, since_s: float) -> float:
        """From when on what was so may be told: a stale read tells anything that ever was."""
        return 0.0 if Fault.STALE in self._world.plan.rates else since_s

    def _add(self, counter: str, amount: int, ttl_ms: int, delivery: Delivery) -> int:
        """Add to a decimal integer, 0 where there is none."""
        value = self.get(counter)
        if value is not None and not DECIMAL.fullmatch(value):
            raise RefusedError(NOT_AN_INTEGER)
        total = int(value or b"0") + amount
        if not INT64_MIN <= total <= INT64_MAX:
            raise RefusedError(SUM_OVERFLOW)
        self._keep(counter, b"%d" % total, ttl_ms)
        self._world.oracle.adds(counter, amount, delivery)
        self._world.totals["native increments"] += 1
        return total

    def _put(self, counter: str, value: bytes, ttl_ms: int, delivery: Delivery) -> None:
        before = self.get(counter)
        self._keep(counter, value, ttl_ms)
        if delivery.terms is not None and delivery.terms.is_bare:
            self._world.oracle.swaps(counter, before, value, delivery)
            self._world.totals["bare swaps"] += 1
            return
        news = self._world.oracle.writes(counter, value, delivery)
        self._world.totals["writes"] += 1
        self._world.totals["decisions"] += news

    def _keep(self, counter: str, value: bytes, ttl_ms: int) -> None:
        if Fault.FAILED_OVER in self._world.plan.rates:
            self._states.append((self._items.copy(), self._world.oracle.snapshot()))
            del self._states[:-MAX_PAST]
            if counter not in self._world.oracle.untouchable:
                self._world.oracle.separates(counter)
        past = self._past.setdefault(counter, [])
        current = self._items.get(counter)
        past.append(current.value if current else None)
        del past[:-MAX_PAST]
        self._items[counter] = Item(value, self._world.timeline.now_s + ttl_ms / MS)
        self._remember(counter, value)
        self._world.note("stored", counter, value)
