"""What the sender has taken and SQS has not confirmed: packed, on its way, or given up."""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from tally.publishing.errors import UnsentError
from tally.publishing.inbox import Inbox, Marker, Put
from tally.publishing.packing import Message, Packer
from tally.publishing.process import log_forgotten
from tally.publishing.sending import Failure

MAX_PACKED_BYTES = 4 * 1_048_576
"""How much packed JSON may wait to be sent with more; past this it is sent at once."""


NOT_TRIED = "not tried, since SQS did not settle what stood before it"
"""The reason for a message that was given up untried, because those before it had failed."""

ABANDONED = "given up before SQS confirmed it"
"""The reason for a message that abandon() gave up; it may have arrived."""

LATE = "published while the publisher was closed"
"""The reason for an increment that came too late for the last request."""


class GivenUp(NamedTuple):
    """A stack of messages given up and not yet raised: the last ones, those below, and sums."""

    failures: Sequence[Failure]
    below: Optional["GivenUp"] = None
    increments: int = 0
    size_bytes: int = 0

    def all(self) -> list[Failure]:
        """All of them, the oldest first."""
        layers, layer = [], self
        while layer.below is not None:
            layers.append(layer.failures)
            layer = layer.below
        return [failure for failures in reversed(layers) for failure in failures]

    def topped(self, failures: Sequence[Failure]) -> "GivenUp":
        """The stack with these on top; itself if there are none."""
        if not failures:
            return self
        size_bytes = sum(failure.message.size_bytes for failure in failures)
        increments = _increments(failures)
        sums = self.increments + increments, self.size_bytes + size_bytes
        return GivenUp(failures, self, *sums)


NOTHING = GivenUp(())


class Holding:
    """All that the sender has taken. Only the sender moves it; other threads look and are told.

    There is no lock, since an exception from a signal can leave any lock locked, from Python 3.14
    on even one taken by `with`. What was given up is a stack whose top is compared and set in two
    lines. No signal and no other thread can come between these: CPython switches only at calls and
    jumps.

    If no thread can be started, the waiting thread does the sender's work, and a signal may
    interrupt it. Therefore an item is put in its new place before it leaves its old one, and the
    counts change in one statement without a call. After an interruption the rest is sent or given
    up from there, each item once.

    Attributes:
        taken: increments that the sender took.
        confirmed: increments that SQS confirmed, of requests that have ended.
        messages: the messages of those increments.
        unsent: increments given up.
        in_flight: the messages on their way.
        met: the marker before which everything must be sent.
    """

    def __init__(self, inbox: Inbox, *, fifo: bool) -> None:
        self.taken = self.confirmed = self.messages = self.unsent = 0
        self.in_flight: list[Message] = []
        self.met: Marker | None = None
        self._inbox = inbox
        self._fifo = fifo
        self._packer = Packer(fifo=fifo)
        self._given_up = NOTHING
        self._left: list[Put | Marker | None] = []  # what is being moved out of the inbox
        self._passed: list[Marker] = []  # markers whose waiters have not been told

    @property
    def sendable(self) -> bool:
        """Whether there is a full request, or something that hurry() has made ready."""
        return self._packer.sendable

    @property
    def is_packed(self) -> bool:
        """Whether packed increments wait to be sent."""
        return self._packer.size_bytes > 0

    @property
    def left(self) -> int:
        """Increments that are being moved out of the inbox."""
        return len(_puts(self._left))

    @property
    def untold(self) -> int:
        """How many increments were given up and not yet raised."""
        return self._given_up.increments

    @property
    def untold_bytes(self) -> int:
        """The bytes of the messages that were given up and not yet raised."""
        return self._given_up.size_bytes

    def raise_unsent(self) -> None:
        """Raise what was given up, once; any thread may call it.

        Raises:
            UnsentError: something was given up since the last call.
        """
        while (given_up := self._given_up) is not NOTHING:
            failures = given_up.all()
            increments = [one for failure in failures for one in failure.message.increments()]
            error = UnsentError(increments, [*dict.fromkeys(each.reason for each in failures)])
            if self._given_up is given_up:  # else it was raised, or there is more
                self._given_up = NOTHING
                raise error

    def log_unsent(self) -> None:
        """Log what was given up, since no caller is left to raise it to."""
        try:
            self.raise_unsent()
        except UnsentError as error:
            log_forgotten(len(error.increments))

    # What follows is the sender's alone.

    def pack(self) -> Marker | None:
        """Pack the inbox up to the next marker, or until there is a full request.

        Returns:
            That marker, which is then `met`; None if there was none.
        """
        while self._inbox and not self._packer.sendable:
            item = self._inbox.first()
            if isinstance(item, Marker):
                self.met = item
                self._inbox.drop()
                return item
            if item is not None:
                self._packer.add(item.counter, item.part)
            self._inbox.drop()
            self.taken += item is not None
            if self._packer.size_bytes >= MAX_PACKED_BYTES:
                self._packer.hurry()
        return None

    def hurry(self) -> None:
        """Make everything that is packed ready to send now, full or not."""
        self._packer.hurry()

    def take(self) -> list[Message]:
        """Move the messages of the next request to `in_flight`; empty if nothing is ready.

        If the last request was interrupted as it ended, its messages are taken again.
        """
        self.in_flight = self.in_flight or self._packer.request()
        self._packer.remove(self.in_flight)
        return self.in_flight

    def arrived(self, failures: Sequence[Failure]) -> None:
        """The request on its way has ended; all but these failures are confirmed."""
        failed = _increments(failures)
        sent = sum(len(message.parts) for message in self.in_flight)
        confirmed = self.confirmed + sent - failed
        messages = self.messages + len(self.in_flight) - len(failures)
        unsent = self.unsent + failed
        given_up = (below := self._given_up).topped(failures)
        while self._given_up is not below:
            given_up = (below := self._given_up).topped(failures)
        self._given_up, self.unsent = given_up, unsent
        self.confirmed, self.messages, self.in_flight = confirmed, messages, []

    def give_up(self, reason: str) -> bool:
        """Give up all that is on its way, packed or in the inbox, and settle all markers.

        Returns:
            Whether close()'s marker was among them.
        """
        self._inbox.move_to(self._left)
        # After an interruption an item may be in both its old and its new place.
        messages = list(dict.fromkeys([*self.in_flight, *self._packer.messages()]))
        packed = {id(part) for message in messages for part in message.parts}
        messages.append(_of([item for item in _puts(self._left) if id(item.part) not in packed]))
        failures = [Failure(message, reason) for message in messages if message.parts]
        markers = [item for item in (self.met, *self._left) if isinstance(item, Marker)]
        unsent, packer = self.unsent + _increments(failures), Packer(fifo=self._fifo)
        given_up = (below := self._given_up).topped(failures)
        while self._given_up is not below:
            given_up = (below := self._given_up).topped(failures)
        self._given_up, self.unsent, self.taken = given_up, unsent, self.confirmed + unsent
        self.in_flight, self._packer, self._left = [], packer, []
        self.met, self._passed = None, markers
        self.settle()
        return any(marker.is_last for marker in markers)

    def settle(self) -> None:
        """Tell the waiting threads that what they wait for is confirmed or given up."""
        for marker in (*self._passed, self.met):
            if marker is not None:
                marker.is_settled = True
        self.met, self._passed = None, []


def _of(items: Sequence[Put]) -> Message:
    """All of them in one message, which is never sent."""
    message = Message("")
    for item in items:
        message.add(item.part)
    return message


def _puts(items: Sequence[Put | Marker | None]) -> list[Put]:
    return [item for item in items if isinstance(item, Put)]


def _increments(failures: Sequence[Failure]) -> int:
    return sum(len(failure.message.parts) for failure in failures)
