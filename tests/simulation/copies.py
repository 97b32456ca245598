"""A Valkey that only serves: the copies in it, how old each may be, and what becomes of them."""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from tally.stores.mirroring import MAX_AGE_S
from tests.simulation.dynamodb import FREEZE_S
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.network import BUSY_S, LATE_S, SLOW_S, Caller
from tests.simulation.table import Table
from tests.simulation.timeline import violated
from tests.simulation.valkey import Line, parsed
from tests.simulation.world import World

AWAY_S = 30.0
"""How long nobody is there."""

MAX_DELAY_S = MAX_AGE_S + 2 * BUSY_S + FREEZE_S + LATE_S + SLOW_S
"""From the begin of a put to the effect of its Set: ours until it leaves, and what is between."""

MAX_STATES = 8
MS = 1_000


class Copied(NamedTuple):
    """A copy.

    Attributes:
        value: of a counter.
        expires_at_s: by the timeline.
        delay_s: from the begin of its put to its Set.
    """

    value: bytes
    expires_at_s: float
    delay_s: float


class Cache:
    """The server; whatever it tells was in the table, and not too long ago."""

    def __init__(self, world: World, table: Table, random: Random) -> None:
        self.epoch = 0
        self.away_until_s = 0.0
        self._world = world
        self._table = table
        self._random = random
        self._copies: dict[str, Copied] = {}
        self._states: list[dict[str, Copied]] = []
        table.flush = self._flush

    def carry_out(self, words: list[bytes], _delivery: Delivery) -> Any:
        """The effect and the answer of a command."""
        if words[0] == b"GET":
            return self._read(words[1].decode())
        self._set(words[1].decode(), words[2])
        return b"OK"

    def befall(self) -> None:
        """Perhaps it fails over or evicts here."""
        if self._world.dice.strikes(Fault.FAILED_OVER):
            self._fail_over()
        if self._world.dice.strikes(Fault.EVICTED):
            self._evict()

    def _evict(self) -> None:
        """Forget a counter, or all."""
        if self._copies and self._random.random() < 0.5:
            del self._copies[self._random.choice(sorted(self._copies))]
        else:
            self._flush()

    def _flush(self) -> None:
        self._copies = {}
        self._world.totals["flushes"] += 1

    def _fail_over(self) -> None:
        """Be what some replica was."""
        if self._states:
            self._copies = self._random.choice(self._states)
            self.epoch += 1
            self._world.note("failed over")
            self._world.totals["failovers"] += 1

    def expects(self, words: list[bytes]) -> None:
        """A command leaves a client: what it sets has been stored, and not long ago."""
        if words[0] == b"GET":
            return
        name, key, value, unit, ttl_ms = words
        copy_ttl_ms = self._world.plan.copy_ttl_s * MS
        if (name, unit, int(ttl_ms)) != (b"SET", b"PX", copy_ttl_ms):
            violated(f"sent {name!r} {unit!r} {ttl_ms!r}")
        counter = key.decode()
        begun_at_s = self._table.begun_at_s.get((counter, value))
        if begun_at_s is None:
            violated(f"set a copy that the table never held: {value!r}")
        age_s = self._world.timeline.now_s - begun_at_s
        if age_s > MAX_AGE_S:
            violated(f"set a copy {age_s} s after its put began")

    def _set(self, counter: str, value: bytes) -> None:
        now_s = self._world.timeline.now_s
        delay_s = now_s - self._table.begun_at_s[counter, value]
        if delay_s > MAX_DELAY_S:
            violated(f"a copy was set {delay_s} s after its put began")
        self._states.append(self._copies.copy())
        del self._states[:-MAX_STATES]
        self._copies[counter] = Copied(value, now_s + self._world.plan.copy_ttl_s, delay_s)
        self._world.note("copied", counter, value)
        self._world.totals["copies set"] += 1

    def _read(self, counter: str) -> bytes | None:
        """A copy, as long as it lives: it was the table's value so long ago at most."""
        now_s, found = self._world.timeline.now_s, self._copies.get(counter)
        if found is None or found.expires_at_s <= now_s:
            return None
        oldest_s = now_s - self._world.plan.copy_ttl_s - found.delay_s
        if found.value not in self._table.states(counter, oldest_s):
            violated(f"shows what the table did not hold since {oldest_s}: {found.value!r}")
        self._world.totals["copies read"] += 1
        return found.value


class CopyLine(Line):
    """A connection to such a server, which may be away."""

    def __init__(self, world: World, cache: Cache, caller: Caller, random: Random) -> None:
        super().__init__(world, cache, cache.carry_out, caller, random)
        self._cache = cache

    def run(self, commands: Sequence[bytes], answers: list[Any], ends_at: float) -> None:
        """Send a pipeline, if anybody is there."""
        for words in parsed(commands):
            self._cache.expects(words)
        timeline = self._world.timeline
        if self._world.dice.strikes(Fault.AWAY):
            self._cache.away_until_s = timeline.now_s + self._random.uniform(0.0, AWAY_S)
        if timeline.now_s < self._cache.away_until_s and not self._world.dice.calm:
            self._is_over = True
            self._caller.lives()
            raise ConnectionRefusedError(111, "Connection refused")
        super().run(commands, answers, ends_at)
