"""A program that reads while others count: what it is told must be so, or have been so lately."""

import itertools
from collections.abc import Callable
from random import Random

from tally.counters.event import EventName
from tally.counters.outcome import Outcome
from tally.reading.errors import ReadError
from tally.reading.reader import Reader, Reading
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Source
from tests.simulation.account import Account
from tests.simulation.copies import MAX_DELAY_S, Cache
from tests.simulation.durable import Beside, open_durable
from tests.simulation.dynamodb import Client
from tests.simulation.facts import Delivery, Fact
from tests.simulation.queue import Queue
from tests.simulation.table import Table
from tests.simulation.timeline import Actor, violated
from tests.simulation.world import World

POLL_S = 1.0
MAX_WAIT_S = 3.0
LATEST, LATEST_SHARE = 8, 0.7
"""Of so many events that were decided last one is asked for as often."""

MS = 1_000


class Onlooker:
    """One reader of table and cache, while the queue is not empty."""

    def __init__(self, world: World, queue: Queue, table: Table, cache: Cache) -> None:
        self.delivery = Delivery([], fifo=False)
        self._world = world
        self._queue = queue
        self._table = table
        self._random = world.plan.random("onlooker")
        self._actor: Actor | None = None
        self._client = Client(world, table, self, self._stream())
        beside = Beside(world, self._stream())  # which is not used: whoever reads sets nothing
        store = open_durable(world, self._client, cache, beside, self, self._stream())
        self._reader = Reader(
            store, clock=world.timeline, sleep=self._sleep, uniform=self._random.uniform
        )

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
        troubles = self._client.troubles
        try:
            look(names)
        except (ReadError, BrokenSetupError) as error:
            self._world.totals["looks failed"] += 1
            if self._client.troubles == troubles:
                violated(f"cannot read though the table answers: {error!r}")

    def _count(self, names: list[str]) -> None:
        began_at_s = self._world.timeline.now_s
        is_consistent = self._random.random() < 0.5
        told = self._reader.readings(names, consistent=is_consistent)
        for counter, reading in told.items():
            if is_consistent and reading.source is not Source.TABLE:
                violated(f"was told {reading} of {counter}, and asked for the table's")
            copies_since_s = began_at_s - self._oldest_s
            check_count(
                self._table, counter, reading, since_s=began_at_s, copies_since_s=copies_since_s
            )
            self._world.totals[f"counts of the {reading.source}"] += 1

    def _ask(self, names: list[str]) -> None:
        """What became of an event that was published, or will be."""
        fact = self._chosen(self._random.choice(names))
        if fact is None:
            return
        before = next(self._table.accounts(fact.counter, self._world.timeline.now_s))
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
        check_outcome(self._table, fact, told, before, since_s=since_s, was_decided=was_decided)

    def _chosen(self, counter: str) -> Fact | None:
        """One of the last events that were decided, whose copies may not be there; or any."""
        published = self._world.oracle.published
        if self._random.random() < LATEST_SHARE:
            decided = reversed(self._world.oracle.accounts[counter].decided)
            keys = [(counter, *key) for key in itertools.islice(decided, LATEST)]
        else:
            keys = [key for key in published if key[0] == counter]
        keys = [key for key in keys if key in published]
        return published[self._random.choice(keys)] if keys else None

    @property
    def _oldest_s(self) -> float:
        """How long ago what a cache shows may have been true."""
        return self._world.plan.copy_ttl_s + MAX_DELAY_S


def check_count(
    table: Table, counter: str, reading: Reading, *, since_s: float, copies_since_s: float
) -> None:
    """A count was the table's: while it was asked for, or as long ago as a copy may be old."""
    since_s = copies_since_s if reading.source is Source.CACHE else since_s
    states = list(table.states(counter, since_s))
    counts = {value if value is None else int(value.partition(b"\n")[0]) for value in states}
    if reading.count not in counts:
        violated(f"was told {reading} of {counter}, since {since_s} it was {counts}")


def check_outcome(
    table: Table, fact: Fact, told: Outcome, before: Account, *, since_s: float, was_decided: bool
) -> None:
    """What is told of an event holds, and only of a life that has ended lately may it be old.

    Args:
        table: where it is decided.
        fact: the event.
        told: what became of it.
        before: the life of its counter when it was asked for.
        since_s: when a life had ended of which a copy may still be shown.
        was_decided: whether the event was decided then.
    """
    accounts = list(table.accounts(fact.counter, since_s))
    if told is Outcome.PENDING:
        if was_decided and accounts[0] is before:
            violated(f"was told {told} of {fact}, which was decided before")
    elif not any(_is_so(told, fact, account) for account in accounts):
        violated(f"was told {told} of {fact}, which is not so")


def _is_so(told: Outcome, fact: Fact, account: Account) -> bool:
    """Whether an outcome is true of the life of a counter."""
    applied = account.decided.get((fact.source, fact.seq))
    if told is Outcome.APPLIED:
        return applied is True
    if told is Outcome.REJECTED:
        return applied is False
    known = account.sources.get(fact.source)
    is_known = known is not None and fact.seq in known.seqs and fact.seq >= known.low
    return not is_known and (applied is not None or fact.at <= account.floor * MS)
