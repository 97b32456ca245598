"""A peer of grpc.Channel on virtual time: each call is sent, acts and is answered, or is not."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Protocol

import grpc

from tally.local.momento.errors import RefusedError
from tests.simulation.facts import Delivery
from tests.simulation.faults import Fault
from tests.simulation.store import Store
from tests.simulation.world import World
from tests.support.momento_channel import REFUSED, UNKNOWN, FakeRpcError

LATENCY_S = 0.01
SLOW_S = 3.0
BUSY_S = 0.2
"""What folding a large value takes before its call is sent, while others write and time runs."""

LATE_S = 60.0
"""How long after it was sent a call may still act."""

IDLE_S = 30.0
"""A channel idle for longer may be dead without knowing it."""

_STATUS = grpc.StatusCode
BREAKS = (_STATUS.UNAUTHENTICATED, _STATUS.PERMISSION_DENIED, _STATUS.NOT_FOUND)


class KilledError(BaseException):
    """The process is no more; nothing in it can see this coming."""


class Caller(Protocol):
    """Who calls: it may die at each call, and has been handed a delivery."""

    delivery: Delivery

    def lives(self) -> None:
        """Raises if the caller's process ends here."""

    def sleep_until(self, when_s: float) -> None:
        """Waits in virtual time."""


class Network:
    """The channel of a consumer or a reader to the store.

    Attributes:
        troubles: how many calls had another fate than an answer at once.
    """

    def __init__(self, world: World, store: Store, caller: Caller, random: Random) -> None:
        self.world = world
        self.store = store
        self.caller = caller
        self.random = random
        self.used_at_s = 0.0
        self.troubles = 0

    def unary_unary(self, method: str, *_: Any, **__: Any) -> "Method":
        return Method(self, method.rpartition("/")[2])

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Callable[..., Iterator[Any]]:
        return partial(self._stream, method.rpartition("/")[2])

    def close(self) -> None:
        """Nothing is open."""

    def _stream(self, name: str, request: Any, timeout_s: float, _metadata: Any) -> Iterator[Any]:
        """The answers of a call, of which the last may not come."""
        answers = Call(self, name, request, timeout_s).result()
        if self.world.dice.strikes(Fault.ANSWER_LOST):
            self.troubles += 1
            yield from answers[: self.random.randrange(len(answers))]
            raise FakeRpcError(self.random.choice(UNKNOWN))
        yield from answers

    def woke_dead(self) -> bool:
        """Whether the channel's connection is gone since its last call."""
        idle_s = self.world.timeline.now_s - self.used_at_s
        self.used_at_s = self.world.timeline.now_s
        return idle_s > IDLE_S and self.world.dice.strikes(Fault.DEAD_CHANNEL)


class Method:
    """A peer of grpc.UnaryUnaryMultiCallable."""

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name

    def future(self, request: Any, timeout: float, _metadata: Any) -> "Call":
        world = self._network.world
        if world.dice.strikes(Fault.BUSY):
            busy_s = self._network.random.uniform(0.0, BUSY_S)
            self._network.caller.sleep_until(world.timeline.now_s + busy_s)
        self._network.caller.lives()
        return Call(self._network, self._name, request, timeout)


class Call:
    """A peer of grpc.Future; what befalls it is settled when it is sent."""

    def __init__(self, network: Network, name: str, request: Any, timeout_s: float) -> None:
        self._network = network
        self._name = name
        self._request = request
        self._delivery = network.caller.delivery
        self._gives_up_at_s = network.world.timeline.now_s + timeout_s
        self._answer: Any = None
        self._error: grpc.StatusCode | None = None
        random = network.random
        self._there_s = random.uniform(0.0, LATENCY_S)
        self._answer_s = self._there_s + random.uniform(0.0, LATENCY_S)
        self._send()

    def result(self) -> Any:
        """Wait for the answer, at most as long as the call may take."""
        network, timeline = self._network, self._network.world.timeline
        answered_at_s = min(self._answered_at_s, self._gives_up_at_s)
        if answered_at_s > timeline.now_s:
            network.caller.sleep_until(answered_at_s)
        network.caller.lives()
        error = self._error
        if self._answered_at_s > self._gives_up_at_s:
            error = _STATUS.DEADLINE_EXCEEDED
        network.world.note("answered", self._name, error or "OK")
        if error:
            raise FakeRpcError(error)
        return self._answer

    def _send(self) -> None:
        """Draw the call's fate."""
        world, random = self._network.world, self._network.random
        self._network.store.befall()
        acts = True
        for kind, befall in _FATES:
            if world.dice.strikes(kind):
                acts = befall(self, random)
                self._network.troubles += 1
                break
        if self._network.woke_dead():
            self._network.troubles += 1
            acts = self._lost(random)
        sent_at_s = world.timeline.now_s
        self._answered_at_s = sent_at_s + self._answer_s
        world.totals["calls"] += 1
        key = getattr(self._request, "cache_key", b"").decode()
        world.note("sent", self._name, key, acts, self._error or "")
        if acts:
            world.timeline.at(sent_at_s + self._there_s, self._act)

    def _act(self) -> None:
        try:
            self._answer = self._network.store.carry_out(self._name, self._request, self._delivery)
        except RefusedError as error:
            self._error = self._error or grpc.StatusCode[error.refusal.status]

    def _lost(self, random: Random) -> bool:
        self._error = random.choice(UNKNOWN)
        self._answer_s = random.choice((0.0, LATENCY_S, SLOW_S))
        return False

    def _unanswered(self, random: Random) -> bool:
        self._error = random.choice(UNKNOWN)
        return True

    def _late(self, random: Random) -> bool:
        """It acts after the client was told of an error, or gave up."""
        self._error = random.choice(UNKNOWN)
        self._there_s = random.uniform(0.0, LATE_S)
        self._answer_s = random.choice((LATENCY_S, SLOW_S))
        return True

    def _slow(self, random: Random) -> bool:
        self._there_s = random.uniform(0.0, SLOW_S)
        self._answer_s = self._there_s + random.uniform(0.0, SLOW_S)
        return True

    def _fails(self, statuses: tuple[grpc.StatusCode, ...], random: Random) -> bool:
        self._error = random.choice(statuses)
        return False


_FATES: tuple[tuple[Fault, Callable[[Call, Random], bool]], ...] = (
    (Fault.REQUEST_LOST, Call._lost),
    (Fault.ANSWER_LOST, Call._unanswered),
    (Fault.LATE, Call._late),
    (Fault.SLOW, Call._slow),
    (Fault.THROTTLED, lambda call, random: call._fails((_STATUS.RESOURCE_EXHAUSTED,), random)),
    (Fault.REFUSED, lambda call, random: call._fails(REFUSED, random)),
    (Fault.BROKEN_SETUP, lambda call, random: call._fails(BREAKS, random)),
)
"""What may befall a call, and whether it acts all the same."""
