"""A peer of a connection to Valkey on virtual time: pipelines cut anywhere, late, slow, refused."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol

import hiredis

from tally.stores.valkey.commands import SWAP
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.network import BUSY_S, LATE_S, LATENCY_S, SLOW_S, Caller
from tests.simulation.store import Store
from tests.simulation.timeline import violated
from tests.simulation.world import World

IDLE_S = 2.0
"""A connection idle for longer may be dead without a word; after a minute it is not used again."""

STEP_S = 0.000_01
"""Between the effects of two commands of a pipeline; those of others may come in between."""

SCRIPTS = (b"EVAL", b"EVALSHA")
NOSCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NOBODYS = ("LOADING loading the dataset", "READONLY a replica", "MASTERDOWN no link", "ODD odd")
"""Errors of a server that does nothing now; what they say to all commands of a pipeline."""

REFUSALS = ("WRONGTYPE not a string", "NOPERM no permissions to access a key", "ERR odd")
BREAKS = ("NOPERM no permissions to run the 'get' command", "NOAUTH Authentication required.")


class Fate(NamedTuple):
    """What befalls a pipeline.

    Attributes:
        acted: how many of its commands take effect …
        there_s: … from so many seconds after it was sent.
        told: how many of the answers come …
        answer_s: … so many seconds after it was sent.
        says: the error that answers each command, which then has no effect.
    """

    acted: int
    there_s: float
    told: int
    answer_s: float
    says: str = ""


class Server(Protocol):
    """What a server holds, and what may become of all of it.

    Attributes:
        epoch: how often it failed over.
    """

    epoch: int

    def befall(self) -> None:
        """Perhaps it fails over, evicts or restarts here."""


Obey = Callable[[list[bytes], Delivery], Any]
"""Carries out the words of a command, sent by who was handed the delivery."""


class Line:
    """A client's connection to the server.

    Attributes:
        troubles: how many pipelines had another fate than an answer at once.
    """

    def __init__(
        self, world: World, store: Server, obey: Obey, caller: Caller, random: Random
    ) -> None:
        self._world = world
        self._store = store
        self._obey = obey
        self._caller = caller
        self._random = random
        self._epoch = store.epoch
        self._used_at_s = world.timeline.now_s
        self._is_over = False
        self.troubles = 0

    def is_quiet(self) -> bool:
        """Whether the end of the connection was not heard; a failover may go unheard for a time."""
        return self._epoch == self._store.epoch or self._random.random() < 0.5

    def close(self) -> None:
        """Nothing is open."""

    def run(self, commands: Sequence[bytes], answers: list[Any], ends_at: float) -> None:
        """Send a pipeline; its fate is drawn now, and its answers come or do not."""
        world, now = self._world, self._world.timeline
        if self._is_over:
            violated("used a connection on which answers may be unread")
        if world.dice.strikes(Fault.BUSY):
            self.troubles += 1
            self._caller.sleep_until(now.now_s + self._random.uniform(0.0, BUSY_S))
        self._caller.lives()
        self._store.befall()
        fate = self._fate(len(commands))
        replies: list[Any] = [None] * len(commands)
        sent_at_s = now.now_s
        for place, words in enumerate(parsed(commands)[: fate.acted]):
            self._send(words, fate, replies, place, sent_at_s)
        answered_at_s = sent_at_s + fate.answer_s
        self._caller.sleep_until(min(answered_at_s, ends_at))
        self._caller.lives()
        self._used_at_s = now.now_s
        world.note("answered", fate.told, "of", len(commands), fate.says)
        self._is_over = answered_at_s > ends_at or fate.told < len(commands)
        if answered_at_s > ends_at:
            raise TimeoutError
        answers.extend(replies[: fate.told])
        if self._is_over:
            raise ConnectionResetError(104, "Connection reset by peer")

    def _send(
        self, words: list[bytes], fate: Fate, replies: list[Any], place: int, sent_at_s: float
    ) -> None:
        world = self._world
        is_read = words[0] == b"GET"
        key = words[3 if words[0] in SCRIPTS else 1].decode()
        world.totals["calls"] += 1
        world.note("sent", words[0].decode(), key, fate.says)
        said = fate.says or self._refusal(is_read=is_read)
        if said:
            self.troubles += 1
            replies[place] = hiredis.ReplyError(said)
            return
        delivery = self._caller.delivery

        def act() -> None:
            replies[place] = self._obey(words, delivery)

        world.timeline.at(sent_at_s + fate.there_s + place * STEP_S, act)

    def _refusal(self, *, is_read: bool) -> str:
        """Why the server does not carry out one command, if so."""
        dice, random = self._world.dice, self._random
        if not is_read and dice.strikes(Fault.THROTTLED):
            return "OOM command not allowed when used memory > 'maxmemory'."
        if dice.strikes(Fault.REFUSED):
            return random.choice(REFUSALS)
        return random.choice(BREAKS) if dice.strikes(Fault.BROKEN_SETUP) else ""

    def _fate(self, commands: int) -> Fate:
        """Draw what befalls a pipeline."""
        random = self._random
        there_s = random.uniform(0.0, LATENCY_S)
        answer_s = there_s + commands * STEP_S + random.uniform(0.0, LATENCY_S)
        whole = Fate(commands, there_s, commands, answer_s)
        if self._epoch != self._store.epoch or self._is_dead():
            self.troubles += 1
            return _lost(whole, 0, random)
        for kind, befall in _FATES:
            if self._world.dice.strikes(kind):
                self.troubles += 1
                return befall(whole, random)
        return whole

    def _is_dead(self) -> bool:
        idle_s = self._world.timeline.now_s - self._used_at_s
        return idle_s > IDLE_S and self._world.dice.strikes(Fault.DEAD_CHANNEL)


def carry_out(
    store: Store, words: list[bytes], delivery: Delivery
) -> bytes | int | hiredis.ReplyError | None:
    """The effect and the answer of a command, sent by who was handed the delivery.

    What the script does is written down in tally/stores/valkey/commands.py.
    """
    if words[0] == b"GET":
        return store.read(words[1].decode())
    name, script, one, key, value, ttl_ms, *seen = words
    if name == b"EVAL" and script == SWAP:
        store.knows_script = True
    elif name != b"EVALSHA":
        violated(f"sent {name!r}")
    if one != b"1" or len(seen) > 1:
        violated(f"sent a script with {words[2:]}")
    if not store.knows_script:
        return hiredis.ReplyError(NOSCRIPT)
    was = seen[0] if seen else None
    return store.swap(key.decode(), value, int(ttl_ms), was, delivery)


def parsed(commands: Sequence[bytes]) -> list[list[bytes]]:
    """The words of each command, as a server reads them."""
    parser = hiredis.Reader()
    parser.feed(b"".join(commands))
    return [parser.gets() for _ in commands]


def _lost(fate: Fate, acted: int, random: Random) -> Fate:
    """Some commands act, and fewer are answered before the connection ends, or falls silent."""
    told = random.randint(0, min(acted, fate.told - 1))
    after_s = random.choice((0.0, LATENCY_S, SLOW_S))
    return fate._replace(acted=acted, told=told, answer_s=fate.answer_s + after_s)


def _cut(fate: Fate, random: Random) -> Fate:
    if random.random() < 0.3:
        return fate._replace(says=random.choice(NOBODYS))
    return _lost(fate, random.randrange(fate.acted), random)


def _unanswered(fate: Fate, random: Random) -> Fate:
    return _lost(fate, fate.acted, random)


def _late(fate: Fate, random: Random) -> Fate:
    """It acts after the client was told of an error, or gave up."""
    there_s = random.uniform(0.0, LATE_S)
    return fate._replace(there_s=there_s, told=0, answer_s=random.choice((LATENCY_S, SLOW_S)))


def _slow(fate: Fate, random: Random) -> Fate:
    there_s = random.uniform(0.0, SLOW_S)
    answer_s = there_s + fate.acted * STEP_S + random.uniform(0.0, SLOW_S)
    return fate._replace(there_s=there_s, answer_s=answer_s)


_FATES: tuple[tuple[Fault, Callable[[Fate, Random], Fate]], ...] = (
    (Fault.REQUEST_LOST, _cut),
    (Fault.ANSWER_LOST, _unanswered),
    (Fault.LATE, _late),
    (Fault.SLOW, _slow),
)
"""What may befall a pipeline as a whole."""
