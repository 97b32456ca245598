"""What the sender has taken and SQS has not confirmed: packed, on its way, or given up."""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from tally.publishing.errors import UnsentError
from tally.publishing.inbox import Inbox, Marker
from tally.publishing.packing import Message, Packer
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


NOTHING = GivenUp(())


class Holding:
    """All of it. The sender alone moves things; others look, and are told what was given up.

    There is no lock, as an exception from a signal can leave any locked: `with` too, from Python
    3.14 on. What was given up is a stack whose top is compared and set, in two lines within which
    neither a signal is heard nor another thread comes: CPython does both at calls and jumps only.

    Attributes:
        taken: increments that the sender took.
        unsent: increments given up.
        in_flight: the messages on their way.
    """

    def __init__(self, inbox: Inbox, *, fifo: bool) -> None:
        self.taken = self.unsent = 0
        self.in_flight: list[Message] = []
        self._inbox = inbox
        self._packer = Packer(fifo=fifo)
        self._given_up = NOTHING

    @property
    def sendable(self) -> bool:
        """Whether there is a full request, or something in a hurry."""
        return self._packer.sendable

    @property
    def is_packed(self) -> bool:
        """Whether anything is packed that was not taken to be sent."""
        return self._packer.size_bytes > 0

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

    # What follows is the sender's alone.

    def pack(self) -> Marker | None:
        """Pack what is in the inbox up to the next marker, or to what makes a request."""
        while self._inbox and not self._packer.sendable:
            item = self._inbox.pop()
            if isinstance(item, Marker):
                return item
            if item is not None:
                self._packer.add(item.counter, item.part)
                self.taken += 1
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
        if not self.in_flight:
            self.in_flight = self._packer.take()
        return self.in_flight

    def arrived(self, failures: Sequence[Failure]) -> None:
        """The request on its way has ended, and all but these is confirmed."""
        increments = sum(len(failure.message.parts) for failure in failures)
        size_bytes = sum(failure.message.size_bytes for failure in failures)
        while failures:
            below = self._given_up
            sums = below.increments + increments, below.size_bytes + size_bytes
            layer = GivenUp(failures, below, *sums)
            if self._given_up is below:
                self._given_up = layer
                break
        self.unsent += increments
        self.in_flight = []

    def give_up(self, reason: str) -> bool:
        """Give up what is on its way, everything packed, and the inbox.

        Returns:
            Whether close()'s marker was in it.
        """
        is_last = False
        failures = [Failure(message, reason) for message in self.in_flight]
        while self._inbox or self._packer.size_bytes:
            if marker := self.pack():
                marker.is_settled = True
                is_last |= marker.is_last
            self._packer.hurry()
            while messages := self._packer.take():
                failures += [Failure(message, reason) for message in messages]
        self.arrived(failures)
        return is_last
