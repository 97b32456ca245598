"""Publishers in a storm, seeded: `python -m tests.publishing.storm --seeds 1000 --first 0`.

Real threads publish to an SQS that loses requests and answers, answers half, throttles, dies and
comes back. Meanwhile exceptions come out of signals and into threads, signal handlers, finalizers
and handlers of log lines publish and flush, the process forks, and what is handed over is published
again. In the end each increment that publish() returned is stored or handed over, none twice, and
nothing waits: a run that does is ended by a watchdog, with the stack of each thread.
"""

import argparse
import ctypes
import faulthandler
import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import botocore.exceptions as boto

from tally.counters.body import parse
from tally.counters.event import Envelope
from tally.counters.identity import identity_of
from tally.publishing.errors import PublisherClosedError, UnsentError, WaitsForItselfError
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Pacer

URL = "http://127.0.0.1/000000000000/counters"
WATCHDOG_S = 20
FAR = 10**6  # seeds from one process to the next
ENVELOPE = Envelope("00000000-0000-0000-0000-000000000000", 2**62)
LOG = logging.getLogger("tests.publishing.storm")
ENDED: list[Any] = []
LOST = boto.ReadTimeoutError(endpoint_url=URL)
AWAY = boto.EndpointConnectionError(endpoint_url=URL)


class StormError(Exception):
    """Comes out of a signal, at any statement."""


class StormySqs:
    """A client of SQS whose every request is drawn from the seed; it writes log lines."""

    def __init__(self, seed):
        self.bodies = []
        self.is_calm = False
        self._draw = random.Random(seed)
        self._away = 0

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803, ARG002 (boto3's names)
        LOG.debug("a request of %d messages", len(Entries))
        mood = "good" if self.is_calm else self._mood()
        if mood == "away":
            raise AWAY
        kept = Entries[: len(Entries) // 2] if mood == "half" else Entries
        self.bodies += [entry["MessageBody"] for entry in kept]
        if mood == "answer lost":
            raise LOST
        left = [entry["Id"] for entry in Entries if entry not in kept]
        LOG.info("an answer")
        return {
            "Successful": [{"Id": entry["Id"]} for entry in kept],
            "Failed": [
                {"Id": each, "SenderFault": True, "Code": "RequestThrottled"} for each in left
            ],
        }

    def close(self):
        """Nothing is open."""

    def _mood(self):
        if self._away:
            self._away -= 1
            return "away"
        mood = self._draw.choices(("good", "half", "answer lost", "away"), (6, 2, 2, 1))[0]
        if mood == "away":
            self._away = self._draw.randrange(0, 15)
        return mood


class Books:
    """What the callers of publish() know.

    Each entry is one append, which C does: what is raised at it comes after it.
    """

    def __init__(self):
        self.returned = []
        self.republished = []
        self.caught = []

    @property
    def handed_over(self):
        """The increments of each UnsentError, also of those beneath an exception from outside."""
        found = {}
        for error in self.caught.copy():
            while error is not None:
                if isinstance(error, UnsentError):
                    found[id(error)] = error.increments
                error = error.__context__  # noqa: PLW2901 (the chain)
        return [increment for increments in found.values() for increment in increments]

    @property
    def interrupted(self):
        return sum(not isinstance(error, UnsentError) for error in self.caught)


class Storm:
    """One run."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.sqs = StormySqs(seed)
        self.books = Books()
        self.is_over = threading.Event()
        self.is_exposed = False
        pacer = Pacer(sleep=lambda _s: None, patience_s=0.5)
        url = URL + self.draw.choice(("", ".fifo"))
        self.options: dict[str, Any] = {
            "pacer": pacer,
            "linger_s": self.draw.choice((0, 0.0005, 0.01)),
        }
        self.shards = self.draw.choice((None, None, 4))
        self.publisher = Publisher(url, client=self.sqs, shards=self.shards, **self.options)
        self.url = url

    def run(self):
        """Let it rage, end it, and see."""
        sys.setswitchinterval(self.draw.choice((1e-6, 1e-4, 5e-3)))
        handler = _Counting(self)
        LOG.addHandler(handler)
        signal.signal(signal.SIGALRM, self._lightning)
        threads = [threading.Thread(target=self._publish_some, args=(n,)) for n in range(2)]
        thunder = threading.Thread(target=self._thunder, args=(threads,))
        try:
            for thread in (*threads, thunder):
                thread.start()
            self._main()
            if self.draw.random() < 0.2:
                self._fork()
            for thread in threads:
                thread.join()
            self.is_over.set()
            thunder.join()
            self._close()
        finally:
            LOG.removeHandler(handler)
        self._close_calmly()
        return self._violations()

    def publish(self, name):
        """Publish one, from wherever this is called."""
        self.books.returned.append(self.publisher.publish(name))

    def _main(self):
        """What the main thread publishes, where signals are heard."""
        for number in range(2, 10):
            try:
                self.is_exposed = True  # signals raise until it is False, at any call
                self._arm()
                self._publish_some(number)
                self.is_exposed = False
            except StormError as error:
                self.is_exposed = False
                self.books.caught.append(error)

    def _publish_some(self, number):
        draw = random.Random(f"{number} {self.draw.random()}")
        for _ in range(draw.randrange(50, 300)):
            try:
                self._act(draw)
            except (StormError, UnsentError) as error:
                self.books.caught.append(error)

    def _act(self, draw):
        chance = draw.random()
        name = f"c{draw.randrange(5)}"
        if chance < 0.02:
            self.publisher.flush()
        elif chance < 0.05:
            _Finalized(self, name)
        elif chance < 0.08 and self.books.handed_over:
            again = draw.choice(self.books.handed_over)
            self.books.republished.append(again)
            self.publisher.publish_again(again)
        elif chance < 0.15 and not self.shards:
            identity = f"{draw.random()}{'x' * draw.choice((10, 10_000, 500_000))}"
            self.books.returned.append(self.publisher.publish(name, id=identity))
        else:
            self.publish(name)

    def _arm(self):
        signal.setitimer(signal.ITIMER_REAL, self.draw.uniform(5e-5, 2e-3))

    def _lightning(self, *_):
        """The handler of the signal: publishes, flushes, or raises."""
        self._arm()
        chance = self.draw.random()
        if not self.is_exposed:
            signal.setitimer(signal.ITIMER_REAL, 0)
        elif chance < 0.3:
            raise StormError
        else:
            self._publish_in_handler(chance)

    def _publish_in_handler(self, chance):
        try:
            self.publisher.flush() if chance < 0.35 else self.publish("signal")
        except (PublisherClosedError, UnsentError, WaitsForItselfError) as error:
            self.books.caught.append(error)

    def _thunder(self, threads):
        """Raise in threads that publish, as time limits of task queues do."""
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        while not self.is_over.wait(self.draw.uniform(1e-4, 5e-3)):
            thread = self.draw.choice(threads)
            if thread.ident and thread.is_alive():
                raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(StormError))

    def _fork(self):
        """A child publishes and closes on its own; it tells what of that was stored."""
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            # Not faulthandler's watchdog: its thread is the parent's, and would be waited for.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(WATCHDOG_S)
            self.sqs.is_calm = True
            self.sqs.bodies.clear()
            published = [_name(self.publisher.publish("child")) for _ in range(5)]
            LOG.handlers.clear()
            self.publisher.close()
            os.write(writable, json.dumps([published, _names(self.sqs.bodies)]).encode())
            os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as pipe:
            published, stored = json.load(pipe)
        os.waitpid(pid, 0)
        assert set(published) <= set(stored), "the child's are not stored"
        assert not set(published) & set(_names(self.sqs.bodies)), "the child took an identity"

    def _close(self):
        """Close under fire, as often as it takes."""
        for _ in range(20):
            try:
                self.is_exposed = True
                self._arm()
                self.publisher.close()
                self.is_exposed = False
            except (StormError, UnsentError) as error:
                self.is_exposed = False
                self.books.caught.append(error)

    def _close_calmly(self):
        try:
            self.publisher.close()
        except UnsentError as error:
            self.books.caught.append(error)
        gc.collect()

    def _violations(self):
        stats, books = self.publisher.stats, self.books
        returned = [_name(each) for each in books.returned]
        handed_over = Counter(map(_name, books.handed_over))
        again = Counter(map(_name, books.republished))
        stored = set(_names(self.sqs.bodies))
        if stats.published != stats.confirmed + stats.unsent:
            yield f"{stats.published} published, not {stats.confirmed} + {stats.unsent}"
        if twice := len(returned) - len(set(returned)):
            yield f"{twice} identities were given twice"
        if lost := set(returned) - stored - set(handed_over):
            yield f"{len(lost)} were lost: {sorted(lost)[:3]}"
        unknown = (stored | set(handed_over)) - set(returned)
        if len(unknown) > books.interrupted:
            yield f"{len(unknown)} were counted and not published, {books.interrupted} interrupted"
        if told := [each for each, times in handed_over.items() if times > 1 + again[each]]:
            yield f"{len(told)} were handed over more than once: {told[:3]}"
        self.sqs.is_calm = True
        with Publisher(self.url, client=self.sqs, **self.options) as publisher:
            for each in books.handed_over:
                publisher.publish_again(each)
        if lost := set(returned) - set(_names(self.sqs.bodies)):
            yield f"{len(lost)} were lost though they were published again"


class _Finalized:
    """Publishes when it is collected, in whichever thread that is."""

    def __init__(self, storm, name):
        self._storm, self._name, self._itself = storm, name, self

    def __del__(self):
        if not hasattr(self, "_itself") or self._storm.is_over.is_set():
            return  # an exception came before it was whole; or nobody counts any more
        if self._storm.publisher.stats.published:
            try:
                self._storm.publish(self._name)
            except (PublisherClosedError, UnsentError, WaitsForItselfError) as error:
                self._storm.books.caught.append(error)


class _Counting(logging.Handler):
    """Publishes for each line, also of the sender's own thread."""

    def __init__(self, storm):
        super().__init__()
        self._storm = storm

    def emit(self, record):
        self._storm.publish(f"log:{record.levelname}")


def _names(bodies):
    events = [event for body in bodies for event in parse(body, ENVELOPE)]
    return [f"{event.counter} {event.identity}" for event in events]


def _name(increment):
    return f"{increment.counter} {identity_of(increment)}"


def rage(seeds, minutes):
    """Run seeds, and return how many; a violation ends the process."""
    logging.raiseExceptions = False
    threading.excepthook = sys.unraisablehook = ENDED.append  # C's, not to be interrupted
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    ends_at, done = time.monotonic() + minutes * 60, 0
    for seed in seeds:
        if time.monotonic() > ends_at:
            break
        faulthandler.dump_traceback_later(WATCHDOG_S, exit=True)
        violations = [*Storm(seed).run()]
        ended = [told.exc_value for told in ENDED if told.exc_type is not StormError]
        violations += [f"a thread or a finalizer ended with {error!r}" for error in ended]
        if violations:
            sys.exit(f"seed {seed}: {'; '.join(violations)}")
        done += 1
    faulthandler.cancel_dump_traceback_later()
    return done


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.publishing.storm")
    parser.add_argument("--seeds", type=int, default=10**9, help="how many (default: no end)")
    parser.add_argument("--first", type=int, default=0, help="the first (default: %(default)d)")
    parser.add_argument("--minutes", type=float, default=10, help="at most (default: %(default)g)")
    parser.add_argument("--processes", type=int, default=1, help="default: %(default)d")
    told = parser.parse_args()
    others = [
        subprocess.Popen(  # noqa: S603 (ours)
            [
                *(sys.executable, "-m", "tests.publishing.storm", f"--seeds={told.seeds}"),
                *(f"--minutes={told.minutes}", f"--first={told.first + other * FAR}"),
            ]
        )
        for other in range(1, told.processes)
    ]
    done = rage(range(told.first, told.first + told.seeds), told.minutes)
    if any(other.wait() for other in others):
        return 1
    sys.stdout.write(f"{done} seeds, no violation\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
