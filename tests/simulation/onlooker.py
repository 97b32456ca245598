"""A program that reads while others count: what it is told must be so, or have been so lately."""

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
            self._check_count(counter, reading, began_at_s)

    def _check_count(self, counter: str, reading: Reading, began_at_s: float) -> None:
        """A count was the table's: while it was asked for, or as long ago as a copy may be old."""
        if reading.source is Source.CACHE:
            began_at_s -= self._oldest_s
        states = list(self._table.states(counter, began_at_s))
        counts = {value if value is None else int(value.partition(b"\n")[0]) for value in states}
        if reading.count not in counts:
            violated(f"was told {reading} of {counter}, since {began_at_s} it was {counts}")
        self._world.totals[f"counts of the {reading.source}"] += 1

    def _ask(self, names: list[str]) -> None:
        """What became of an event that was published."""
        published = [key for key in self._world.oracle.published if key[0] in names]
        if not published:
            return
        fact = self._world.oracle.published[self._random.choice(published)]
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
        accounts = list(self._table.accounts(fact.counter, began_at_s - self._oldest_s))
        if told is Outcome.PENDING:
            if was_decided and accounts[0] is before:
                violated(f"was told {told} of {fact}, which was decided before")
        elif not any(_is_so(told, fact, account) for account in accounts):
            violated(f"was told {told} of {fact}, which is not so")

    @property
    def _oldest_s(self) -> float:
        """How long ago what a cache shows may have been true."""
        return self._world.plan.copy_ttl_s + MAX_DELAY_S


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
