"""Programs that publish with the real `Publisher`, from several threads, and how they end."""

import enum
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.outbox import Outbox
from tally.publishing.process import FORGOTTEN, PerProcess
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Pacer, Sender
from tally.publishing.sequence import Sequence
from tests.simulation.books import Book, Flushed
from tests.simulation.faults import Fault
from tests.simulation.network import KilledError
from tests.simulation.process import Process
from tests.simulation.producers import Changes, Clock, counters
from tests.simulation.sqs import QUEUE_URL, Post, Sqs
from tests.simulation.timeline import violated

if TYPE_CHECKING:
    from tally.counters.event import Increment

MAX_PROGRAMS = 4
MAX_WORKERS = 3
MAX_NAMED = 8
"""At most so many increments with ids at a time: each is a source of its own."""

LONGER = (0, 0, 0, 0, 9_000, 70_000)
"""Characters by which an id is longer: a message holds 64 KiB, or one increment."""

PATIENCES_S = (1.0, 30.0, 30.0)
LINGERS_S = (0.0, 0.1, 0.1, 5.0)
SWITCH_RATES = (0.0, 0.0, 0.0, 0.003, 0.03)
OVERTIME_S = 0.3
STEP_S = 0.5
LOGGED_S = 5.0
"""From when nobody can be told of what is unsent any more to when the log has been."""

MAX_STEPS = 2_000
"""How long one waits for the other threads of a program, a step at a time."""

REST_S = 2.0
"""From the end of the faults to when the last program publishes again what was handed over."""


class End(enum.Enum):
    """How a program leaves its publisher."""

    CLOSED = "closed"
    ABANDONED = "abandoned"
    FORGOTTEN = "collected, and not closed"


class Program:
    """One program, started anew as often as it ends, until its time is over.

    Attributes:
        is_over: whether it will not be started again.
    """

    def __init__(self, post: Post, number: int) -> None:
        self.is_over = False
        self._post = post
        self._world = post.world
        self._random = post.world.plan.random(f"program {number}")
        self._left: list[Increment] = []
        self._world.timeline.at(0.0, self._start)

    def _start(self) -> None:
        """A process begins, or the time is over."""
        span_s, now_s = self._world.plan.span_s, self._world.timeline.now_s
        if now_s >= span_s or self._world.dice.calm:
            self.is_over = True
            return
        share = self._random.choice((0.2, 0.5, 1.0, 1.0))
        run = Run(self._post, Random(self._random.random()), now_s + (span_s - now_s) * share)
        run.left = self._left
        run.process.start(partial(run.live, self._start))


class Run:
    """One process of a program: its publisher, and its threads.

    Attributes:
        process: the process.
        left: what was handed over and may be published again.
    """

    def __init__(self, post: Post, random: Random, ends_at_s: float) -> None:
        self._post = post
        self._world, self._random = post.world, random
        self._ends_at_s = ends_at_s
        self.process = Process(post.world, random, random.choice(SWITCH_RATES))
        self.left: list[Increment] = []
        self._workers = random.randint(1, MAX_WORKERS)
        self._working = 0
        self._book = Book(self._workers)
        self._clock = Clock(post.world, random, post.world.timeline)
        self._changes = Changes(random)
        self._named: list[dict[str, object]] = []
        self._names = counters(post.world.plan.counters)
        self._outbox = self._opened()
        self._publisher = self._publishing()

    def live(self, next_: Callable[[], object]) -> None:
        """Be the main thread, to the end of the process; then the next begins."""
        try:
            self._main()
        except KilledError:
            pass
        finally:
            timeline = self._world.timeline
            timeline.at(timeline.now_s + self._random.uniform(0.0, 1.0), next_)

    def finish(self) -> None:
        """Publish all that is left again, and close."""
        for increment in self.left:
            self._publisher.publish_again(increment)
            self._post.books.puts_again(self._book, increment)
        self._end(End.CLOSED)

    def _main(self) -> None:
        for _ in range(self._workers):
            self._working += 1
            self.process.start(self._work)
        self.process.sleep_until(self._ends_at_s)
        dice = self._world.dice
        if dice.strikes(Fault.ABANDONED):
            self._end(End.ABANDONED)
        elif dice.strikes(Fault.FORGOTTEN):
            self._end(End.FORGOTTEN)
        else:
            self._end(End.CLOSED)

    def _end(self, end: End) -> None:
        """Leave the publisher, and see what it says in the end."""
        if end is End.FORGOTTEN:
            self._wait(lambda: self._working == 0)
            logged = self._forget()
        else:
            leave = self._publisher.abandon if end is End.ABANDONED else self._publisher.close
            self._attempt(leave)
            self._wait(lambda: self._working == 0)
            self._attempt(self._publisher.close)  # what came too late for the last request
            logged = 0
        self._world.totals[f"publishers {end.value}"] += 1
        self._post.books.closes(self._book, self._publisher.stats, logged=logged)

    def _forget(self) -> int:
        """Nobody holds the publisher any more; how many increments the log says are unsent."""
        logged = self._post.books.logged
        is_begun = bool(self._outbox.stats().published) or self._outbox._shift is not None
        self._outbox.forget()
        if not is_begun:
            return 0  # no thread was ever needed
        self._wait(lambda: self._outbox._is_over and not self._outbox.has_unsent)
        self.process.sleep(LOGGED_S)
        return sum(logged[thread] for thread in self.process.threads)

    def _wait(self, is_so: Callable[[], bool]) -> None:
        for _ in range(MAX_STEPS):
            if is_so():
                return
            self.process.sleep(STEP_S)
        violated("waits for a thread that does not end")

    def _work(self) -> None:
        """Be a thread that publishes, at times a little longer than the main thread wants."""
        timeline = self._world.timeline
        programs = min(MAX_PROGRAMS, self._world.plan.producers)
        acts = max(1, self._world.plan.letters // programs // self._workers)
        pause_s = (self._ends_at_s - timeline.now_s) / acts
        ends_at_s = self._ends_at_s + self._random.choice((0.0, OVERTIME_S))
        try:
            for _ in range(acts):
                next_s = timeline.now_s + self._random.uniform(0.0, 2 * pause_s)
                self.process.sleep_until(min(next_s, ends_at_s))
                self._act()
        except PublisherClosedError:
            self._world.totals["publishers found closed"] += 1
        finally:
            self._working -= 1

    def _act(self) -> None:
        chance = self._random.random()
        self._clock.step()
        if chance < 0.15:
            self._flush()
        elif chance < 0.3 and self.left:
            self._attempt(self._publish_again)
        elif chance < 0.4:
            for _ in range(self._random.randint(1, MAX_NAMED)):
                self._attempt(partial(self._publish, self._name()))
        else:
            for _ in range(self._random.randint(1, self._world.plan.letter_events)):
                self._attempt(self._publish)

    def _name(self) -> dict[str, object]:
        """The fields of an increment with an id; perhaps of one that was published before."""
        if self._named and self._world.dice.strikes(Fault.RESTAMPED):
            return self._random.choice(self._named)
        name = f"order {self._random.getrandbits(64):x}" + "x" * self._random.choice(LONGER)
        self._named.append({"id": name, **self._change()})
        return self._named[-1]

    def _change(self) -> dict[str, object]:
        return {"counter": self._random.choice(self._names), **self._changes.draw()[0]}

    def _publish(self, named: dict[str, object] | None = None) -> None:
        fields = named or self._change()
        asking = self._post.books.asks(self._book, fields)
        try:
            increment = self._publisher.publish_fields(fields)
        except (PublisherClosedError, UnsentError) as error:
            self._post.books.refuses(self._book, asking)
            self._book.was_refused |= isinstance(error, PublisherClosedError)
            raise
        self._post.books.answers(self._book, asking, increment)

    def _publish_again(self) -> None:
        increment = self._random.choice(self.left)
        self._publisher.publish_again(increment)
        self._post.books.puts_again(self._book, increment)

    def _flush(self) -> None:
        returned = len(self._book.returned)
        if self._attempt(self._publisher.flush):
            ended = Flushed(returned, self._world.timeline.now_s)
            self._book.flushed.append(ended)
            self._world.totals["flushes without an error"] += 1

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Do something that may hand over increments; whether it did not."""
        try:
            act()
        except UnsentError as error:
            self._post.books.hands_over(self._book, error.increments)
            self.left.extend(error.increments)
            return False
        return True

    def _opened(self) -> Outbox:
        """The outbox of the process, whose threads have their turns."""
        process, random, timeline = self.process, self._random, self._world.timeline
        client = Sqs(self._post, self._book, process, random)
        pacer = Pacer(
            clock=timeline,
            sleep=process.sleep,
            random=random.random,
            patience_s=random.choice(PATIENCES_S),
            wall=timeline,
        )
        return Outbox(
            Sender(self._url, pacer, client),
            fifo=self._world.plan.fifo,
            linger_s=random.choice(LINGERS_S),
            clock=timeline,
            launch=process.launch,
            make_bell=process.make_bell,
        )

    def _publishing(self) -> Publisher:
        """The publisher on it; the end of its life is played, and not left to the collector."""
        random = self._random
        sequence = Sequence(clock_ms=self._clock, entropy=random.randbytes, getpid=lambda: 1)
        client = Sqs(self._post, self._book, self.process, random)
        publisher = Publisher(self._url, client=client, sequence=sequence)
        publisher._forgotten.detach()
        publisher._outboxes = PerProcess(lambda: self._outbox)
        return publisher

    @property
    def _url(self) -> str:
        return QUEUE_URL + ".fifo" * self._world.plan.fifo


class Press:
    """All programs of a run, and the one after them that publishes again what they had left."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._world = post.world
        post.queue.is_open = True
        number = min(MAX_PROGRAMS, post.world.plan.producers)
        self._programs = [Program(post, each) for each in range(number)]

    def finish_after(self, when_s: float) -> None:
        """From this time on nothing fails; when all programs have ended, the last one begins."""
        self._world.timeline.at(when_s + REST_S, self._look)

    def _look(self) -> None:
        timeline = self._world.timeline
        if not all(program.is_over for program in self._programs):
            timeline.at(timeline.now_s + STEP_S, self._look)
            return
        run = Run(self._post, self._world.plan.random("heir"), timeline.now_s)
        run.left = list(self._post.books.unsent.values())
        run.process.start(partial(self._finish, run))

    def _finish(self, run: Run) -> None:
        run.finish()
        self._post.queue.is_open = False


class _Log(logging.Handler):
    """Hears how many increments the log says were given up."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self._post = post

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == FORGOTTEN and isinstance(record.args, tuple):
            thread = self._post.world.timeline.turn
            self._post.books.logged[thread] += int(str(record.args[0]))


@contextmanager
def heard(post: Post) -> Iterator[None]:
    """Have the log of the publishers heard, and by nobody else."""
    logger = logging.getLogger("tally.publishing")
    handler, propagates = _Log(post), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
