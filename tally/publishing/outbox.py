"""What is published and not yet confirmed: a bounded buffer and the thread that empties it."""

import sys
import threading
from collections.abc import Callable, Sequence

from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.outage import Outage
from tally.publishing.packing import Message, Packer
from tally.publishing.sending import Failure, Outcome, Sender
from tally.publishing.stats import Stats

MAX_BUFFERED_BYTES = 4 * 1_048_576
"""JSON that waits for the sender, beside the request on its way: then publish() blocks."""

MAX_UNSENT_BYTES = 4 * 1_048_576
"""Messages given up and not yet told of: then publish() raises them."""

NOT_TRIED = "not tried, since SQS did not settle what stood before it"
"""Why a message was given up that stood behind others in vain, while somebody waited."""

ABANDONED = "given up before SQS confirmed it"
"""Why a message was given up for which nobody waited any longer; it may have arrived."""

NOTHING_SENT = Outcome([], [], is_answered=True)
"""Of a request that has no message worth a try."""

SIGNALS_EVERY_S = 0.5
"""How long a signal may go unheard that came just before this thread began to wait for a lock."""

JOIN_TIMEOUT_S = 5.0
"""How long close() waits for the end of a thread that has nothing left to do."""


class Outbox:
    """The buffer of one process and its sender thread.

    The sending is done by a thread and not by the caller of publish(): only a thread can send what
    lingers while nobody publishes, a caller of publish() waits for the network only when the buffer
    is full, and repeats need no turn-taking. It is a daemon, so that a program that forgot to close
    its publisher can end; it starts with the first increment.
    """

    def __init__(
        self,
        *,
        fifo: bool,
        linger_s: float,
        clock: Callable[[], float],
        open_sender: Callable[[], Sender],
    ) -> None:
        lock = threading.Lock()
        self._work = threading.Condition(lock)  # the sender waits here
        self._progress = threading.Condition(lock)  # publish() and flush() wait here
        self._linger_s = linger_s
        self._clock = clock
        self._open_sender = open_sender
        self._packer = Packer(fifo=fifo)
        self._sender: Sender | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._due_at: float | None = None
        self._in_flight: list[Message] = []
        self._failures: list[Failure] = []
        self._outage = Outage()
        self._published = self._settled = self._unsent = self._waiting = 0

    def put(self, counter: str, part: bytes) -> None:
        """Take the JSON of one increment; blocks while the buffer is full, as `settle` does.

        Raises:
            PublisherClosedError: the outbox is closed.
            UnsentError: too much was given up that nobody has been told of.
        """
        with self._work:
            if self._packer.size_bytes >= MAX_BUFFERED_BYTES:
                self._wait_for(self._has_room)
            self._admit()
            self._packer.add(counter, part)
            self._published += 1
            if self._due_at is None:
                self._due_at = self._clock() + self._linger_s
                self._work.notify()
            elif self._packer.sendable:
                self._work.notify()

    def settle(self) -> None:
        """Wait until all that was put so far is confirmed or given up.

        That is for as long as SQS settles something of each request, within the limits of sending.
        What stands behind others in vain is given up untried; see `Outage`.
        """
        with self._work:
            target = self._published
            self._wait_for(lambda: self._settled >= target)

    def raise_unsent(self) -> None:
        """Hand over what was given up, whichever thread published it, to the first that asks.

        Raises:
            UnsentError: if there is anything.
        """
        with self._work:
            self._raise_unsent()

    def abandon(self) -> None:
        """Take no more, and give up at once what is not confirmed."""
        with self._work:
            self._closed = True
            self._thread = None  # a close() meanwhile does not wait for its request
            self._give_up(ABANDONED)

    def close(self) -> None:
        """Take no more, wait for the rest as `settle` does, and end the thread."""
        with self._work:
            self._closed = True
            self._progress.notify_all()
        self.settle()
        thread, sender = self._thread, self._sender
        if thread is not None:
            thread.join(JOIN_TIMEOUT_S)
        if sender is not None:
            sender.close()

    @property
    def has_unsent(self) -> bool:
        """Whether anything was given up that has not been handed over."""
        return bool(self._failures)

    def stats(self) -> Stats:
        """A snapshot of the counts."""
        with self._work:
            sender = self._sender
            if sender is None:
                return Stats()
            trying_s, trouble = sender.trying()
            return Stats(
                published=self._published,
                confirmed=sender.confirmed,
                unsent=self._unsent,
                messages=sender.messages,
                requests=sender.requests,
                retries=sender.retries,
                trying_s=trying_s,
                trouble=trouble,
            )

    def _has_room(self) -> bool:
        return self._closed or self._packer.size_bytes < MAX_BUFFERED_BYTES

    def _admit(self) -> None:
        """See to it that there is a sender for one more increment, or raise."""
        if self._closed:
            raise PublisherClosedError
        if self._failures and self._unsent_bytes() >= MAX_UNSENT_BYTES:
            self._raise_unsent()
        if self._sender is None:
            self._sender = self._open_sender()
        if self._thread is None:
            thread = threading.Thread(
                target=self._run, args=(self._sender,), name="tally-publisher", daemon=True
            )
            thread.start()
            self._thread = thread

    def _unsent_bytes(self) -> int:
        return sum(failure.message.size_bytes for failure in self._failures)

    def _raise_unsent(self) -> None:
        if self._failures:
            increments = [one for failure in self._failures for one in failure.message.increments()]
            reasons = dict.fromkeys(failure.reason for failure in self._failures)
            self._failures = []  # last: until here, a Ctrl-C loses nothing
            raise UnsentError(increments, tuple(reasons))

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Hurry, and wait until a condition holds; the caller has the lock."""
        self._hurry()
        self._waiting += 1
        try:
            while not condition():
                self._progress.wait(SIGNALS_EVERY_S)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._outage.forget()

    def _hurry(self) -> None:
        self._packer.hurry()
        self._due_at = None
        self._work.notify()

    def _run(self, sender: Sender) -> None:
        """The thread: sends until the outbox is closed and empty."""
        try:
            while messages := self._next_request():
                tried = [message for message in messages if not self._outage.covers(message)]
                behind = [
                    Failure(message, NOT_TRIED) for message in messages if message not in tried
                ]
                outcome = sender.send(tried) if tried else NOTHING_SENT
                with self._work:
                    if self._in_flight:  # abandon() was not faster
                        self._done(messages, [*outcome.refused, *outcome.unsettled, *behind])
                    if self._waiting and self._outage.is_away(tried, outcome):
                        self._give_up(NOT_TRIED)
        finally:
            self._end()

    def _next_request(self) -> list[Message]:
        """Wait until there is something to send; nothing comes once closed and empty."""
        with self._work:
            while not self._packer.sendable and not self._closed:
                left_s = None if self._due_at is None else self._due_at - self._clock()
                if left_s is not None and left_s <= 0:
                    self._hurry()
                else:
                    self._work.wait(left_s)
            if self._closed:
                self._packer.hurry()
            self._in_flight = self._packer.take()
            self._progress.notify_all()
            return self._in_flight

    def _done(self, messages: Sequence[Message], failures: Sequence[Failure]) -> None:
        """Note what became of messages that were taken; the caller has the lock."""
        self._in_flight = []
        self._settled += sum(len(message.parts) for message in messages)
        self._unsent += sum(len(failure.message.parts) for failure in failures)
        self._failures += failures
        self._progress.notify_all()

    def _end(self) -> None:
        """However the thread ends, nobody waits for it: what it leaves behind is given up.

        An error that it does not know is a bug, and goes on to `threading.excepthook`.
        """
        reason = f"the sender ended with {type(sys.exception()).__name__}"
        with self._work:
            self._thread = None
            self._give_up(reason)

    def _give_up(self, reason: str) -> None:
        """Give up what is on its way, and the whole buffer; the caller has the lock."""
        self._hurry()
        while left := self._in_flight or self._packer.take():
            self._done(left, [Failure(message, reason) for message in left])
