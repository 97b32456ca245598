"""An SQS batch becomes increments by counter, and these tell which messages failed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from consumer import messages
from consumer.messages import ReceivedMessage
from consumer.observability import Observer
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.settling.activity import Activity
from tally.settling.progress import Settlement, Settler
from tally.settling.reason import Reason, Unsettled

_REPORTED = {
    Decision.UNDECIDABLE: Unsettled(Reason.UNDECIDABLE),
    Decision.FULL: Unsettled(Reason.FULL),
}
_BEFORE = (Decision.APPLIED_BEFORE, Decision.REJECTED_BEFORE, Decision.DECIDED_BEFORE)


class CounterBatch(BatchProcessor):
    """Settles one batch as a whole: the increments of a counter are one write, not many.

    Args:
        settler: decides and writes the increments of each counter.
        observer: is told of each message that is reported.
        activity: counts what is done.
        ends_at: the settler's clock's time by which no call may be in flight any more.
        default_max: the bound of increments that bring no `max`.
    """

    def __init__(
        self,
        settler: Settler,
        observer: Observer,
        activity: Activity,
        *,
        ends_at: float,
        default_max: int,
    ) -> None:
        # A batch that fails as a whole is a batch of failures, not a failure of the function.
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._settler = settler
        self._observer = observer
        self._activity = activity
        self._ends_at = ends_at
        self._default_max = default_max

    def process(self) -> list[tuple[Any, ...]]:
        """Settle all records; Powertools builds the response from those that failed.

        Returns:
            Powertools' entry of each message that failed. One of each that succeeded would be read
            by nobody, and have the garbage collector walk through the whole batch.

        Raises:
            BrokenSetupError: the store refuses the set-up.
        """
        batch = messages.read(self.records, self._default_max)
        groups = _by_counter(batch)
        progress = self._settler.settle(groups, self._ends_at, self._activity)
        unsettled: dict[int, Unsettled] = {}
        for counter, settlement in progress.settlements().items():
            unsettled |= self._unsettled(groups[counter], settlement)
        if unsettled:
            _mark(batch, unsettled)
            messages.fail_groups(batch)
        self._observer.swaps_lost(progress.losses)
        self._observer.counters_vanished(progress.vanished)
        return [self._report(each, each.unsettled) for each in batch if each.unsettled]

    def _unsettled(self, events: Sequence[Event], settlement: Settlement) -> dict[int, Unsettled]:
        """Count a counter's decisions; why which of its events are not settled, by their `id`.

        Not by what they say: of two copies of one event in a batch only one may be settled.
        """
        if isinstance(settlement, Unsettled):
            return dict.fromkeys(map(id, events), settlement)
        activity, count = self._activity, settlement.count
        applied = count(Decision.APPLIED)
        activity.events_applied += applied
        if applied == len(events):  # mostly so; each further count compares all of them
            return {}
        activity.events_rejected += count(Decision.REJECTED)
        activity.events_duplicate += sum(map(count, _BEFORE))
        activity.events_undecidable += count(Decision.UNDECIDABLE)
        return {
            id(event): _REPORTED[decision]
            for event, decision in zip(events, settlement, strict=True)
            if decision in _REPORTED
        }

    def _report(self, message: ReceivedMessage, unsettled: Unsettled) -> tuple[Any, ...]:
        self._activity.messages_returned += 1
        self._activity.messages_invalid += unsettled.reason is Reason.INVALID
        self._observer.message_returned(message, unsettled)
        no_exception = (None, None, None)  # there is none behind a decision
        return self.failure_handler(SQSRecord(message.record), no_exception)


def _by_counter(batch: Sequence[ReceivedMessage]) -> dict[str, list[Event]]:
    """The events of the messages that have not failed, by counter, the oldest first.

    Their age is fairer than their arrival, and merges their runs sooner. On a FIFO queue they stay
    as they were delivered: that order is what FIFO is for.
    """
    groups: dict[str, list[Event]] = defaultdict(list)
    for message in batch:
        if message.unsettled:
            continue
        for event in message.events:
            groups[event.counter].append(event)
    is_fifo = any(message.group is not None for message in batch[:1])  # a batch is of one queue
    if not is_fifo:
        for events in groups.values():
            events.sort(key=attrgetter("at"))
    return groups


def _mark(batch: Iterable[ReceivedMessage], unsettled: Mapping[int, Unsettled]) -> None:
    """Fail the messages that brought an unsettled event."""
    for message in batch:
        for event in message.events:
            if id(event) in unsettled:
                message.fail(unsettled[id(event)], event)
                break
