"""SQS on virtual time: it delivers late, twice, in any order, and buries the dead."""

import heapq
from collections.abc import Callable
from random import Random

from tally.settling.reason import Reason
from tests.simulation.facts import Delivery, Letter
from tests.simulation.faults import Fault
from tests.simulation.timeline import violated
from tests.simulation.world import World

MAX_REDRIVES = 2
CALM_VISIBILITY_S = 180.0
"""Once faults have stopped: as deployed, six times the function's time-out."""

CALM_RECEIVES = 8
ECHO_S = 1.0
POLL_S, POLLS = 1.0, 0.005
"""How often one looks while programs publish: in seconds, and as a share of their time."""

DEDUPLICATION_S = 300.0
"""A FIFO queue takes the same body once in five minutes."""

DESERVED = {
    reason.value
    for reason in (
        *(Reason.INVALID, Reason.UNDECIDABLE, Reason.FULL, Reason.UNREADABLE),
        *(Reason.GROUP,),
    )
}
"""Why a message may die although nothing fails any more."""


class Queue:
    """One queue and its dead letters.

    Attributes:
        gone: what a restart has lost.
        is_open: whether more may arrive at any time, from programs that publish by themselves.
    """

    def __init__(self, world: World, random: Random) -> None:
        self.is_open = False
        self.sent: dict[str, Letter] = {}
        self.dead: list[Letter] = []
        self.gone: list[Letter] = []
        self.arn = "arn:aws:sqs:eu-central-1:000000000000:q" + ".fifo" * world.plan.fifo
        self._world = world
        self._random = random
        self._waiting: list[Letter] = []
        self._arrivals: list[float] = []
        self._bodies: dict[str, float] = {}
        self._ids = 0
        self._redrives = 0

    def post(self, letter: Letter, at_s: float) -> None:
        """A producer's send arrives at a time; perhaps it sends it twice."""
        dice = self._world.dice
        self.expect(at_s, lambda: self.arrive(letter))
        if dice.strikes(Fault.SENT_TWICE):
            again_s = at_s + self._random.choice((0.0, 1.0, 400.0))
            self.expect(again_s, lambda: self.arrive(letter))

    def expect(self, at_s: float, arrive: Callable[[], object]) -> None:
        """Something arrives at a time, or may: until then nobody takes the queue for empty."""
        heapq.heappush(self._arrivals, at_s)
        self._world.timeline.at(at_s, arrive)

    def receive(self, most: int) -> list[Letter]:
        """A batch of what is visible, possibly of none."""
        now_s = self._world.timeline.now_s
        if self._world.dice.strikes(Fault.QUEUE_RESTARTED):
            self._restart()
        visible = self._first_of_groups(now_s) if self._world.plan.fifo else self._any(now_s)
        batch = []
        for letter in visible[:most]:
            letter.receives += 1
            if letter.receives > self._max_receives:
                self._bury(letter)
                continue
            letter.visible_at_s = now_s + self._visibility_s
            batch.append(letter)
            if self._world.dice.strikes(Fault.ECHO):
                letter.visible_at_s = now_s + self._random.uniform(0.0, ECHO_S)
            if not self._world.plan.fifo and self._world.dice.strikes(Fault.TWIN):
                batch.insert(self._random.randrange(len(batch)), letter)
        return batch

    def delete(self, letter: Letter) -> None:
        """An acknowledgement; its request may be lost, or its message come back all the same."""
        dice, now_s = self._world.dice, self._world.timeline.now_s
        if dice.strikes(Fault.DELETE_LOST) or letter not in self._waiting:
            return
        self._waiting.remove(letter)
        if dice.strikes(Fault.GHOST):
            ghost_s = now_s + self._random.choice((1.0, 90.0, 2 * self._world.plan.span_s))
            self.expect(ghost_s, lambda: self._waiting.append(letter.echo()))

    def redrive(self) -> None:
        """The dead letters come back, each under a new message id."""
        if self._redrives < MAX_REDRIVES and self._world.dice.strikes(Fault.REDRIVE):
            self._redrives += 1
            dead, self.dead = self.dead, []
            for letter in dead:
                self.sent.pop(letter.message_id, None)
                self.arrive(letter, again=True)

    def _restart(self) -> None:
        """Begin anew with nothing, as moto does: what was waiting or in flight is gone."""
        for letter in self._waiting:
            self.gone.append(letter)
            self.sent.pop(letter.message_id, None)
        self._waiting.clear()
        self._bodies.clear()
        self._world.note("queue lost", len(self.gone))

    def next_at_s(self) -> float | None:
        """When there may be something to receive; None if never."""
        while self._arrivals and self._arrivals[0] < self._world.timeline.now_s:
            heapq.heappop(self._arrivals)
        visible = {letter.group or letter: 0.0 for letter in self._waiting}
        for letter in self._waiting:
            key = letter.group or letter
            visible[key] = max(visible[key], letter.visible_at_s)
        if self.is_open:
            visible[""] = self._world.timeline.now_s + max(POLL_S, self._world.plan.span_s * POLLS)
        return min([*visible.values(), *self._arrivals[:1]], default=None)

    def calm_down(self) -> None:
        """From now on nothing fails, and every message gets its chances anew."""
        self._world.dice.calm = True
        for letter in self._waiting:
            letter.receives, letter.reason = 0, ""

    @property
    def _max_receives(self) -> int:
        return CALM_RECEIVES if self._world.dice.calm else self._world.plan.max_receives

    @property
    def _visibility_s(self) -> float:
        return CALM_VISIBILITY_S if self._world.dice.calm else self._world.plan.visibility_s

    def arrive(self, letter: Letter, *, again: bool = False) -> None:
        """SQS takes a message, under an id of its own."""
        now_s = self._world.timeline.now_s
        if self._world.plan.fifo and not again:
            if now_s - self._bodies.get(letter.body, -DEDUPLICATION_S) < DEDUPLICATION_S:
                return
            self._bodies[letter.body] = now_s
        self._ids += 1
        posted = letter.posted(f"{self._ids:08x}-{self._world.plan.seed}", now_s)
        posted.visible_at_s = now_s
        self.sent[posted.message_id] = posted
        self._waiting.append(posted)
        self._world.note("arrived", posted.message_id, posted.valid, posted.body)

    def _any(self, now_s: float) -> list[Letter]:
        visible = [letter for letter in self._waiting if letter.visible_at_s <= now_s]
        self._random.shuffle(visible)
        return visible

    def _first_of_groups(self, now_s: float) -> list[Letter]:
        """In their order; a group waits while one of its messages is in flight."""
        locked = {letter.group for letter in self._waiting if letter.visible_at_s > now_s}
        return [letter for letter in self._waiting if letter.group not in locked]

    def _bury(self, letter: Letter) -> None:
        self._waiting.remove(letter)
        self.dead.append(letter)
        self._world.totals["dead letters"] += 1
        self._world.note("buried", letter.message_id, letter.reason)
        if self._world.dice.calm and letter.reason not in DESERVED:
            violated(f"let a good message die ({letter.reason}): {letter.body[:200]}")


def check_order(delivery: Delivery, failed: frozenset[str]) -> None:
    """What follows a failed message in its group has failed as well."""
    spoilt = set()
    for letter in delivery.letters:
        if letter.message_id in failed:
            spoilt.add(letter.group)
        elif letter.group in spoilt:
            violated(f"acknowledged out of order: {letter.message_id}")
