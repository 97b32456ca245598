"""What the sender has taken and SQS has not confirmed: packed, on its way, or given up."""

import threading
from collections.abc import Callable, Sequence

from tally.publishing.errors import UnsentError
from tally.publishing.inbox import Inbox, Mark, Put
from tally.publishing.packing import Message, Packer
from tally.publishing.sending import Failure

MAX_PACKED_BYTES = 4 * 1_048_576
"""JSON that is packed and waits for company: more of it goes at once."""

ABANDONED = "given up before SQS confirmed it"
"""Why a message was given up for which nobody waited any longer; it may have arrived."""

LATE = "published while the publisher was closed"
"""Why an increment was given up that came too late for the last request."""


class Holding:
    """All of it, under a lock that is held for moments: never to publish, never while waiting.

    The sender moves things; others only look, and hand over what was given up. What these change,
    they change in one statement at the end, within which no signal is heard and no thread comes
    between: a Ctrl-C loses nothing, and nothing is handed over twice.

    Attributes:
        taken: increments that the sender took.
        unsent: increments given up.
        unsent_bytes: the messages given up that nobody has been told of.
        handed_over: increments given up that somebody has been told of.
        in_flight: the messages on their way.
        is_abandoned: whether everything was given up from outside; then the sender moves nothing.
    """

    def __init__(self, inbox: Inbox, *, fifo: bool) -> None:
        self.taken = self.unsent = self.unsent_bytes = self.handed_over = 0
        self.in_flight: list[Message] = []
        self.is_abandoned = False
        self._inbox = inbox
        self._packer = Packer(fifo=fifo)
        self._failures: list[Failure] = []
        self._left: list[Put | Mark | None] = []  # of the inbox, once nobody sends any more
        self._lock = threading.RLock()
        self._holder, self._depth = 0, 0  # the thread outside the sender that has the lock

    @property
    def sendable(self) -> bool:
        """Whether there is a full request, or something in a hurry."""
        return self._packer.sendable

    @property
    def is_packed(self) -> bool:
        """Whether anything is packed that was not taken to be sent."""
        return self._packer.size_bytes > 0

    @property
    def left(self) -> int:
        """Increments that were left in the inbox at the end, and not handed over."""
        return sum(isinstance(item, Put) for item in self._left.copy())

    @property
    def has_unsent(self) -> bool:
        """Whether anything was given up that has not been handed over."""
        return bool(self._failures or self._left)

    def is_held_here(self) -> bool:
        """Whether this thread has the lock, in a call that a signal or a finalizer interrupted."""
        return self._depth > 0 and self._holder == threading.get_ident()

    def raise_unsent(self, *, ended: bool) -> None:
        """Hand over what was given up, to the first that asks.

        Args:
            ended: whether nobody sends any more, so that what is in the inbox is given up.

        Raises:
            UnsentError: if there is anything.
        """
        self._guarded(self._take_inbox_and_raise if ended else self._raise)

    def abandon(self) -> None:
        """Give up everything, also what is on its way, and the inbox."""
        self._guarded(self._abandon)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Work with the lock, and have it known that this thread must not wait for the sender."""
        me = threading.get_ident()
        with self._lock:
            self._holder, self._depth = me, self._depth + 1
            try:
                work()
            finally:
                self._depth -= 1

    def _take_inbox_and_raise(self) -> None:
        self._inbox.move_to(self._left)
        self._raise()

    def _raise(self) -> None:
        failures, late = self._failures, [item for item in self._left if isinstance(item, Put)]
        messages = [failure.message for failure in failures] + [_alone(item) for item in late]
        if not messages:
            return
        reasons = dict.fromkeys(failure.reason for failure in failures)
        if late:
            reasons[ABANDONED if self.is_abandoned else LATE] = None
        increments = [one for message in messages for one in message.increments()]
        taken, unsent = self.taken + len(late), self.unsent + len(late)
        told = self.handed_over + len(increments)
        error = UnsentError(increments, tuple(reasons))
        if self._failures is failures:  # else a signal handler was told of them meanwhile
            self._failures, self._left, self.unsent_bytes = [], [], 0
            self.taken, self.unsent, self.handed_over = taken, unsent, told
            raise error

    def _abandon(self) -> None:
        self._inbox.move_to(self._left)
        messages = [*self.in_flight, *self._packer.messages()]
        failures = [*self._failures, *(Failure(message, ABANDONED) for message in messages)]
        unsent = self.unsent + sum(len(message.parts) for message in messages)
        if not self.is_abandoned:
            self._failures, self.unsent, self.is_abandoned = failures, unsent, True

    # What follows is the sender's alone.

    def pack(self) -> Mark | None:
        """Pack what is in the inbox up to the next mark, or to what makes a request."""
        with self._lock:
            while self._inbox and not self._packer.sendable:
                item = self._inbox.pop()
                if isinstance(item, Mark):
                    return item
                if item is not None:
                    self._packer.add(item.counter, item.part)
                    self.taken += 1
                if self._packer.size_bytes >= MAX_PACKED_BYTES:
                    self._packer.hurry()
        return None

    def hurry(self) -> None:
        """Let everything that is packed be sent now, full or not."""
        with self._lock:
            self._packer.hurry()

    def take(self) -> list[Message]:
        """Take the messages of the next request on their way; none when nothing is ready.

        If an end of the sending was interrupted, it is what was on its way then.
        """
        with self._lock:
            if self.is_abandoned:
                return []
            if not self.in_flight:
                self.in_flight = self._packer.take()
            return self.in_flight

    def arrived(self, failures: Sequence[Failure]) -> None:
        """The request on its way has ended, and all but these is confirmed."""
        with self._lock:
            if not self.is_abandoned:
                self._note(failures)

    def give_up(self, reason: str) -> bool:
        """Give up what is on its way, everything packed, and the inbox.

        Returns:
            Whether close()'s mark was in it.
        """
        is_last = False
        with self._lock:
            if self.is_abandoned:
                return is_last
            self._note([Failure(message, reason) for message in self.in_flight])
            while self._inbox or self._packer.size_bytes:
                if mark := self.pack():
                    mark.is_settled = True
                    is_last |= mark.is_last
                self._packer.hurry()
                while messages := self._packer.take():
                    self._note([Failure(message, reason) for message in messages])
        return is_last

    def _note(self, failures: Sequence[Failure]) -> None:
        self._failures.extend(failures)
        self.unsent += sum(len(failure.message.parts) for failure in failures)
        self.unsent_bytes += sum(failure.message.size_bytes for failure in failures)
        self.in_flight = []


def _alone(item: Put) -> Message:
    message = Message("")
    message.add(item.part)
    return message
