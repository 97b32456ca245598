"""Our consumers in virtual time, on a channel whose calls take a stated time and never fail.

Nothing here depends on the machine: a seed gives the same numbers everywhere.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

from momento.auth import CredentialProvider

from benchmarks.speed.consumers import NOWHERE, Silent, settings_for
from consumer import wiring
from consumer.batch import Consumer
from tally.local.momento.data_calls import DATA_CALLS
from tally.local.momento.store import LocalCache
from tally.stores.momento.store import MomentoStore
from tests.simulation.timeline import Actor, Timeline

CACHE = "tally"
MS = 1_000
NS = 1_000_000_000


class Pace(NamedTuple):
    """How long things take.

    Attributes:
        round_trip_s: a call and its answer, on average.
        fold_s: from a read to its swap.
        jitter: how far each half of a round trip may lie off, as a share of it.
    """

    round_trip_s: float
    fold_s: float
    jitter: float


class Land:
    """What consumers share: the time, the store, and a count of the swaps.

    Args:
        pace: how long things take.
        seed: the same seed gives the same history.
    """

    def __init__(self, pace: Pace, seed: int) -> None:
        self.pace = pace
        self.timeline = Timeline()
        self.random = Random(seed)  # noqa: S311 (for repeating a run, not for a secret)
        self.tried = self.stored = 0
        self._cache = LocalCache(lambda: int(self.timeline() * NS))

    def consumer(self, actor: Actor) -> Consumer:
        """A cold consumer that lives in an actor."""
        timeline = self.timeline
        channel = _Channel(self, actor)
        store = MomentoStore(
            CACHE,
            CredentialProvider.for_momento_local(),
            open_channel=lambda: channel,  # type: ignore[arg-type,return-value] # a peer of it
            clock=timeline,
            wall_clock=timeline,
        )
        return wiring.build(
            settings_for(NOWHERE, CACHE),
            observer=Silent(),
            store=store,
            clock=timeline,
            sleep=lambda seconds: actor.sleep_until(timeline.now_s + seconds),
            uniform=self.random.uniform,
        )

    def play(self, live: Callable[[Actor], object], actors: int) -> None:
        """Let actors live, to the end of all of them."""
        with ThreadPoolExecutor(actors) as executor:
            for _ in range(actors):
                self.timeline.act(executor, live)
            self.timeline.play()
        if self.timeline.guard.error:
            raise self.timeline.guard.error

    def carry_out(self, name: str, request: Any) -> Any:  # noqa: ANN401 (generated messages)
        """The effect of a call, and its answer."""
        answer = DATA_CALLS[name](self._cache, request)
        self.stored += _is_swap(name) and answer.HasField("stored")
        return answer

    def half_s(self) -> float:
        """How long a request or an answer is under way."""
        pace, half_s = self.pace, self.pace.round_trip_s / 2
        return half_s * self.random.uniform(1 - pace.jitter, 1 + pace.jitter)


class Context:
    """Lambda's, as far as our consumer asks."""

    aws_request_id = ""

    def __init__(self, timeline: Timeline, timeout_s: float) -> None:
        self._timeline = timeline
        self._ends_at_s = timeline.now_s + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """What is left, in ms."""
        return int((self._ends_at_s - self._timeline.now_s) * MS)


class _Channel:
    """A peer of grpc.Channel, for one consumer."""

    def __init__(self, land: Land, actor: Actor) -> None:
        self.land = land
        self.actor = actor

    def unary_unary(self, method: str, *_: Any, **__: Any) -> "_Method":  # noqa: ANN401 (gRPC's own)
        return _Method(self, method.rpartition("/")[2])

    def close(self) -> None:
        """Nothing is open."""

    def unary_stream(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 (gRPC's own)
        """No counter needs a stream; the generated stub asks for them all the same."""


class _Method:
    """A peer of grpc.UnaryUnaryMultiCallable."""

    def __init__(self, channel: _Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def future(self, request: Any, _timeout_s: float, _metadata: Any) -> "_Call":  # noqa: ANN401 (gRPC's own)
        """Send a call: a swap once its fold is done."""
        land, actor = self._channel.land, self._channel.actor
        if _is_swap(self._name):
            land.tried += 1
            if land.pace.fold_s:
                actor.sleep_until(land.timeline.now_s + land.pace.fold_s)
        return _Call(land, actor, self._name, request)


class _Call:
    """A peer of grpc.Future: it acts half-way, and always succeeds."""

    def __init__(self, land: Land, actor: Actor, name: str, request: Any) -> None:  # noqa: ANN401 (generated)
        self._timeline, self._actor = land.timeline, actor
        self._answer: Any = None
        there_s = land.timeline.now_s + land.half_s()
        self._answered_at_s = there_s + land.half_s()

        def act() -> None:
            self._answer = land.carry_out(name, request)

        land.timeline.at(there_s, act)

    def result(self) -> Any:  # noqa: ANN401 (a generated message)
        """Wait for the answer."""
        if self._answered_at_s > self._timeline.now_s:
            self._actor.sleep_until(self._answered_at_s)
        return self._answer


def _is_swap(name: str) -> bool:
    return name.startswith("SetIf")
