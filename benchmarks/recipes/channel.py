"""A peer of grpc.Channel on virtual time: each call is sent, acts and is answered, or is not."""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import grpc

from benchmarks.recipes.truth import Key
from tests.simulation.faults import Fault
from tests.simulation.network import LATENCY_S
from tests.simulation.world import World
from tests.support.momento_channel import FakeRpcError

STATUSES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""How a lost call ends: at once, or when the client gives up."""

Act = Callable[[str, Any, Key | None], Any]
"""What a call does when it is there: by its name, request and the increment that it is for."""


class Caller(Protocol):
    """Who calls, and for which increment, where it works on one at a time."""

    random: Random
    subject: Key | None

    def lives(self) -> None:
        """Raises if the caller's process ends here."""

    def sleep_until(self, when_s: float) -> None:
        """Waits in virtual time."""


class Channel:
    """One environment's way to the store."""

    def __init__(self, world: World, act: Act, caller: Caller) -> None:
        self.world = world
        self.act = act
        self.caller = caller

    def unary_unary(self, method: str, *_: Any, **__: Any) -> "Method":  # noqa: ANN401 (gRPC's own)
        """A method, as the generated stub asks for it."""
        return Method(self, method.rpartition("/")[2])

    def close(self) -> None:
        """Nothing is open."""

    def unary_stream(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 (gRPC's own)
        """No recipe needs a stream; the generated stub asks for them all the same."""


class Method:
    """A peer of grpc.UnaryUnaryMultiCallable."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def future(self, request: Any, timeout: float, _metadata: Any) -> "Call":  # noqa: ANN401 (gRPC's own)
        """Send a call; the process may end before it."""
        self._channel.caller.lives()
        return Call(self._channel, self._name, request, timeout)


class Call:
    """A peer of grpc.Future; what befalls it is settled when it is sent."""

    def __init__(self, channel: Channel, name: str, request: Any, timeout_s: float) -> None:  # noqa: ANN401 (generated)
        self._channel = channel
        self._answer: Any = None
        self._error: grpc.StatusCode | None = None
        world, caller = channel.world, channel.caller
        random, subject = caller.random, caller.subject
        there_s = world.timeline.now_s + random.uniform(0.0, LATENCY_S)
        self._answered_at_s = there_s + random.uniform(0.0, LATENCY_S)
        world.totals["calls"] += 1
        is_lost = world.dice.strikes(Fault.REQUEST_LOST)
        if is_lost or world.dice.strikes(Fault.ANSWER_LOST):
            self._error = random.choice(STATUSES)
            if self._error is grpc.StatusCode.DEADLINE_EXCEEDED:
                self._answered_at_s = world.timeline.now_s + timeout_s
        if not is_lost:
            world.timeline.at(there_s, lambda: self._act(name, request, subject))

    def result(self) -> Any:  # noqa: ANN401 (a generated message)
        """Wait for the answer.

        Raises:
            FakeRpcError: it never came.
        """
        if self._answered_at_s > self._channel.world.timeline.now_s:
            self._channel.caller.sleep_until(self._answered_at_s)
        if self._error:
            raise FakeRpcError(self._error)
        return self._answer

    def _act(self, name: str, request: Any, subject: Key | None) -> None:  # noqa: ANN401 (generated)
        self._answer = self._channel.act(name, request, subject)
