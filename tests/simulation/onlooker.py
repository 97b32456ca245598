"""A program that reads while others count: what it is told must be so, or have been so lately."""

import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

from tally.counters.event import EventName
from tally.counters.outcome import Outcome
from tally.reading.errors import ReadError
from tally.reading.reader import Reader, Reading
from tally.stores.durable import DurableStore
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Source
from tally.stores.port import Store as PortOfStores
from tests.simulation.account import Account
from tests.simulation.copies import MAX_DELAY_S, Cache
from tests.simulation.durable import Beside, open_durable
from tests.simulation.dynamodb import Client
from tests.simulation.facts import Delivery, Fact
from tests.simulation.faults import Fault
from tests.simulation.opened import open_momento, open_valkey
from tests.simulation.queue import Queue
from tests.simulation.store import Store
from tests.simulation.table import Table
from tests.simulation.timeline import Actor, violated
from tests.simulation.world import World

POLL_S = 1.0
MAX_WAIT_S = 3.0
LATEST, LATEST_SHARE = 8, 0.7
"""Of so many events that were decided last one is asked for as often."""

SOME, ALL_SHARE = 10, 0.1
"""How many counters one asks for, and how often for all of them."""

MAX_ASKED = 16
"""So many of its last connections may still be in use; what older ones met is only a number."""

MS = 1_000


class Places(Protocol):
    """Where counters live: what they were, and what was true of them."""

    def states(self, counter: str, since_s: float) -> Iterator[bytes | None]:
        """What a counter's value has been at any time since one, up to its newline at least."""

    def accounts(self, counter: str, since_s: float) -> Iterator[Account]:
        """What is true of a counter, and was of its lives that ended since a time."""


class Asked(Protocol):
    """A connection of the reader's; `troubles` counts what had another fate than an answer."""

    troubles: int


class Onlooker:
    """One reader, while the queue is not empty.

    Args:
        world: of the run.
        queue: that the consumers empty.
        places: where the counters live.
        cache: before the table, if they live in one.
    """

    def __init__(self, world: World, queue: Queue, places: Store | Table, cache: Cache) -> None:
        self.delivery = Delivery([], fifo=False)
        self._world = world
        self._queue = queue
        self._places = places
        self._random = world.plan.random("onlooker")
        self._actor: Actor | None = None
        self._asked: list[Asked] = []
        self._troubles_before = 0
        store = self._on_table(places, cache) if isinstance(places, Table) else self._on(places)
        self._reader = Reader(
            store, clock=world.timeline, sleep=self._sleep, uniform=self._random.uniform
        )

    def _on_table(self, table: Table, cache: Cache) -> DurableStore:
        client = Client(self._world, table, self, self._stream())
        self._asks(client)
        beside = Beside(self._world, self._stream())  # not used: whoever reads sets nothing
        return open_durable(self._world, client, cache, beside, self)

    def _on(self, store: Store) -> PortOfStores:
        opened = open_valkey if self._world.plan.is_on_valkey else open_momento
        return opened(self._world, store, self, self._stream(), self._asks)

    def _asks(self, connection: Asked) -> None:
        """It has a new connection, as after each trouble: in a long run there are thousands."""
        self._asked.append(connection)
        if len(self._asked) > MAX_ASKED:
            self._troubles_before += self._asked.pop(0).troubles

    def live(self, actor: Actor) -> None:
        """Look until the queue is empty for good."""
        self._actor = actor
        timeline = self._world.timeline
        while (next_s := self._queue.next_at_s()) is not None:
            actor.sleep_until(max(next_s, timeline.now_s) + self._random.uniform(0.0, POLL_S))
            self._world.totals["looks"] += 1
            names = sorted(self._world.oracle.accounts)
            if not names:
                return
            self._attempt(self._random.choice((self._count, self._ask, self._ask)), names)

    def lives(self) -> None:
        """It is never killed: nothing depends on it."""

    def sleep_until(self, when_s: float) -> None:
        if self._actor:
            self._actor.sleep_until(when_s)

    def _sleep(self, seconds: float) -> None:
        self.sleep_until(self._world.timeline.now_s + seconds)

    def _stream(self) -> Random:
        return Random(self._random.random())

    def _attempt(self, look: Callable[[list[str]], object], names: list[str]) -> None:
        """A look that fails is no news, if the table did not answer."""
        troubles = self._troubles
        try:
            look(names)
        except (ReadError, BrokenSetupError) as error:
            self._world.totals["looks failed"] += 1
            if self._troubles == troubles:
                violated(f"cannot read though the store answers: {error!r}")

    def _count(self, names: list[str]) -> None:
        began_at_s = self._world.timeline.now_s
        if self._random.random() > ALL_SHARE:
            names = self._random.sample(names, min(len(names), SOME))
        is_consistent = self._world.plan.is_durable and self._random.random() < 0.5
        told = self._reader.readings(names, consistent=is_consistent)
        for counter, reading in told.items():
            if is_consistent and reading.source is not Source.TABLE:
                violated(f"was told {reading} of {counter}, and asked for the table's")
            copies_since_s = began_at_s - self._oldest_s
            check_count(
                self._places, counter, reading, since_s=began_at_s, copies_since_s=copies_since_s
            )
            self._world.totals[f"counts of the {reading.source or 'cache alone'}"] += 1

    def _ask(self, names: list[str]) -> None:
        """What became of an event that was published, or will be."""
        fact = self._chosen(self._random.choice(names))
        if fact is None:
            return
        before = next(self._places.accounts(fact.counter, self._world.timeline.now_s))
        was_decided = (fact.source, fact.seq) in before.decided
        began_at_s = self._world.timeline.now_s
        name = str(EventName(fact.source or 0, fact.seq, fact.at))
        if self._random.random() < 0.5:
            told = self._reader.outcome(fact.counter, name)
        else:
            wait_s = self._random.uniform(0.0, MAX_WAIT_S)
            told = self._reader.wait_for_outcome(fact.counter, name, timeout_s=wait_s)
        self._world.totals[f"outcomes {told.value}"] += 1
        since_s = began_at_s - self._oldest_s
        # Of a cache alone a read may be stale: no table tells what it misses.
        was_decided &= self._world.plan.is_durable or Fault.STALE not in self._world.plan.rates
        check_outcome(self._places, fact, told, before, since_s=since_s, was_decided=was_decided)

    def _chosen(self, counter: str) -> Fact | None:
        """One of the last events that were decided, whose copies may not be there; or any."""
        oracle = self._world.oracle
        if self._random.random() < LATEST_SHARE:
            decided = reversed(oracle.accounts[counter].decided)
            keys = [(counter, *key) for key in itertools.islice(decided, LATEST)]
            facts = [oracle.published[key] for key in keys if key in oracle.published]
        else:
            facts = oracle.published_on[counter]
        return self._random.choice(facts) if facts else None

    @property
    def _oldest_s(self) -> float:
        """How long ago what a cache shows may have been true."""
        return self._world.plan.copy_ttl_s + MAX_DELAY_S if self._world.plan.is_durable else 0.0

    @property
    def _troubles(self) -> int:
        return self._troubles_before + sum(asked.troubles for asked in self._asked)


def check_count(
    places: Places, counter: str, reading: Reading, *, since_s: float, copies_since_s: float
) -> None:
    """A count was the table's: while it was asked for, or as long ago as a copy may be old."""
    since_s = copies_since_s if reading.source is Source.CACHE else since_s
    states = list(places.states(counter, since_s))
    counts = {value if value is None else int(value.partition(b"\n")[0]) for value in states}
    if reading.count not in counts:
        violated(f"was told {reading} of {counter}, since {since_s} it was {counts}")


def check_outcome(
    places: Places, fact: Fact, told: Outcome, before: Account, *, since_s: float, was_decided: bool
) -> None:
    """What is told of an event holds, and only of a life that has ended lately may it be old.

    Args:
        places: where it is decided.
        fact: the event.
        told: what became of it.
        before: the life of its counter when it was asked for.
        since_s: when a life had ended of which a copy may still be shown.
        was_decided: whether the event was decided then.
    """
    accounts = list(places.accounts(fact.counter, since_s))
    if told is Outcome.PENDING:
        is_lasting = accounts[0] is before and not before.is_stamped_anew(fact)
        if was_decided and is_lasting:
            violated(f"was told {told} of {fact}, which was decided before")
    elif not any(_is_so(told, fact, account) for account in accounts):
        violated(f"was told {told} of {fact}, which is not so")


def _is_so(told: Outcome, fact: Fact, account: Account) -> bool:
    """Whether an outcome is true of the life of a counter."""
    if account.is_stamped_anew(fact):
        return True
    applied = account.decided.get((fact.source, fact.seq))
    if told is Outcome.APPLIED:
        return applied is True
    if told is Outcome.REJECTED:
        return applied is False
    known = account.sources.get(fact.source)
    is_known = known is not None and fact.seq in known.seqs and fact.seq >= known.low
    return not is_known and (applied is not None or fact.at <= account.floor * MS)
