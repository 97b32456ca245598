"""What can go wrong for who publishes: every exception of this package."""

from collections.abc import Sequence

from tally.counters.errors import TallyError, shown
from tally.counters.event import Increment
from tally.environment import A_QUEUE_URL


class QueueUrlError(TallyError, ValueError):
    """What should be the URL of a queue is none; `url` is what was found."""

    def __init__(self, url: object) -> None:
        self.url = url
        super().__init__(f"queue_url must be {A_QUEUE_URL}, found {shown(url)}")


class UnsentError(TallyError):
    """Increments that SQS has not confirmed, within the limits or before `abandon`.

    Some may not have been tried, as what stood before them was in vain, and some may have arrived:
    an answer can be lost. They keep their identity and their `at`, so that to publish them again
    (`Publisher.publish_again`) is always safe: each counts once, and one that comes so late that
    the ledger has forgotten its time is reported, not counted.

    Attributes:
        increments: what was not confirmed.
        reasons: why, without repeats; codes, statuses and classes, and a text only where it can
            quote nothing: an AWS error about a signature quotes the request that was signed.
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
    """A flush(), close() or abandon() within the publisher's own sending; nothing was done.

    That is in a handler of log lines, or a finalizer, in the thread that sends: what it would wait
    for waits for this very thread. publish() itself is never refused there.
    """

    def __init__(self) -> None:
        super().__init__("it would wait for itself: the publisher is at work in this very thread")
