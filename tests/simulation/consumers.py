"""Execution environments of the real consumer: each has its life, its warm copies and its end."""

import json
import math
from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from consumer.batch import Consumer
from consumer.messages import ReceivedMessage
from consumer.observability import Observer
from tally.local.lambda_.sqs_event import failed_messages
from tally.settling.bare_writer import BareWriter
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.reason import Unsettled
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.durable import DurableStore
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.store import MomentoStore
from tally.stores.port import Store as PortOfStores
from tests.simulation.copies import Cache
from tests.simulation.durable import Beside, open_durable
from tests.simulation.dynamodb import Client
from tests.simulation.facts import Delivery, Terms
from tests.simulation.faults import Fault
from tests.simulation.network import KilledError
from tests.simulation.opened import open_momento, open_valkey
from tests.simulation.plan import DEFAULT_MAXIMA, draw_limits
from tests.simulation.queue import Queue, check_order
from tests.simulation.store import Store
from tests.simulation.table import Table
from tests.simulation.timeline import Actor
from tests.simulation.world import World

POLL_S = 0.3
STOPPED_S = (1.0, 60.0, 900.0)
"""How long a consumer may be stopped: within its time, past it, and past each visibility."""

CALM_TIMEOUT_S = 30.0
SHORTEST_S = 0.02
CPU_S = 0.002
"""What an invocation takes beside its calls, at most."""


class Stores(NamedTuple):
    """Where counters of a run live: by its plan in the first, or in the table."""

    store: Store
    table: Table
    cache: Cache


class Witness(Observer):
    """Hears what the consumer tells, instead of a log."""

    def __init__(self, environment: "Environment", world: World) -> None:
        self._environment = environment
        self._world = world

    def begin(self, request_id: str) -> None:
        pass

    @property
    def tells_decisions(self) -> bool:
        return False

    def busiest(self, groups: object) -> None:
        pass

    def throttled(self, times: object) -> None:
        pass

    def message_returned(self, message: ReceivedMessage, unsettled: Unsettled) -> None:
        delivery = self._environment.delivery
        letter = delivery.by_id[message.record["messageId"]]
        letter.reason = unsettled.reason.value
        event = message.event
        key = (event.counter, event.source, event.seq) if event else None
        self._world.note("reported", letter.message_id, unsettled.reason.name, key)
        self._world.totals[f"reported as {unsettled.reason.value}"] += 1
        if delivery.terms:
            at = event.at if event else 0
            self._world.oracle.reports(letter, unsettled.reason, key, at, delivery.terms)

    def swaps_lost(self, losses: object) -> None:
        pass

    def counters_rolled_back(self, counters: Iterable[str]) -> None:
        self._world.oracle.sees_rollback(counters)

    def counters_vanished(self, counters: object) -> None:
        pass

    def publish(self, activity: Activity) -> None:
        self._world.totals["counters found gone"] += activity.counters_vanished
        self._world.totals["counters found set back"] += activity.counters_rolled_back
        self._world.totals["swaps lost"] += activity.swaps_lost


class Environment:
    """One of Lambda's concurrent environments, and its successors: polls, handles, deletes."""

    def __init__(self, world: World, queue: Queue, stores: Stores, number: int) -> None:
        self.delivery = Delivery([], fifo=False)
        self._terms = Terms(world.plan.limits, world.plan.default_max)
        self._world = world
        self._queue = queue
        self._stores = stores
        self._beside: Beside | None = None
        self._is_dead = self._is_zombie = False
        self._random = world.plan.random(f"environment {number}")
        self._ends_at_s = 0.0
        self._actor: Actor | None = None
        self._consumer = self._cold()

    def live(self, actor: Actor) -> None:
        """Work until the queue is empty for good."""
        self._actor = actor
        timeline = self._world.timeline
        while (next_s := self._queue.next_at_s()) is not None:
            actor.sleep_until(max(next_s, timeline.now_s) + self._random.uniform(0.0, POLL_S))
            letters = self._queue.receive(self._random.randint(1, self._world.plan.batch_letters))
            if self._terms.is_bare != self._world.plan.is_bare(timeline.now_s):
                self._consumer = self._cold()  # a deployment with the other guarantee
            if letters:
                self.delivery = Delivery(letters, fifo=self._world.plan.fifo, terms=self._terms)
                self._invoke()

    def sleep_until(self, when_s: float) -> None:
        """Wait; who waits past the function's time-out is killed, and a dead one does not wait."""
        if self._is_dead:
            raise KilledError
        if self._actor:
            self._actor.sleep_until(min(when_s, self._ends_at_s))
        if when_s > self._ends_at_s:
            self._is_dead = True
            raise KilledError

    def lives(self, kind: Fault = Fault.KILLED) -> None:
        """Perhaps the process ends here.

        Raises:
            KilledError: it does.
        """
        dice, timeline = self._world.dice, self._world.timeline
        if self._actor and kind is Fault.KILLED and dice.strikes(Fault.ZOMBIE):
            # Its time is over while it is stopped, and nobody tells it.
            self._ends_at_s, self._is_zombie = math.inf, True
            for_s = self._random.uniform(0.0, self._random.choice(STOPPED_S))
            self._actor.sleep_until(timeline.now_s + for_s)
        if dice.strikes(kind):
            self._is_dead = True
            raise KilledError

    def get_remaining_time_in_millis(self) -> int:
        """What Lambda's context tells."""
        return int((self._ends_at_s - self._world.timeline.now_s) * 1_000)

    @property
    def aws_request_id(self) -> str:
        return ""

    def _invoke(self) -> None:
        """One invocation; what it does not report as failed is deleted."""
        world = self._world
        world.totals["invocations"] += 1
        world.totals["deliveries"] += sum(len(letter.facts) for letter in self.delivery.letters)
        world.note("invoked", *(letter.message_id for letter in self.delivery.letters))
        self._ends_at_s = world.timeline.now_s + self._timeout_s()
        self._is_zombie = False
        try:
            failed = self._handle()
            self.sleep_until(world.timeline.now_s + self._random.uniform(0.0, CPU_S))
            self.lives(Fault.KILLED_BEFORE_ACK)
        except KilledError:
            world.note("killed")
            self._consumer = self._cold()
            return
        world.note("returned", *sorted(failed))
        if world.plan.fifo:
            check_order(self.delivery, failed)
        for letter in self.delivery.letters:
            if letter.message_id not in failed:
                world.oracle.acknowledges(letter)
                # A FIFO queue takes no receipt handle whose time is over.
                if not (self._is_zombie and world.plan.fifo):
                    self._queue.delete(letter)

    def _handle(self) -> frozenset[str]:
        """The ids of what failed, by Lambda's own reading."""
        records = [letter.record(self._queue.arn) for letter in self.delivery.letters]
        ids = [letter.message_id for letter in self.delivery.letters]
        try:
            response = self._consumer.handle({"Records": records}, self)
        except BrokenSetupError as error:
            self._world.oracle.breaks(error)
            return frozenset(ids)
        return failed_messages(json.dumps(response).encode(), ids)

    def _timeout_s(self) -> float:
        if self._world.dice.calm:
            return CALM_TIMEOUT_S
        if self._world.dice.strikes(Fault.SHORT_OF_TIME):
            return self._random.uniform(SHORTEST_S, 1.0)
        return self._world.plan.timeout_s

    def _cold(self) -> Consumer:
        """The successor knows nothing."""
        world, plan = self._world, self._world.plan
        random = Random(self._random.random())
        self._is_dead = False
        is_bare = plan.is_bare(world.timeline.now_s)
        self._terms = Terms(plan.limits, plan.default_max, is_bare)
        if world.dice.strikes(Fault.OTHER_SETTINGS):
            self._terms = Terms(draw_limits(random), random.choice(DEFAULT_MAXIMA), is_bare)
        store = self._opened(random)
        rounds = Rounds(
            store,
            clock=world.timeline,
            sleep=lambda seconds: self.sleep_until(world.timeline.now_s + seconds),
            uniform=random.uniform,
        )
        writer: Writer | BareWriter = Writer(rounds, Copies())
        if self._terms.is_bare and isinstance(store, MomentoStore):
            writer = BareWriter(store, rounds)
        observer = Witness(self, world)
        return Consumer(writer, observer, self._terms.most, wall_clock=world.timeline)

    def _opened(self, random: Random) -> PortOfStores:
        if self._world.plan.is_durable:
            return self._durable(random)
        opened = open_valkey if self._world.plan.is_on_valkey else open_momento
        return opened(self._world, self._stores.store, self, random, limits=self._terms.limits)

    def _durable(self, random: Random) -> DurableStore:
        """What the process before it had begun beside its rounds, ends with it."""
        if self._beside:
            self._beside.end()
        self._beside = beside = Beside(self._world, Random(random.random()))
        client = Client(self._world, self._stores.table, self, Random(random.random()))
        cache = self._stores.cache
        return open_durable(self._world, client, cache, beside, beside, limits=self._terms.limits)
