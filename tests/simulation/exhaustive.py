"""Every way in which a few real writers can meet: each order of their calls, each fate of each.

There is no time here. Each call waits until the path chosen lets it happen, so that a path is a
sequence of choices, and all paths are walked one after the other.
"""

import dataclasses
import enum
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import grpc

from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.momento.store import MomentoStore
from tally.stores.port import Store as PortOfStores
from tally.stores.secret import Key
from tally.stores.valkey.store import ValkeyStore
from tests.simulation.facts import Delivery, Fact, Letter
from tests.simulation.opened import NO_KEY, SERVER
from tests.simulation.plan import draw
from tests.simulation.store import Store
from tests.simulation.timeline import Actor, violated
from tests.simulation.valkey import carry_out, parsed
from tests.simulation.world import World
from tests.support.momento_channel import FakeRpcError

FOREVER_S = 1e9
COUNTER = "c"


class Fate(enum.Enum):
    """What becomes of a call."""

    ANSWERED = "it acts, and is answered"
    LOST = "it fails before its effect"
    UNANSWERED = "it fails after its effect"
    LATE = "it fails, and acts later"


PROMPT = (Fate.ANSWERED, Fate.LOST, Fate.UNANSWERED)
"""Without LATE, whose effect may come after any later call: far fewer paths."""

LIMITS = Limits()


class Path:
    """One sequence of choices: those given, and the first of each further one."""

    def __init__(self, given: Sequence[int]) -> None:
        self._given = given
        self.taken: list[tuple[int, int]] = []

    def choose(self, options: int) -> int:
        place = len(self.taken)
        choice = self._given[place] if place < len(self._given) else 0
        self.taken.append((choice, options))
        return choice

    def following(self) -> list[int] | None:
        """The choices of the next path; None after the last."""
        taken = self.taken.copy()
        while taken:
            choice, options = taken.pop()
            if choice + 1 < options:
                return [*(earlier for earlier, _ in taken), choice + 1]
        return None


def every_path(walk: Callable[[Path], object]) -> Iterator[Path]:
    """Walk all paths."""
    given: list[int] | None = []
    while given is not None:
        path = Path(given)
        walk(path)
        yield path
        given = path.following()


@dataclasses.dataclass
class Pending:
    """A call that waits for its turn, or has had it."""

    act: Callable[[], Any]
    answer: Any = None
    failed: bool = False


class Meeting:
    """Writers on one counter, whose every call goes when the path says so.

    Args:
        batches: what each writer is handed.
        start: what stands under the counter before.
        limits: of the ledger.
        on_valkey: whether the counter lives in Valkey, and otherwise in Momento.
        faults: how many calls of a path may fail.
        fates: what may become of a call; the first that it is answered.
    """

    def __init__(
        self,
        batches: Sequence[Sequence[Fact]],
        *,
        start: bytes | None = None,
        limits: Limits = LIMITS,
        on_valkey: bool = False,
        faults: int = 0,
        fates: Sequence[Fate] = tuple(Fate),
    ) -> None:
        self._batches = [Delivery([_letter(facts)], fifo=False) for facts in batches]
        self._start = start
        self._plan = dataclasses.replace(draw(0, "calm"), limits=limits)
        self._on_valkey = on_valkey
        self._faults = faults
        self._fates = fates

    def walk(self, path: Path, executor: Executor) -> bytes | None:
        """Let the writers meet once; what is stored in the end.

        Raises:
            ViolationError: a promise is broken, or a writer does not end.
        """
        world = World(self._plan, executor)
        store = Store(world, world.plan.random("store"))
        store.begin(COUNTER, self._start)
        store.knows_script = True  # NOSCRIPT has no effect, and would only multiply the paths
        invited = ValkeyGuest if self._on_valkey else MomentoGuest
        guests: list[Guest] = [invited(world, store, batch) for batch in self._batches]
        crossing = Crossing(path, guests, self._faults, self._fates)
        world.timeline.when_idle = crossing.step
        for guest in guests:
            world.timeline.act(executor, guest.live)
        world.timeline.play()
        if world.timeline.guard.error:
            raise world.timeline.guard.error
        for letter in (letter for batch in self._batches for letter in batch.letters):
            world.oracle.acknowledges(letter)
        world.oracle.answers(COUNTER, store.get(COUNTER))
        return store.get(COUNTER)


class Crossing:
    """Takes the path's next step whenever every writer waits for an answer."""

    def __init__(
        self, path: Path, guests: Sequence["Guest"], faults: int, fates: Sequence[Fate]
    ) -> None:
        self._path = path
        self._guests = guests
        self._faults = faults
        self._fates = fates
        self._late: list[Pending] = []

    def step(self) -> None:
        """Let one of the pending calls happen, or one of the late ones; or there is none."""
        ready = [guest for guest in self._guests if guest.pending]
        options = len(ready) + len(self._late)
        while options:
            place = self._path.choose(options)
            if place < len(ready):
                self._let(ready[place])
                return
            self._late.pop(place - len(ready)).act()
            options -= 1

    def _let(self, guest: "Guest") -> None:
        """Let a call happen, in one of the ways in which it can."""
        fate = self._fates[self._path.choose(len(self._fates))] if self._faults else Fate.ANSWERED
        pending = guest.answered()
        if fate in {Fate.ANSWERED, Fate.UNANSWERED}:
            pending.answer = pending.act()
        elif fate is Fate.LATE:
            self._late.append(pending)
        if fate is not Fate.ANSWERED:
            pending.failed = True
            self._faults -= 1


class Guest:
    """One writer, whose calls wait for their turn."""

    def __init__(self, world: World, store: Store, delivery: Delivery) -> None:
        self.delivery = delivery
        self.pending: Pending | None = None
        self._world = world
        self._store = store
        self._actor: Actor | None = None

    def live(self, actor: Actor) -> None:
        """Settle the batch."""
        self._actor = actor
        options = {
            "ttl_s": 1,
            "deadline_s": 1.0,
            "limits": self._world.plan.limits,
            "clock": self._world.timeline,
            "wall_clock": self._world.timeline,
        }
        rounds = Rounds(
            self.opened(options),
            clock=self._world.timeline,
            sleep=lambda _seconds: None,
            uniform=lambda low, _high: low,
        )
        writer = Writer(rounds, Copies())
        events = [
            Event(f.counter, f.source or 0, f.seq, f.at, f.amount, f.low, f.high, f.reset)
            for f in self.delivery.facts(COUNTER)
        ]
        left = writer.settle({COUNTER: events}, FOREVER_S, Activity()).open
        if left:
            violated(f"left open: {left}")

    def opened(self, options: dict[str, Any]) -> PortOfStores:
        """The store that it writes to."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""

    def in_turn(self, act: Callable[[], Any], failure: Exception) -> Any:
        """Wait until the path lets the call happen; its answer."""
        self.pending = pending = Pending(act)
        if self._actor:
            self._actor.park()
        if pending.failed:
            raise failure
        return pending.answer

    def answered(self) -> Pending:
        """Give the writer its turn; the call that it waits for."""
        pending, self.pending = self.pending, None
        if pending is None or self._actor is None:
            violated("waits for no call")
        self._world.timeline.at(0.0, self._actor)
        return pending


class MomentoGuest(Guest):
    """It is a peer of its channel as well."""

    def opened(self, options: dict[str, Any]) -> PortOfStores:
        return MomentoStore(
            "tally",
            NO_KEY,
            open_channel=lambda: self,  # type: ignore[arg-type,return-value] # a peer of it
            **options,
        )

    def unary_unary(self, method: str, *_: Any, **__: Any) -> "Calls":
        return Calls(self, method.rpartition("/")[2])

    def unary_stream(self, *_: Any, **__: Any) -> None:
        """No counter needs a stream; the generated stub asks for them all the same."""

    def call(self, method: str, request: Any) -> Any:
        """The answer of a call, once it had its turn."""
        act = functools.partial(self._store.carry_out, method, request, self.delivery)
        return self.in_turn(act, FakeRpcError(grpc.StatusCode.UNAVAILABLE))


class ValkeyGuest(Guest):
    """It is a peer of its connection as well, and of each new one after a failure."""

    def opened(self, options: dict[str, Any]) -> PortOfStores:
        return ValkeyStore(SERVER, Key(""), opened=lambda _ends_at: self, **options)

    def is_quiet(self) -> bool:
        return True

    def run(self, commands: Sequence[bytes], answers: list[Any], _ends_at: float) -> None:
        """Take the answer of a pipeline's one command, once it had its turn."""
        [words] = parsed(commands)
        act = functools.partial(carry_out, self._store, words, self.delivery)
        answers.append(self.in_turn(act, ConnectionResetError()))


@dataclasses.dataclass(frozen=True)
class Calls:
    """A peer of grpc.UnaryUnaryMultiCallable. One call at a time: there is one counter."""

    guest: MomentoGuest
    method: str

    def future(self, request: Any, _timeout_s: float, _metadata: Any) -> "Answer":
        return Answer(functools.partial(self.guest.call, self.method, request))


@dataclasses.dataclass(frozen=True)
class Answer:
    """A peer of grpc.Future."""

    result: Callable[[], Any]


def _letter(facts: Sequence[Fact]) -> Letter:
    return Letter("", tuple(facts), "").posted("m", 0.0)
