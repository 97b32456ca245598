"""Momento's items: what each key holds and held, and the two conditional writes; when they act."""

import hashlib
import math
from random import Random
from typing import Any, NamedTuple

from momento_wire_types import cacheclient_pb2 as pb

from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

MAX_PAST = 8
"""How many former values a stale read may tell."""

MS = 1_000


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
        match method:
            case "GetWithHash":
                return self.read(request.cache_key.decode())
            case "SetIf":
                return self.set_if(request, delivery)
            case "SetIfHash":
                return self.set_if_hash(request, delivery)
        return violated(f"sent {method}")

    def read(self, counter: str) -> Any:
        """GetWithHash: perhaps an older value."""
        value, past = self.get(counter), self._past.get(counter)
        if past and self._world.dice.strikes(Fault.STALE):
            value = self._random.choice(past)
        if value is None:
            return pb._GetWithHashResponse(missing=pb._GetWithHashResponse._Missing())
        found = pb._GetWithHashResponse._Found(value=value, hash=value_hash(value))
        return pb._GetWithHashResponse(found=found)

    def set_if(self, request: Any, delivery: Delivery) -> Any:
        """SetIf; counters need no condition but `absent`."""
        condition = request.WhichOneof("condition")
        if condition != "absent":
            violated(f"sent SetIf {condition}")
        counter = request.cache_key.decode()
        if self.get(counter) is not None:
            return pb._SetIfResponse(not_stored=pb._SetIfResponse._NotStored())
        self._put(counter, request, delivery)
        return pb._SetIfResponse(stored=pb._SetIfResponse._Stored())

    def set_if_hash(self, request: Any, delivery: Delivery) -> Any:
        """SetIfHash; conditions that compare nothing write all the same, for the oracle to see."""
        counter = request.cache_key.decode()
        condition = request.WhichOneof("condition")
        current = self.get(counter)
        if condition == "present_and_hash_equal":
            expected = request.present_and_hash_equal.hash_to_check
            stores = current is not None and value_hash(current) == expected
        else:
            stores = condition == "unconditional"
        if not stores:
            return pb._SetIfHashResponse(not_stored=pb._SetIfHashResponse._NotStored())
        self._put(counter, request, delivery)
        new_hash = value_hash(request.cache_body)
        return pb._SetIfHashResponse(stored=pb._SetIfHashResponse._Stored(new_hash=new_hash))

    def _put(self, counter: str, request: Any, delivery: Delivery) -> None:
        value: bytes = request.cache_body
        past = self._past.setdefault(counter, [])
        current = self._items.get(counter)
        past.append(current.value if current else None)
        del past[:-MAX_PAST]
        lasts_s = request.ttl_milliseconds / MS
        self._items[counter] = Item(value, self._world.timeline.now_s + lasts_s)
        self._world.note("stored", counter, value)
        news = self._world.oracle.writes(counter, value, delivery)
        self._world.totals["writes"] += 1
        self._world.totals["decisions"] += news


def value_hash(value: bytes) -> bytes:
    """As the real service's: of the value only, so that a value that comes back has it again."""
    return hashlib.sha256(value).digest()
