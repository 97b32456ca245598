"""How far a batch has come: which counters are open, what was decided, why a try failed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from consumer.activity import Activity
from consumer.reason import Reason
from counters.counter import Fold
from counters.decision import Decision
from counters.event import Event
from store.errors import BrokenSetupError
from store.troubles import Failed, Trouble

MAX_THROTTLED_TRIES = 5
"""Throttled calls for a counter before its messages go back: SQS is the backpressure."""


class Unsettled(NamedTuple):
    """A counter's events are not decided, or it is not known whether they are."""

    reason: Reason
    detail: str = ""


Settlement = Sequence[Decision] | Unsettled
"""What became of a counter's events: a decision each, in their order, or why there is none."""


class Progress:
    """The counters of one batch on their way from open to settled.

    Attributes:
        groups: the events by counter.
        ends_at: the time by which no call may be in flight any more.
        open: the counters not settled, each with what ended its last try.
        throttled: how often each open counter's calls were throttled.
        losses: how often each counter's swap lost the race.
    """

    def __init__(
        self, groups: Mapping[str, Sequence[Event]], ends_at: float, activity: Activity
    ) -> None:
        self.groups = groups
        self.ends_at = ends_at
        self.open = dict.fromkeys(groups, Unsettled(Reason.OUT_OF_TIME))
        self.throttled: dict[str, int] = {}
        self.losses: dict[str, int] = {}
        self._activity = activity
        self._decisions: dict[str, Sequence[Decision]] = {}
        self._settled: dict[str, Settlement] = {}

    def decided(self, counter: str, folded: Fold) -> None:
        """A fold is done; where nothing is to be written it stands at once."""
        self._decisions[counter] = folded.decisions
        if folded.value is None:
            self.close(counter, folded.decisions)

    def stored(self, counter: str, value: bytes) -> None:
        """The swap happened, and with it the decisions."""
        self._activity.swaps_stored += 1
        self._activity.counters_written += 1
        self._activity.value_bytes = max(self._activity.value_bytes, len(value))
        self.close(counter, self._decisions[counter])

    def lost(self, counter: str) -> None:
        """Another writer was first: decide again, on what it wrote."""
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
                pass  # what ended the last try is still the reason
            case Trouble.UNKNOWN_OUTCOME:
                self.open[counter] = Unsettled(Reason.UNKNOWN_OUTCOME, failure.detail)
            case Trouble.THROTTLED:
                self._throttle(counter, Unsettled(Reason.THROTTLED, failure.detail))
            case Trouble.REFUSED:
                self.close(counter, Unsettled(Reason.REFUSED, failure.detail))
            case Trouble.BROKEN_SETUP:
                raise BrokenSetupError(failure.detail)
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

    def _throttle(self, counter: str, unsettled: Unsettled) -> None:
        self._activity.momento_throttled += 1
        self.open[counter] = unsettled
        self.throttled[counter] = self.throttled.get(counter, 0) + 1
        if self.throttled[counter] == MAX_THROTTLED_TRIES:
            self.close(counter, unsettled)
