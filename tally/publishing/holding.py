"""What the sender has taken and SQS has not confirmed: packed, on its way, or given up."""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from tally.publishing.errors import UnsentError
from tally.publishing.inbox import Inbox, Marker, Put
from tally.publishing.packing import Message, Packer
from tally.publishing.process import log_forgotten
from tally.publishing.sending import Failure

MAX_PACKED_BYTES = 4 * 1_048_576
"""JSON that is packed and waits for company: more of it goes at once."""


NOT_TRIED = "not tried, since SQS did not settle what stood before it"
"""Why a message was given up that stood behind others in vain, while somebody waited."""

ABANDONED = "given up before SQS confirmed it"
"""Why a message was given up for which nobody waited any longer; it may have arrived."""

LATE = "published while the publisher was closed"
"""Why an increment was given up that came too late for the last request."""


class GivenUp(NamedTuple):
    """Messages given up that nobody has been told of: the last, those below, and their sums."""

    failures: Sequence[Failure]
    below: Optional["GivenUp"] = None
    increments: int = 0
    size_bytes: int = 0

    def all(self) -> list[Failure]:
        """All of them, the first first."""
        layers, layer = [], self
        while layer.below is not None:
            layers.append(layer.failures)
            layer = layer.below
        return [failure for failures in reversed(layers) for failure in failures]

    def topped(self, failures: Sequence[Failure]) -> "GivenUp":
        """These and more; itself if there are none."""
        if not failures:
            return self
        size_bytes = sum(failure.message.size_bytes for failure in failures)
        increments = _increments(failures)
        sums = self.increments + increments, self.size_bytes + size_bytes
        return GivenUp(failures, self, *sums)


NOTHING = GivenUp(())


class Holding:
    """All of it. The sender alone moves things; others look, and are told what was given up.

    There is no lock, as an exception from a signal can leave any locked: `with` too, from Python
    3.14 on. What was given up is a stack whose top is compared and set, in two lines within which
    neither a signal is heard nor another thread comes: CPython does both at calls and jumps only.

    Where no thread can be started, who waits is the sender, whom a signal may interrupt. Therefore
    what moves is first at its new place and then no more at its old one, and what counts changes
    in one statement without a call. What was interrupted is sent or given up from there, each once.

    Attributes:
        taken: increments that the sender took.
        confirmed: increments that SQS confirmed, of requests that have ended.
        messages: their messages.
        unsent: increments given up.
        in_flight: the messages on their way.
        met: the marker before which everything is to be sent.
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
        self._passed: list[Marker] = []  # markers whose waiters do not know it yet

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
        """Increments that are being moved out of the inbox."""
        return len(_puts(self._left))

    @property
    def untold(self) -> int:
        """Increments given up that nobody has been told of."""
        return self._given_up.increments

    @property
    def untold_bytes(self) -> int:
        """The messages given up that nobody has been told of."""
        return self._given_up.size_bytes

    def raise_unsent(self) -> None:
        """Hand over what was given up, to the first that asks; any thread may.

        Raises:
            UnsentError: if there is anything.
        """
        while (given_up := self._given_up) is not NOTHING:
            failures = given_up.all()
            increments = [one for failure in failures for one in failure.message.increments()]
            error = UnsentError(increments, [*dict.fromkeys(each.reason for each in failures)])
            if self._given_up is given_up:  # else another was told, or there is more
                self._given_up = NOTHING
                raise error

    def log_unsent(self) -> None:
        """Tell the log what was given up, since nobody can ask any more."""
        try:
            self.raise_unsent()
        except UnsentError as error:
            log_forgotten(len(error.increments))

    # What follows is the sender's alone.

    def pack(self) -> Marker | None:
        """Pack what is in the inbox up to the next marker, or to what makes a request.

        Returns:
            That marker, which is then `met`.
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
        """Let everything that is packed be sent now, full or not."""
        self._packer.hurry()

    def take(self) -> list[Message]:
        """Take the messages of the next request on their way; none when nothing is ready.

        If an end of the sending was interrupted, it is what was on its way then.
        """
        self.in_flight = self.in_flight or self._packer.request()
        self._packer.remove(self.in_flight)
        return self.in_flight

    def arrived(self, failures: Sequence[Failure]) -> None:
        """The request on its way has ended, and all but these is confirmed."""
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
        """Give up what is on its way, everything packed, and the inbox, and settle its markers.

        Returns:
            Whether close()'s marker was among them.
        """
        self._inbox.move_to(self._left)
        # What was interrupted on its way may be at both of its places.
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
        """Have those know who wait for what is confirmed or given up by now."""
        for marker in (*self._passed, self.met):
            if marker is not None:
                marker.is_settled = True
        self.met, self._passed = None, []


def _of(items: Sequence[Put]) -> Message:
    """All of them in one message, which is not to be sent."""
    message = Message("")
    for item in items:
        message.add(item.part)
    return message


def _puts(items: Sequence[Put | Marker | None]) -> list[Put]:
    return [item for item in items if isinstance(item, Put)]


def _increments(failures: Sequence[Failure]) -> int:
    return sum(len(failure.message.parts) for failure in failures)
