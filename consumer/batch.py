"""An SQS batch becomes increments by counter, and these tell which messages failed."""

from collections.abc import Iterable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from consumer import messages
from consumer.activity import Activity
from consumer.messages import Message
from consumer.observability import Observer
from consumer.progress import Settlement, Unsettled
from consumer.reason import Reason
from consumer.writer import Writer
from counters.decision import Decision
from counters.event import Event

Entry = tuple[Event, Message]
"""An event, and the message that brought it."""

_REPORTED = {Decision.UNDECIDABLE: Reason.UNDECIDABLE, Decision.FULL: Reason.FULL}
_BEFORE = (Decision.APPLIED_BEFORE, Decision.REJECTED_BEFORE, Decision.DECIDED_BEFORE)


class CounterBatch(BatchProcessor):
    """Settles one batch as a whole: the increments of a counter are one write, not many.

    Args:
        writer: decides and writes the increments of each counter.
        observer: is told of each message that is reported.
        activity: counts what is done.
        ends_at: the writer's clock's time by which no call may be in flight any more.
        default_max: the bound of increments that bring no `max`.
    """

    def __init__(
        self,
        writer: Writer,
        observer: Observer,
        activity: Activity,
        *,
        ends_at: float,
        default_max: int,
    ) -> None:
        # A batch that fails as a whole is a batch of failures, not a failure of the function.
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._writer = writer
        self._observer = observer
        self._activity = activity
        self._ends_at = ends_at
        self._default_max = default_max

    def process(self) -> list[tuple[Any, ...]]:
        """Settle all records; Powertools builds the response from those that failed.

        Raises:
            BrokenSetupError: Momento refuses the set-up.
        """
        batch = messages.read(self.records, self._default_max)
        groups = _by_counter(batch)
        events = {counter: [event for event, _ in entries] for counter, entries in groups.items()}
        progress = self._writer.settle(events, self._ends_at, self._activity)
        for counter, settlement in progress.settlements().items():
            self._mark(groups[counter], settlement)
        self._observer.swaps_lost(progress.losses)
        messages.fail_groups(batch)
        return [self._entry(message) for message in batch]

    def _mark(self, entries: Sequence[Entry], settlement: Settlement) -> None:
        """Count a counter's decisions, and mark the messages of what is not settled."""
        if isinstance(settlement, Unsettled):
            for event, message in entries:
                message.fail(settlement.reason, settlement.detail, event)
            return
        activity, count = self._activity, list(settlement).count
        undecidable = count(Decision.UNDECIDABLE)
        activity.events_applied += count(Decision.APPLIED)
        activity.events_rejected += count(Decision.REJECTED)
        activity.events_duplicate += sum(map(count, _BEFORE))
        activity.events_undecidable += undecidable
        if undecidable or Decision.FULL in settlement:
            for (event, message), decision in zip(entries, settlement, strict=True):
                if decision in _REPORTED:
                    message.fail(_REPORTED[decision], "", event)

    def _entry(self, message: Message) -> tuple[Any, ...]:
        failure = message.failure
        if failure is None:
            return self.success_handler(message.record, None)
        self._activity.messages_returned += 1
        self._activity.messages_invalid += failure.reason is Reason.INVALID
        self._observer.message_returned(message, failure)
        error = MessageReturnedError(failure.detail or failure.reason.text)
        return self.failure_handler(SQSRecord(message.record), (type(error), error, None))


class MessageReturnedError(Exception):
    """A message is reported to SQS; for Powertools, which keeps an exception for each failure."""


def _by_counter(batch: Iterable[Message]) -> dict[str, list[Entry]]:
    """The events of the messages that have not failed, by counter, the oldest first.

    Their age is fairer than their arrival, and merges their runs sooner. On a FIFO queue they stay
    as they were delivered: that order is what FIFO is for.
    """
    groups: dict[str, list[Entry]] = {}
    in_order = False
    for message in batch:
        in_order = in_order or message.group is not None
        if message.failure:
            continue
        for event in message.events:
            groups.setdefault(event.counter, []).append((event, message))
    if not in_order:
        for entries in groups.values():
            entries.sort(key=_published_at)
    return groups


def _published_at(entry: Entry) -> int:
    return entry[0].at
