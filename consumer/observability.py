"""What people and alarms see: JSON logs with stable keys, and one EMF record per invocation."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Mapping, Sized

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from consumer.messages import ReceivedMessage
from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.settling.progress import Activity
from tally.settling.reason import Unsettled

NAMESPACE = "Tally"
SERVICE = "tally"

UNITS = {"bytes": MetricUnit.Bytes, "seconds": MetricUnit.Seconds}
"""The unit by the last word of a field's name; all other fields are counts."""

OF_A_TABLE = frozenset({"store_reads", "cache_sets_failed"})
"""Metrics that only counters in a table have. A 0 of these is not written: without a table one
would pay for two metrics that never say anything."""


MAX_DECISIONS_TOLD = 1_000
"""The most lines about decisions in one invocation, at DEBUG. A batch of 6 MB may hold tens of
thousands of events; lines about all of them would take seconds of the function's time."""


class Observer:
    """Writes logs and metrics to standard output, from which Lambda takes them.

    Args:
        logger: Powertools' own, in JSON.
        metrics: Powertools' own, not shared with other code of the function.
    """

    def __init__(self, logger: Logger, metrics: EphemeralMetrics) -> None:
        self._logger = logger
        self._metrics = metrics
        self._write = {
            logging.INFO: logger.info,
            logging.WARNING: logger.warning,
            logging.ERROR: logger.error,
        }

    def begin(self, request_id: str) -> None:
        """Give every line and the metrics of this invocation its request id."""
        self._logger.append_keys(function_request_id=request_id)
        self._metrics.add_metadata("function_request_id", request_id)

    def busiest(self, groups: Mapping[str, Sized]) -> None:
        """Name, in the metrics' record, the counter with the most events of the batch.

        Only one, since the record must not grow with the batch; and not as a metric, since each
        counter would then be billed as one.
        """
        if groups:
            counter = max(groups, key=lambda name: len(groups[name]))
            self._metrics.add_metadata("busiest_counter", counter)
            self._metrics.add_metadata("busiest_events", len(groups[counter]))

    def throttled(self, times: Mapping[str, int]) -> None:
        """Name there the counter whose calls the store throttled most, if any, and how often."""
        if times:
            counter = max(times, key=lambda name: times[name])
            self._metrics.add_metadata("throttled_counter", counter)
            self._metrics.add_metadata("throttled_times", times[counter])

    def message_returned(self, message: ReceivedMessage, unsettled: Unsettled) -> None:
        """One line for a message that is reported to SQS, without a stack trace."""
        published_id = message.id
        named = {"id": published_id} if published_id else {}
        traced = {"trace_id": trace_id} if (trace_id := message.trace_id) else {}
        self._write[unsettled.reason.level](
            "message returned to SQS: %s",
            unsettled.reason.text,
            extra={
                "action": "message_returned",
                "reason": unsettled.reason.value,
                "detail": unsettled.detail,
                "counter": message.counter,
                "identity": message.identity,
                **named,
                "message_id": message.record["messageId"],
                "receive_count": message.receive_count,
                "events": len(message.events),
                **traced,
            },
        )

    @property
    def tells_decisions(self) -> bool:
        """Whether the log level, DEBUG, asks for a line for each event."""
        return self._logger.log_level <= logging.DEBUG

    def decisions(self, batch: Iterable[ReceivedMessage], decided: Mapping[int, Decision]) -> None:
        """One line for each decided event, at DEBUG, up to MAX_DECISIONS_TOLD.

        Args:
            batch: the messages.
            decided: the decision on each event, by its `id`.
        """
        told = (
            (message, event)
            for message in batch
            for event in message.events
            if id(event) in decided
        )
        for message, event in itertools.islice(told, MAX_DECISIONS_TOLD):
            self._event_decided(message, event, decided[id(event)])
        if untold := sum(1 for _ in told):
            text = "no more decisions of this invocation are told"
            self._logger.debug(text, extra={"action": "decisions_untold", "untold": untold})

    def _event_decided(self, message: ReceivedMessage, event: Event, decision: Decision) -> None:
        traced = {"trace_id": trace_id} if (trace_id := message.trace_id) else {}
        self._logger.debug(
            "event decided: %s",
            decision.value,
            extra={
                "action": "event_decided",
                "decision": decision.name.lower(),
                "counter": event.counter,
                "identity": event.identity,
                "message_id": message.record["messageId"],
                **traced,
            },
        )

    def swaps_lost(self, losses: Mapping[str, int]) -> None:
        """One line for each counter on which other writers were faster; a race is no error."""
        for counter, times in losses.items():
            self._logger.info(
                "another writer was first; decided again",
                extra={"action": "swap_lost", "counter": counter, "times": times},
            )

    def counters_vanished(self, counters: Iterable[str]) -> None:
        """One line for each counter that has vanished with its count."""
        for counter in counters:
            self._logger.warning(
                "the counter has expired or was evicted; counted from 0",
                extra={"action": "counter_vanished", "counter": counter},
            )

    def counters_rolled_back(self, counters: Iterable[str]) -> None:
        """One line for each counter that lacks counted events: the store has lost swaps."""
        for counter in counters:
            self._logger.warning(
                "the counter is at an earlier state; counted on from there",
                extra={"action": "counter_rolled_back", "counter": counter},
            )

    def publish(self, activity: Activity) -> None:
        """The invocation's metrics, as one EMF record."""
        for field in dataclasses.fields(activity):
            value = getattr(activity, field.name)
            if value or field.name not in OF_A_TABLE:
                unit = UNITS.get(field.name.rpartition("_")[2], MetricUnit.Count)
                self._metrics.add_metric(metric_name(field.name), unit, value)
        self._metrics.flush_metrics()


def metric_name(field: str) -> str:
    """The name of a field of Activity in CloudWatch: `swaps_lost` is SwapsLost."""
    return field.title().replace("_", "")
