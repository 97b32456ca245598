"""What can go wrong when publishing: every exception of this package."""

from collections.abc import Sequence

from tally.counters.errors import TallyError, shown
from tally.counters.event import Increment
from tally.environment import A_QUEUE_URL


class QueueUrlError(TallyError, ValueError):
    """The queue's URL is invalid; `url` is what was given."""

    def __init__(self, url: object) -> None:
        self.url = url
        super().__init__(f"queue_url must be {A_QUEUE_URL}, found {shown(url)}")


class UnsentError(TallyError):
    """Increments that SQS did not confirm within the limits, or before `abandon`.

    Some may not have been sent, because those before them failed. Some may have arrived, because
    an answer can be lost. They keep their identity and their `at`, so it is always safe to publish
    them again (`Publisher.publish_again`): each counts once. If the ledger has forgotten its time,
    an increment is reported, not counted.

    Attributes:
        increments: those not confirmed.
        reasons: why, without repeats: codes, statuses and classes. A text is here only if it cannot
            quote a secret: an AWS error about a signature quotes the signed request.
    """

    def __init__(self, increments: Sequence[Increment], reasons: Sequence[str]) -> None:
        self.increments = tuple(increments)
        self.reasons = tuple(reasons)
        super().__init__(f"increments not confirmed: {len(increments)} ({'; '.join(reasons)})")


class PublisherClosedError(TallyError):
    """A closed publisher publishes nothing; make a new one."""

    def __init__(self) -> None:
        super().__init__("the publisher is closed")


class WaitsForItselfError(TallyError):
    """flush(), close() or abandon() was called in the thread that sends; nothing was done.

    A log handler or a finalizer may run in that thread. The call would wait for the sending, which
    waits for this very thread. publish() is never refused there.
    """

    def __init__(self) -> None:
        super().__init__("it would wait for itself: the publisher is at work in this very thread")
