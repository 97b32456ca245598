"""How far a batch has come: which counters are open, what was decided, why a try failed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import assert_never

from tally.counters.counter import Fold
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.lineage import lacks
from tally.settling.reason import Reason, Unsettled
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Copy, Failed, Swap, Trouble

MAX_THROTTLED_TRIES = 5
"""After so many throttled calls for a counter its messages go back: SQS is the backpressure."""


@dataclasses.dataclass
class Activity:
    """What one invocation did, in numbers: each field is a metric."""

    events_applied: int = 0
    events_rejected: int = 0
    events_duplicate: int = 0
    events_undecidable: int = 0
    messages_invalid: int = 0
    messages_returned: int = 0
    oldest_returned_seconds: int = 0
    """The age of the oldest message returned, except invalid ones. SQS's own metric leaves out
    messages that were received three times."""
    counters_written: int = 0
    counters_created: int = 0
    """By a swap where there was no counter; an addition does not tell whether there was one."""
    counters_vanished: int = 0
    """Seen, and then gone: expired or evicted, with their ledger."""
    counters_rolled_back: int = 0
    """Written over a value that lacks events which an earlier value had."""
    swaps_stored: int = 0
    swaps_lost: int = 0
    store_throttled: int = 0
    store_operations: int = 0
    """As the store bills them; Momento: each 1,024 bytes begun, a conditional write twice."""
    store_reads: int = 0
    """The reads among them, if reads have another price, as in DynamoDB."""
    cache_sets_failed: int = 0
    """Copies that the cache beside a table is not known to have taken."""
    value_bytes: int = 0
    """The length of the longest value stored."""


Settlement = Sequence[Decision] | Unsettled
"""What became of a counter's events: a decision for each, in order, or why there are none."""


class Progress:
    """The counters of one batch on their way from open to settled.

    Attributes:
        groups: the events by counter.
        ends_at: the time by which no call may be in flight any more.
        open: the counters not settled, each with why its last try failed.
        is_late: whether there was no time left to send a call: then no other round has any.
        throttled: how often each open counter's calls were throttled.
        throttles: the same for every counter, settled or not.
        losses: how often each counter's swap lost the race.
        winners: the values that won the races of the last round, if the store told them.
        vanished: the counters that were there at first, and then had to be created again.
        warm: the copies of counters from earlier batches, which were certain then.
        rolled_back: the counters that lack events which such a copy had decided.
    """

    def __init__(
        self, groups: Mapping[str, Sequence[Event]], ends_at: float, activity: Activity
    ) -> None:
        self.groups = groups
        self.ends_at = ends_at
        self.open = dict.fromkeys(groups, Unsettled(Reason.OUT_OF_TIME))
        self.is_late = False
        self.throttled: dict[str, int] = {}
        self.throttles: dict[str, int] = {}
        self.losses: dict[str, int] = {}
        self.vanished: list[str] = []
        self.warm: Mapping[str, Copy] = {}
        self.rolled_back: list[str] = []
        self.winners: dict[str, Copy] = {}
        self._there: set[str] = set()
        self._activity = activity
        self._decisions: dict[str, Sequence[Decision]] = {}
        self._settled: dict[str, Settlement] = {}

    def saw(self, counter: str, value: bytes | None) -> None:
        """Note the value that is decided on next. If it is absent, the read may be stale."""
        if value is not None:
            self._there.add(counter)

    def decided(self, counter: str, folded: Fold) -> None:
        """A fold is done; if nothing is to be written, the counter is settled."""
        self._decisions[counter] = folded.decisions
        if folded.value is None:
            self.close(counter, folded.decisions)

    def stored(self, swap: Swap) -> None:
        """The swap happened, and with it the decisions."""
        self._activity.swaps_stored += 1
        self._activity.counters_written += 1
        self._activity.value_bytes = max(self._activity.value_bytes, len(swap.value))
        if swap.seen.value is None:
            self._created(swap.counter)
        self._compare(swap.counter, swap.seen)
        self.close(swap.counter, self._decisions[swap.counter])

    def added(self, counter: str, decisions: Sequence[Decision]) -> None:
        """The addition happened; it does not tell whether the counter was there."""
        self._activity.counters_written += 1
        self.close(counter, decisions)

    def lost(self, counter: str, winner: Copy | None) -> None:
        """Another writer was first: decide again, on the value that it wrote, if that is known."""
        if winner is not None:
            self.winners[counter] = winner
        self._activity.swaps_lost += 1
        self.losses[counter] = self.losses.get(counter, 0) + 1
        self.open[counter] = Unsettled(Reason.LOST_RACE)

    def failed(self, counter: str, failure: Failed) -> None:
        """A call failed: try again if that can help.

        Raises:
            BrokenSetupError: no call can succeed.
        """
        match failure.trouble:
            case Trouble.NOT_SENT:
                self.is_late = True  # the last try's failure stays the reason
            case Trouble.UNKNOWN_OUTCOME:
                self.open[counter] = Unsettled(Reason.UNKNOWN_OUTCOME, failure.detail)
            case Trouble.THROTTLED:
                self._throttle(counter, Unsettled(Reason.THROTTLED, failure.detail))
            case Trouble.REFUSED:
                self.close(counter, Unsettled(Reason.REFUSED, failure.detail))
            case Trouble.BROKEN_SETUP:
                raise BrokenSetupError(failure.detail, is_missing=failure.is_missing)
            case _:
                assert_never(failure.trouble)

    def close(self, counter: str, settlement: Settlement) -> None:
        """The counter is settled, or given up."""
        del self.open[counter]
        self.throttled.pop(counter, None)
        self._settled[counter] = settlement

    def settlements(self) -> dict[str, Settlement]:
        """What became of every counter; for those still open, why."""
        return {**self._settled, **self.open}

    def _created(self, counter: str) -> None:
        """The counter was created: if it was seen before, it has expired or was evicted.

        If it was absent from the first, nobody can tell whether it ever was.
        """
        self._activity.counters_created += 1
        if counter in self._there:
            self._activity.counters_vanished += 1
            self.vanished.append(counter)

    def _compare(self, counter: str, seen: Copy) -> None:
        """Look for a rollback; the swap proves that the store held `seen`, a read would not."""
        known = self.warm.get(counter, seen)
        if known is seen or known.value is None or seen.value is None:
            return
        if lacks(seen.value, known.value):
            self._activity.counters_rolled_back += 1
            self.rolled_back.append(counter)

    def _throttle(self, counter: str, unsettled: Unsettled) -> None:
        self._activity.store_throttled += 1
        self.throttles[counter] = self.throttles.get(counter, 0) + 1
        self.open[counter] = unsettled
        self.throttled[counter] = self.throttled.get(counter, 0) + 1
        if self.throttled[counter] == MAX_THROTTLED_TRIES:
            self.close(counter, unsettled)
