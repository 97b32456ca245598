"""Which messages are not worth a try while somebody waits: SQS is away, or a group of it is."""

from collections.abc import Sequence

from tally.publishing.packing import Message
from tally.publishing.sending import Outcome

MAX_VAIN_REQUESTS = 3
"""Requests in a row that SQS answers and settles nothing of: then it is as good as away."""


class Outage:
    """What requests have shown of SQS since somebody waits; the outbox brings the lock.

    Without it each request would have the whole patience of sending, and on a FIFO queue there may
    be thousands: a message for each counter.
    """

    def __init__(self) -> None:
        self._groups: set[str] = set()
        self._vain_requests = 0

    def covers(self, message: Message) -> bool:
        """Whether a message stands behind one of its FIFO group that was not settled."""
        return message.group in self._groups

    def is_away(self, tried: Sequence[Message], outcome: Outcome) -> bool:
        """Learn from what was tried of a request, and tell whether the next is of no use."""
        if not tried:
            return False
        self._groups |= {failure.message.group for failure in outcome.unsettled} - {""}
        if len(outcome.unsettled) < len(tried):
            self._vain_requests = 0
        elif outcome.is_answered:
            self._vain_requests += 1
        else:
            return True
        return self._vain_requests >= MAX_VAIN_REQUESTS

    def forget(self) -> None:
        """Nobody waits any longer: what comes next is tried."""
        self._groups.clear()
        self._vain_requests = 0
