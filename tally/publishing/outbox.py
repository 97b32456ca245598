"""The buffer of one process, and the thread that empties it."""

import contextlib
import math
import sys
import threading
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tally.publishing.errors import PublisherClosedError, WaitsForItselfError
from tally.publishing.holding import ABANDONED, LATE, NOT_TRIED, Holding
from tally.publishing.inbox import Bell, Inbox, Marker, Put
from tally.publishing.packing import Message
from tally.publishing.sending import NOTHING_SENT, Failure, Outage, RequestOutcome, Sender, Stats
from tally.publishing.shift import RelievedError, Shift

MAX_UNSENT_BYTES = 4 * 1_048_576
"""How many bytes may be given up and not yet raised; from then on publish() raises them."""

MAX_LAST_PASSES = 3
"""How often close() sends what a log handler publishes of the lines that the sending logs."""

RELAUNCH_S = 1.0
"""If a started thread has not begun to work after this time, another is started."""

SIGNALS_EVERY_S = 0.5
"""A signal that comes just before a thread begins to wait is handled after at most this time."""


class Outbox:
    """The inbox, what was taken from it, and the sender that takes.

    A thread does the sending, not the caller of publish(): only a thread can send what lingers
    while nobody publishes, publish() waits for the network only if the buffer is full, and callers
    need not take turns to repeat. The thread starts with the first increment. It is a daemon, so
    that a program can end without closing its publisher. If no thread can be started, as in an exit
    hook, the thread that waits does the work. If it would wait for itself: WaitsForItselfError.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        fifo: bool,
        linger_s: float,
        clock: Callable[[], float],
        launch: Callable[[Callable[..., object], tuple[Any, ...]], object] = start_new_thread,
        make_bell: Callable[[], Bell] = Bell,
    ) -> None:
        """Nothing is started yet; `launch` raises RuntimeError if no thread can be started."""
        self._sender, self._launch, self._make_bell = sender, launch, make_bell
        self._linger_s, self._clock = linger_s, clock
        self._inbox = Inbox()
        self._holding = Holding(self._inbox, fifo=fifo)
        self._bell = make_bell()  # the sender waits for it
        self._waiting: deque[Bell] = deque()  # of the threads that wait for the sender
        self._closed = self._ended = self._is_over = self._is_abandoned = False
        self._exit_left_s: Callable[[], float] | None = None
        self._shift: Shift | None = None  # the present sender
        self._launched_at = -math.inf
        self._due_at: float | None = None
        self._start_failed = self._is_forgotten = False
        self._is_closing = False  # whether close()'s marker was met
        self._outage = Outage()

    def admit(self) -> None:
        """Wait until one more increment can be put; blocks while the buffer is full.

        It blocks at most as long as `settle`. The sender's own thread, in which a log handler may
        publish, never waits: what it publishes is always put.

        Raises:
            PublisherClosedError: the outbox is closed.
            UnsentError: too much was given up and not yet raised.
        """
        if self._is_own_thread():
            return
        if not self._has_room():
            self._wait_until(self._has_room)
        if self._closed or (self._exit_left_s and self._exit_left_s() <= 0):
            raise PublisherClosedError
        if self._holding.untold_bytes >= MAX_UNSENT_BYTES:
            self.raise_unsent()

    def put(self, counter: str, part: bytes) -> None:
        """Take the JSON of one increment; waits for SQS only when the program ends.

        Raises:
            PublisherClosedError: the outbox was closed during the call, and did not take it.
            UnsentError: the program ends, and it could not be sent.
        """
        item = Put(counter, part)
        self._inbox.put(item)
        self._wake()
        if self._is_over and self._inbox.withdraw(item):
            raise PublisherClosedError
        if self._exit_left_s and not self._is_own_thread():  # nobody will send it
            if not self.settle(self._exit_left_s):
                self.abandon()
            self.raise_unsent()

    def settle(self, left_s: Callable[[], float] = lambda: math.inf) -> bool:
        """Wait until all that was put so far is confirmed or given up; returns whether it is.

        It waits as long as SQS settles part of each request within the limits of sending and
        `left_s` returns more than 0. What comes after failed messages is given up (`Outage`).
        """
        self._check_wait()
        if self._is_over:
            return True
        marker = self._inbox.mark(Marker())
        return self._wait_until(lambda: marker.is_settled or self._is_over, left_s)

    def raise_unsent(self) -> None:
        """Raise what was given up, whichever thread published it, once.

        Raises:
            UnsentError: something was given up since the last call.
        """
        if self._is_over and self._has_late:
            self._wait_until(lambda: not self._has_late)
        self._holding.raise_unsent()

    def abandon(self) -> None:
        """Take no more, and give up what is not confirmed, without waiting for SQS."""
        self._check_wait()
        self._closed = self._ended = self._is_abandoned = True
        self._wait_until(lambda: self._is_over)

    def close(self) -> None:
        """Take no more, wait for the rest as `settle` does, and end the thread."""
        if not self._is_over:
            self._check_wait()
            self.finish()
            self._wait_until(lambda: self._is_over)

    def finish(self) -> None:
        """Take no more, and have the rest sent; waits for nothing."""
        self._closed = True
        self._inbox.mark(Marker(is_last=True))
        self._bell.ring()

    def forget(self) -> None:
        """No caller is left: send the rest, and log what was not confirmed."""
        self._is_forgotten = True
        self.finish()
        if self.has_open and not self._wake():
            self._lose()

    def exit(self, left_s: Callable[[], float]) -> int:
        """At the end of the program, send what is left, in the seconds that `left_s` returns.

        A publish() after this sends by itself, in the same time.

        Returns:
            How many increments are not confirmed and not yet raised.
        """
        self._exit_left_s = left_s
        if self.has_open:
            self.settle(left_s)
        stats = self.stats()
        return stats.published - stats.confirmed - stats.unsent + self._holding.untold

    @property
    def has_open(self) -> bool:
        """Whether anything that was put is neither confirmed nor given up."""
        stats = self.stats()
        return stats.published > stats.confirmed + stats.unsent

    @property
    def has_unsent(self) -> bool:
        """Whether anything was given up and not yet raised."""
        return self._holding.untold > 0

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more."""
        return self._closed

    def stats(self) -> Stats:
        """A snapshot of the counts."""
        sender, holding = self._sender, self._holding
        trying_s, trouble = sender.trying()
        return Stats(
            published=holding.taken + self._inbox.increments + holding.left,
            confirmed=holding.confirmed,
            unsent=holding.unsent,
            messages=holding.messages,
            requests=sender.requests,
            retries=sender.retries,
            trying_s=trying_s,
            trouble=trouble,
        )

    # Who waits, and for whom.

    @property
    def _has_late(self) -> bool:
        """Whether an increment came too late: not withdrawn, or just being given up."""
        return self._inbox.increments > 0 or self._holding.left > 0

    def _has_room(self) -> bool:
        return self._closed or self._inbox.has_room

    def _is_own_thread(self) -> bool:
        return self._shift is not None and self._shift.thread == threading.get_ident()

    def _wake(self) -> bool:
        """Wake the sender, or start one if none works or is about to.

        Returns:
            Whether there is a sender; if not, no thread can be started at present.
        """
        self._bell.ring()
        now = self._clock()
        if self._is_vacant() and now >= self._launched_at + RELAUNCH_S:
            self._start_failed = False
            thread = threading.Thread(target=self._work, name="tally-publisher", daemon=True)
            try:
                # Thread.start() waits with a Condition, so a thread without signals calls it.
                self._launch(self._start, (thread,))
            except RuntimeError:
                return False
            self._launched_at = now  # last: a signal before this only costs one thread more
        return not (self._start_failed and self._is_vacant())

    def _start(self, thread: threading.Thread) -> None:
        try:
            thread.start()
        except RuntimeError:  # this thread could start, the next one could not
            self._start_failed = True
            self._tell_progress()
            if self._is_forgotten:
                self._lose()

    def _lose(self) -> None:
        """No thread can be had, and nobody waits: give up, so that the log says how many."""
        self._ended = True
        self._work()

    def _is_vacant(self) -> bool:
        """Whether a sender is needed; after abandon(), also to replace one that waits for SQS."""
        shift = self._shift
        return shift is None or (self._is_abandoned and shift.waits_for_sqs)

    def _check_wait(self) -> None:
        if self._is_own_thread():
            raise WaitsForItselfError

    def _wait_until(
        self, is_done: Callable[[], bool], left_s: Callable[[], float] = lambda: math.inf
    ) -> bool:
        """Wait until the sender has done something; if there is no sender, do its work."""
        self._check_wait()
        bell = self._make_bell()
        try:
            self._waiting.append(bell)
            while not is_done():
                if (patience_s := left_s()) <= 0:
                    return False
                if self._wake():
                    bell.wait(min(SIGNALS_EVERY_S, patience_s))
                else:
                    self._work(is_done)
            return True
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(bell)

    def _tell_progress(self) -> None:
        for bell in self._waiting.copy():
            bell.ring()

    # The sender.

    def _work(self, is_done: Callable[[], bool] = lambda: False) -> None:
        """Send until closed and empty, or until `is_done`; if another thread sends, do nothing.

        An unknown error is a bug, and reaches `threading.excepthook`.
        """
        shift = Shift()
        before = self._shift
        if before is None or (self._is_abandoned and before.waits_for_sqs):
            self._shift = shift  # not _is_vacant(): at a call another thread may come between
            shift.relieves, self._launched_at = before is not None, -math.inf
            try:
                with contextlib.suppress(RelievedError):
                    self._send_until(shift, is_done)
            finally:
                if self._shift is shift:  # no call here, at which a signal could interrupt
                    self._shift = None
                self._leave(shift)

    def _send_until(self, shift: Shift, is_done: Callable[[], bool]) -> None:
        is_interrupted = True
        try:
            while not (self._ended or is_done()):
                marker = self._gather()
                self._is_closing |= marker is not None and marker.is_last
                self._send_packed(shift)
                if self._is_closing:
                    self._send_last(shift)
            is_interrupted = False
        finally:
            if self._shift is shift:
                # Not sys.exception() alone: the caller may be handling another exception.
                self._end(sys.exception() if is_interrupted else None)

    def _end(self, error: BaseException | None) -> None:
        """However the sending ends, nobody may wait for ever: give up what it leaves behind."""
        self._ended = self._ended or (self._closed and error is not None)
        if self._ended or error is not None:
            reason = ABANDONED if self._is_abandoned else LATE
            if error is not None:
                reason = f"the sender ended with {type(error).__name__}"
            self._holding.give_up(reason)
        self._is_over = self._ended

    def _leave(self, shift: Shift) -> None:
        if self._inbox and not self._ended:
            self._wake()
        self._tell_progress()
        if self._ended and not shift.relieves:
            self._sender.close()
            if self._is_forgotten:
                self._holding.log_unsent()

    def _gather(self) -> Marker | None:
        """Pack what is in the inbox until a request is due, or a marker is met."""
        holding = self._holding
        while not (holding.sendable or self._ended):
            if not self._inbox:
                left_s = None if self._due_at is None else self._due_at - self._clock()
                if left_s is not None and left_s <= 0:
                    self._hurry()
                else:
                    self._bell.wait(left_s)
            elif marker := holding.pack():
                self._hurry()
                return marker
            elif self._due_at is None and holding.is_packed:
                self._due_at = self._clock() + self._linger_s
            self._tell_progress()
        return None

    def _hurry(self) -> None:
        self._holding.hurry()
        self._due_at = None

    def _send_packed(self, shift: Shift) -> None:
        """Send the next request, or everything before the marker that was met."""
        while self._holding.take():
            self._send(shift)
            if self._holding.met is None:
                break
        # Before settle() wakes the waiters: one that waits again at once begins a new wait.
        if not self._is_waited_for(by_others=True):
            self._outage.forget()
        self._holding.settle()
        self._tell_progress()

    def _send(self, shift: Shift) -> None:
        """Send the request that was taken; give up all others if SQS proves unreachable."""
        messages = self._holding.in_flight
        tried = [message for message in messages if not self._outage.covers(message)]
        behind = [Failure(one, NOT_TRIED) for one in messages if self._outage.covers(one)]
        outcome = self._sent(shift, tried) if tried else NOTHING_SENT
        is_waited_for = self._is_waited_for()
        self._holding.arrived([*outcome.refused, *outcome.unsettled, *behind])
        if is_waited_for and self._outage.is_away(tried, outcome):
            self._is_closing |= self._holding.give_up(NOT_TRIED)
        self._tell_progress()

    def _sent(self, shift: Shift, messages: Sequence[Message]) -> RequestOutcome:
        shift.waits_for_sqs = True
        try:
            return self._sender.send(messages)
        finally:
            shift.waits_for_sqs = False
            if self._shift is not shift:
                raise RelievedError

    def _is_waited_for(self, *, by_others: bool = False) -> bool:
        is_marked = self._inbox.has_marker or (self._holding.met is not None and not by_others)
        return is_marked or self._closed or not self._inbox.has_room

    def _send_last(self, shift: Shift) -> None:
        """Send what came since: lines that the sending has logged, whose sending logs others."""
        for _ in range(MAX_LAST_PASSES):
            if not self._inbox:
                break
            self._inbox.mark(Marker())
            self._gather()
            self._send_packed(shift)
        self._ended = True
