"""One invocation of the Lambda: its time, its batch, settled as a whole, and its metrics."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from consumer import messages
from consumer.messages import ReceivedMessage
from consumer.observability import Observer
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.settling.bare_writer import BareWriter
from tally.settling.progress import Activity, Settlement
from tally.settling.reason import Reason, Unsettled
from tally.settling.rounds import usable_s
from tally.settling.writer import Writer

NO_CONTEXT_MS = 30_000
"""The time assumed for a call by hand, without a Lambda context."""

_REPORTED = {
    Decision.UNDECIDABLE: Unsettled(Reason.UNDECIDABLE),
    Decision.FULL: Unsettled(Reason.FULL),
}
_APPLIED = Decision.APPLIED
_BEFORE = (Decision.APPLIED_BEFORE, Decision.REJECTED_BEFORE, Decision.DECIDED_BEFORE)
_NO_EXCEPTION = (None, None, None)  # a decision has none


class WholeBatch(BatchProcessor):
    """Powertools' processor; its handler takes all records, and returns those that failed."""

    def process(self) -> list[tuple[Any, ...]]:
        """Handle the batch.

        Returns:
            Powertools' entry for each record that failed. Nobody would read those of the others,
            and they would make the garbage collector walk through the whole batch.
        """
        failed = self.handler(self.records)
        return [self.failure_handler(SQSRecord(record), _NO_EXCEPTION) for record in failed]


class Consumer:
    """What lives from invocation to invocation: the settler and the observer.

    Args:
        settler: decides and writes the increments of each counter, under one of the guarantees.
        observer: logs and metrics.
        default_max: the bound of increments without a `max`.
        wall_clock: the time of day, in seconds.
    """

    def __init__(
        self,
        settler: Writer | BareWriter,
        observer: Observer,
        default_max: int,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settler = settler
        self._observer = observer
        self._default_max = default_max
        self._wall_clock = wall_clock

    def handle(self, event: Mapping[str, Any], context: Any) -> PartialItemFailureResponse:  # noqa: ANN401 (Lambda's own)
        """Settle an SQS event and report the messages that SQS must bring back.

        Args:
            event: an SQS batch, as Lambda hands it over.
            context: Lambda's; None for a call by hand.

        Raises:
            BrokenSetupError: the store refuses the set-up; no message may be deleted.
        """
        self._observer.begin(getattr(context, "aws_request_id", ""))
        activity = Activity()
        try:
            records = event["Records"]
            ends_at = self._settler.clock() + usable_s(_remaining_s(context), len(records))
            # A batch that fails as a whole is a batch of failures, not a failure of the function.
            batch = WholeBatch(EventType.SQS, raise_on_entire_batch_failure=False)
            with batch(records, handler=partial(self._settle, ends_at, activity)):
                batch.process()
            return batch.response()
        finally:
            self._observer.publish(activity)

    def _settle(
        self, ends_at: float, activity: Activity, records: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Settle a batch, each counter in one write; returns the records that failed."""
        batch = messages.read(records, self._default_max)
        _fail_groups(batch)
        groups = _by_counter(batch)
        self._observer.busiest(groups)
        progress = self._settler.settle(groups, ends_at, activity)
        unsettled: dict[int, Unsettled] = {}
        settlements = progress.settlements()
        for counter, settlement in settlements.items():
            unsettled |= _unsettled(groups[counter], settlement, activity)
        if unsettled:
            _mark(batch, unsettled)
            _fail_groups(batch)
        self._observer.throttled(progress.throttles)
        if self._observer.tells_decisions:
            self._observer.decisions(batch, _decided(groups, settlements))
        self._observer.swaps_lost(progress.losses)
        self._observer.counters_vanished(progress.vanished)
        self._observer.counters_rolled_back(progress.rolled_back)
        return self._returned(batch, activity)

    def _returned(
        self, batch: Iterable[ReceivedMessage], activity: Activity
    ) -> list[dict[str, Any]]:
        """Log and count the messages that have failed; returns their records."""
        failed = []
        for message in batch:
            if message.unsettled:
                self._observer.message_returned(message, message.unsettled)
                failed.append(message.record)
                if message.unsettled.reason is Reason.INVALID:
                    activity.messages_invalid += 1
                else:
                    age_s = int(self._wall_clock() - message.sent_at_ms / 1_000)
                    activity.oldest_returned_seconds = max(activity.oldest_returned_seconds, age_s)
        activity.messages_returned += len(failed)
        return failed


def _remaining_s(context: Any) -> float:  # noqa: ANN401 (Lambda's own)
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: NO_CONTEXT_MS)
    remaining_s: float = remaining() / 1_000
    return remaining_s


def _unsettled(
    events: Sequence[Event], settlement: Settlement, activity: Activity
) -> dict[int, Unsettled]:
    """Count a counter's decisions; returns why events are not settled, by the `id` of each.

    Not by their names: of two copies of one event in a batch only one may be settled.
    """
    if isinstance(settlement, Unsettled):
        return dict.fromkeys(map(id, events), settlement)
    count = settlement.count
    applied = count(_APPLIED)
    activity.events_applied += applied
    if applied == len(events):  # the usual case; each count below compares all of them
        return {}
    activity.events_rejected += count(Decision.REJECTED)
    activity.events_duplicate += sum(map(count, _BEFORE))
    activity.events_undecidable += count(Decision.UNDECIDABLE)
    return {
        id(event): _REPORTED[decision]
        for event, decision in zip(events, settlement, strict=True)
        if decision in _REPORTED
    }


def _decided(
    groups: Mapping[str, Sequence[Event]], settlements: Mapping[str, Settlement]
) -> dict[int, Decision]:
    """The decision on each event that is settled, by the event's `id`."""
    return {
        id(event): decision
        for counter, settlement in settlements.items()
        if not isinstance(settlement, Unsettled)
        for event, decision in zip(groups[counter], settlement, strict=True)
        if decision.is_settled
    }


def _by_counter(batch: Sequence[ReceivedMessage]) -> dict[str, list[Event]]:
    """The events of the messages that have not failed, by counter, the oldest first.

    Sorting by age is fairer than by arrival, and merges runs sooner. On a FIFO queue events keep
    the order in which they were delivered.
    """
    groups: dict[str, list[Event]] = defaultdict(list)
    for message in batch:
        if message.unsettled:
            continue
        for event in message.events:
            groups[event.counter].append(event)
    if not _is_fifo(batch):
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


def _fail_groups(batch: Sequence[ReceivedMessage]) -> None:
    """Fail what follows a failed message in its FIFO group: SQS must bring it back in order."""
    if not _is_fifo(batch):
        return
    failed_groups = set()
    for message in batch:
        group = message.group
        if message.unsettled:
            failed_groups.add(group)
        elif group in failed_groups:
            message.fail(Unsettled(Reason.GROUP, f"group {group}"), message.events[0])


def _is_fifo(batch: Sequence[ReceivedMessage]) -> bool:
    """Whether the first message has a group; all messages of a batch are from one queue."""
    return any(message.group is not None for message in batch[:1])
