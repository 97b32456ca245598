"""Virtual time, and threads of which one runs at a time: real code, interleaved and repeatable.

Whoever has the turn lets what is due happen, in its own thread, until it is its own time again or
another's: so a call that nobody comes between costs no switch, and nothing depends on the machine.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import NoReturn, Self

MAX_STEPS = 5_000_000
"""What may happen in one run; a run that takes more does not come to rest. The longest one seen
to its end takes 2.3 million: where SQS loses nearly each request, a publisher tries each for its
whole patience, and who waits for room looks twice a second."""


class ViolationError(BaseException):
    """Something happened that Tally promises never happens.

    Not an Exception, so that no code on its way takes it for an error of its own.
    """


def violated(what: str) -> NoReturn:
    """Say which promise is broken."""
    raise ViolationError(what)


class StoppedError(BaseException):
    """The run is over for a reason elsewhere; every thread unwinds."""


class Guard:
    """Keeps the first thing that went wrong, whatever it is, and lets nothing else through."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if self.error is None and not isinstance(error, StoppedError):
            self.error = error
        return not isinstance(error, KeyboardInterrupt)


class Timeline:
    """What is due when, in seconds from 0; called, it tells the time.

    Whenever nothing is due, `when_idle` is called, and may put something on the timeline. At once
    there may be so many actors as the executor has threads: one more would never have its turn.
    """

    def __init__(
        self, when_idle: Callable[[], object] = lambda: None, most_actors: int = 64
    ) -> None:
        self._most = most_actors
        self.now_s = 0.0
        self.when_idle = when_idle
        self.turn: Actor | None = None  # whose turn it is, or was last
        self.steps = 0
        self._ties = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object] | Actor]] = []
        self._actors: list[Actor] = []
        self.guard = Guard()
        self._home = threading.Lock()
        self._home.acquire()

    def __call__(self) -> float:
        return self.now_s

    def at(self, when_s: float, what: "Callable[[], object] | Actor") -> None:
        """Let something happen, or give an actor its turn; what is past is due now."""
        heapq.heappush(self._due, (max(when_s, self.now_s), next(self._ties), what))

    def act(self, executor: Executor, live: "Callable[[Actor], object]") -> None:
        """Start an actor: `live` runs on a thread of the executor, from the present time on."""
        self._actors = [actor for actor in self._actors if not actor.is_over]
        if len(self._actors) == self._most:
            violated(f"began an actor beside {self._most} others")
        actor = Actor(self)
        self._actors.append(actor)
        self.at(self.now_s, actor)
        actor.start(executor, live)

    def play(self) -> None:
        """Let everything happen that is due, to the end of all actors or to the first error."""
        self.pump(None)
        self._home.acquire()
        with self.guard:
            if not self.stopped and (waiting := sum(not actor.is_over for actor in self._actors)):
                violated(f"{waiting} threads wait for ever")
        for actor in self._actors:
            actor.end(self._home)

    def pump(self, me: "Actor | None") -> None:
        """Let things happen until it is the turn of `me`; None has no turn to wait for."""
        while not self.stopped and (self._due or self._has_more()):
            self.now_s, _, what = heapq.heappop(self._due)
            if what is me:
                self.turn = me
                return
            with self.guard:
                self._count_step()
                if not isinstance(what, Actor):
                    what()
            if isinstance(what, Actor):
                what.hand_over(me)
                return
        self._home.release()
        if me:
            me.wait()

    def guarded(self, live: Callable[[], object]) -> None:
        """Run an actor's life; how it ends is seen by play()."""
        with self.guard:
            live()
        self.pump(None)

    @property
    def stopped(self) -> bool:
        """Whether something went wrong, so that nothing more is to happen."""
        return self.guard.error is not None

    def _has_more(self) -> bool:
        """Whether there is something due after all, once `when_idle` was asked for more."""
        with self.guard:
            self.when_idle()
        return bool(self._due)

    def _count_step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            violated("does not come to rest")


class Actor:
    """Code with a thread of its own, which runs only while it has the turn."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._turn = threading.Lock()
        self._turn.acquire()
        self._life: Future[None] | None = None
        self.is_over = False
        self._unwinds = False

    def start(self, executor: Executor, live: "Callable[[Actor], object]") -> None:
        self._life = executor.submit(self._timeline.guarded, lambda: self._live(live))

    def sleep_until(self, when_s: float) -> None:
        """Let others have their turns until a time.

        Raises:
            StoppedError: the run is over; who unwinds and would wait on its way may not.
        """
        if self._unwinds:
            raise StoppedError
        self._timeline.at(when_s, self)
        self._timeline.pump(self)

    def park(self) -> None:
        """Let others have their turns until somebody puts this actor on the timeline."""
        self._timeline.pump(self)

    def wait(self) -> None:
        """Wait for the turn.

        Raises:
            StoppedError: there will be none.
        """
        self._turn.acquire()
        self._timeline.turn = self
        if self._timeline.stopped:
            self._unwinds = True
            raise StoppedError

    def hand_over(self, other: "Actor | None") -> None:
        """Give this actor the turn of another, who waits for its next one."""
        self._turn.release()
        if other:
            other.wait()

    def end(self, home: threading.Lock) -> None:
        """Unwind, if it is not done; the turn comes back to `home`."""
        if self._timeline.stopped and not self.is_over:
            self._turn.release()
            home.acquire()
        if self._life:
            self._life.result()

    def _live(self, live: "Callable[[Actor], object]") -> None:
        try:
            self.wait()
            live(self)
        finally:
            self.is_over = True
