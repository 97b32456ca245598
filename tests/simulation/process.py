"""A program's process on the timeline: its threads run in turns, and stop and end together.

The publisher's own threads wait at its bells, in `sleep` and for SQS. There the turn goes to
another. In some runs a thread also loses its turn at drawn calls within the publisher's code: there
CPython may let another thread come between, and nowhere else but at jumps.
"""

import sys
import threading
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

from tally.publishing.holding import Holding
from tally.publishing.inbox import Bell, Inbox
from tally.publishing.outbox import Outbox
from tally.publishing.packing import Packer
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Sender
from tally.publishing.sequence import Sequence
from tests.simulation.faults import Fault
from tests.simulation.network import KilledError
from tests.simulation.timeline import Actor, violated
from tests.simulation.world import World

FILES = frozenset(
    kind.__init__.__code__.co_filename
    for kind in (Holding, Inbox, Outbox, Packer, Publisher, Sender, Sequence)
)
"""Where a thread may lose its turn in the midst of the code …"""

POINTS = frozenset({"call", "c_return"})
"""… which is where a function begins, and where one of C has returned."""

ASIDE_S = (0.0, 0.000_01, 0.000_1, 0.001, 0.02)
LONG_ASIDE_S, LONG_ASIDES = 1.5, 0.02
"""For how long, and at what share of them for longer: a bell is waited at for 0.5 s."""

STOPPED_S = (0.5, 20.0, 120.0)
"""How long a process may be stopped: within the patience of sending, and past it."""


class Process:
    """What the threads of a program share.

    Attributes:
        is_dead: whether it was killed.
        threads: those that it ever had.
    """

    def __init__(self, world: World, random: Random, switch_rate: float) -> None:
        self.is_dead = False
        self.threads: set[Actor] = set()
        self._world = world
        self._timeline = world.timeline
        self._random = random
        self._switch_rate = switch_rate
        self._stopped_until_s = 0.0
        self._waiting: dict[TurnBell, Actor] = {}

    def start(self, live: Callable[[], object]) -> None:
        """Begin a thread, which ends with what it does, or with the process."""

        def run(actor: Actor) -> None:
            self.threads.add(actor)
            try:
                if self._switch_rate:
                    sys.setprofile(self._switch)
                self._go_on()
                live()
            except KilledError:
                pass
            finally:
                sys.setprofile(None)

        self._timeline.act(self._world.executor, run)

    def launch(self, _start: object, threads: tuple[threading.Thread, ...]) -> None:
        """Begin a thread of the publisher's.

        Raises:
            RuntimeError: none can be begun.
        """
        if self.is_dead or self._timeline.stopped or self._world.dice.strikes(Fault.NO_THREAD):
            message = "can't start new thread"
            raise RuntimeError(message)
        for thread in threads:
            self.start(thread.run)

    def make_bell(self) -> "TurnBell":
        """What the publisher's threads wait at."""
        return TurnBell(self)

    def sleep(self, seconds: float) -> None:
        """Let others have their turns for so long."""
        self.sleep_until(self._timeline.now_s + seconds)

    def sleep_until(self, when_s: float) -> None:
        """Let others have their turns until a time.

        Raises:
            KilledError: the process has ended.
        """
        self._turn.sleep_until(when_s)
        self._go_on()

    def wait(self, bell: "TurnBell", timeout_s: float | None) -> None:
        """Let others have their turns until the bell rings, or for so long."""
        if bell in self._waiting:
            violated("two threads wait at one bell")
        self._waiting[bell] = actor = self._turn
        bell.waits += 1
        wait = bell.waits
        if timeout_s is not None:
            self._timeline.at(self._timeline.now_s + timeout_s, lambda: self.wake(bell, wait))
        actor.park()
        self._go_on()

    def wake(self, bell: "TurnBell", wait: int) -> None:
        """Give whoever waits at this bell their turn, if it is this wait still."""
        if bell in self._waiting and bell.waits == wait:
            self._timeline.at(self._timeline.now_s, self._waiting.pop(bell))

    def lives(self) -> None:
        """Perhaps the process is stopped here for a time, or killed.

        Raises:
            KilledError: it is killed.
        """
        if self._world.dice.strikes(Fault.PROGRAM_STOPPED):
            for_s = self._random.uniform(0.0, self._random.choice(STOPPED_S))
            self._stopped_until_s = self._timeline.now_s + for_s
            self._go_on()
        if self._world.dice.strikes(Fault.PROGRAM_KILLED):
            self.kill()

    def kill(self) -> None:
        """End here, in whatever its threads are doing.

        Raises:
            KilledError: always.
        """
        self.is_dead = True
        self._world.note("killed", "a program")
        for bell in list(self._waiting):
            bell.ring()
        raise KilledError

    @property
    def _turn(self) -> Actor:
        if self._timeline.turn is None:
            violated("a publisher waits outside of any thread")
        return self._timeline.turn

    def _go_on(self) -> None:
        """As a thread does that had its turn, unless the process is stopped or has ended."""
        while self._stopped_until_s > self._timeline.now_s:
            self._turn.sleep_until(self._stopped_until_s)
        if self.is_dead:
            raise KilledError

    def _switch(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Perhaps the thread loses its turn at this call."""
        if event not in POINTS or frame.f_code.co_filename not in FILES:
            return
        if not self.is_dead and self._random.random() < self._switch_rate:
            self._world.totals["switches in a publisher's code"] += 1
            is_long = self._random.random() < LONG_ASIDES
            self.sleep(LONG_ASIDE_S if is_long else self._random.choice(ASIDE_S))


class TurnBell(Bell):
    """A peer of the publisher's bell, at which a thread waits on the timeline.

    Attributes:
        waits: how often a thread has.
    """

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process
        self._is_rung = False
        self.waits = 0

    def ring(self) -> None:
        self._is_rung = True
        self._process.wake(self, self.waits)

    def wait(self, timeout_s: float | None) -> None:
        if not self._is_rung:
            self._process.wait(self, timeout_s)
        self._is_rung = False
