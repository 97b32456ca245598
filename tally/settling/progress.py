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
"""Throttled calls for a counter before its messages go back: SQS is the backpressure."""


@dataclasses.dataclass
class Activity:
    """What one invocation did, in numbers: its metrics, each under the name of its field."""

    events_applied: int = 0
    events_rejected: int = 0
    events_duplicate: int = 0
    events_undecidable: int = 0
    messages_invalid: int = 0
    messages_returned: int = 0
    oldest_returned_seconds: int = 0
    """The age of the oldest message returned, invalid ones left out. SQS's own metric forgets
    what was received three times."""
    counters_written: int = 0
    counters_created: int = 0
    """By a swap over nothing; a native increment does not tell."""
    counters_vanished: int = 0
    """Seen, and then gone: expired or evicted, with their ledger."""
    counters_rolled_back: int = 0
    """Written over a value that lacks what an earlier one had counted."""
    swaps_stored: int = 0
    swaps_lost: int = 0
    store_throttled: int = 0
    store_operations: int = 0
    """As the store bills them; Momento: each 1,024 bytes begun, a conditional write twice."""
    store_reads: int = 0
    """Those of them that are reads, where these have another price, as in DynamoDB."""
    cache_sets_failed: int = 0
    """Copies that the cache beside a table has not taken, as far as is known."""
    value_bytes: int = 0
    """The longest value swapped in."""


Settlement = Sequence[Decision] | Unsettled
"""What became of a counter's events: a decision each, in their order, or why there is none."""


class Progress:
    """The counters of one batch on their way from open to settled.

    Attributes:
        groups: the events by counter.
        ends_at: the time by which no call may be in flight any more.
        open: the counters not settled, each with what ended its last try.
        is_late: whether a call had no time left to be sent: no other round has, either.
        throttled: how often each open counter's calls were throttled.
        throttles: the same of every counter, settled or not.
        losses: how often each counter's swap lost the race.
        winners: what was stored by those who won the races of the last round, where it was told.
        vanished: the counters that were there at first, and then written anew over nothing.
        warm: what was known of counters from batches before, and held for certain then.
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
        """What is decided on next. That it is absent shows nothing yet: the read may be stale."""
        if value is not None:
            self._there.add(counter)

    def decided(self, counter: str, folded: Fold) -> None:
        """A fold is done; where nothing is to be written it stands at once."""
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
        """The native increment happened; it does not tell whether the counter was there."""
        self._activity.counters_written += 1
        self.close(counter, decisions)

    def lost(self, counter: str, winner: Copy | None) -> None:
        """Another writer was first: decide again, on what it wrote, if that was told."""
        if winner is not None:
            self.winners[counter] = winner
        self._activity.swaps_lost += 1
        self.losses[counter] = self.losses.get(counter, 0) + 1
        self.open[counter] = Unsettled(Reason.LOST_RACE)

    def failed(self, counter: str, failure: Failed) -> None:
        """A call failed: try again where that can help.

        Raises:
            BrokenSetupError: no call can succeed.
        """
        match failure.trouble:
            case Trouble.NOT_SENT:
                self.is_late = True  # and what ended the last try is still the reason
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
        """What became of every counter; of those still open, why."""
        return {**self._settled, **self.open}

    def _created(self, counter: str) -> None:
        """It was absent: one that was there before has expired, or was evicted.

        Of one that was absent at first nobody can tell whether it ever was.
        """
        self._activity.counters_created += 1
        if counter in self._there:
            self._activity.counters_vanished += 1
            self.vanished.append(counter)

    def _compare(self, counter: str, seen: Copy) -> None:
        """It held what was seen, as the swap over it proves: a read alone may have been stale."""
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
