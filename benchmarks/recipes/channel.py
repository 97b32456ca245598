"""A peer of grpc.Channel on virtual time: each call is sent, acts and is answered, or is not."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

import grpc

from benchmarks.recipes.truth import Key
from tests.simulation.faults import Fault
from tests.simulation.network import LATENCY_S
from tests.simulation.world import World
from tests.support.momento_channel import FakeRpcError

Errors = Sequence[Callable[[], Exception]]
"""How a lost call ends: at once, or when the client gives up; each makes an error."""

STATUSES: Errors = (
    lambda: FakeRpcError(grpc.StatusCode.UNAVAILABLE),
    lambda: FakeRpcError(grpc.StatusCode.DEADLINE_EXCEEDED),
)

Act = Callable[[str, Any, Key | None], Any]
"""What a call does when it is there: by its name, request and the increment that it is for. If it
gives an error, that is raised where the call is waited for."""


class Caller(Protocol):
    """Who calls, and for which increment, where it works on one at a time."""

    random: Random
    subject: Key | None

    def lives(self) -> None:
        """Raises if the caller's process ends here."""

    def sleep_until(self, when_s: float) -> None:
        """Waits in virtual time."""


class Way(Protocol):
    """A client's way to a store."""

    world: World
    act: Act
    caller: Caller


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
        return Call(self._channel, self._name, request, timeout, STATUSES)


class Call:
    """A peer of grpc.Future; what befalls it is settled when it is sent.

    Args:
        way: to the store.
        name: of the call.
        request: what is asked.
        timeout_s: when the client gives up.
        errors: how it ends if it is lost.
        takes_s: how long the store is busy with it, once it has taken effect.

    Attributes:
        answered_at_s: when there is an answer, or an error.
    """

    def __init__(
        self,
        way: Way,
        name: str,
        request: Any,  # noqa: ANN401 (generated)
        timeout_s: float,
        errors: Errors,
        takes_s: float = 0.0,
    ) -> None:
        self._way = way
        self._answer: Any = None
        self._error: Exception | None = None
        world, caller = way.world, way.caller
        random, subject = caller.random, caller.subject
        there_s = world.timeline.now_s + random.uniform(0.0, LATENCY_S)
        self.answered_at_s = there_s + takes_s + random.uniform(0.0, LATENCY_S)
        world.totals["calls"] += 1
        is_lost = world.dice.strikes(Fault.REQUEST_LOST)
        if is_lost or world.dice.strikes(Fault.ANSWER_LOST):
            error = random.choice(errors)
            self._error = error()
            if error is not errors[0]:
                self.answered_at_s = world.timeline.now_s + timeout_s
        if not is_lost:
            world.timeline.at(there_s, lambda: self._act(name, request, subject))

    def result(self) -> Any:  # noqa: ANN401 (a generated message)
        """Wait for the answer.

        Raises:
            Exception: it never came, or it is an error.
        """
        if self.answered_at_s > self._way.world.timeline.now_s:
            self._way.caller.sleep_until(self.answered_at_s)
        if self._error:
            raise self._error
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def _act(self, name: str, request: Any, subject: Key | None) -> None:  # noqa: ANN401 (generated)
        self._answer = self._way.act(name, request, subject)
