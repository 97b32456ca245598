"""One invocation of the Lambda: the time that it has, its batch, its metrics."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from consumer.batch import CounterBatch
from consumer.observability import Observer
from tally.settling.activity import Activity
from tally.settling.progress import Settler
from tally.settling.reserve import usable_s

NO_CONTEXT_MS = 30_000
"""The time that a call by hand, with no Lambda context, is taken to have."""


class Consumer:
    """What lives from invocation to invocation: who settles, and who observes.

    Args:
        settler: decides and writes the increments of each counter.
        observer: logs and metrics.
        default_max: the bound of increments that bring no `max`.
    """

    def __init__(self, settler: Settler, observer: Observer, default_max: int) -> None:
        self._settler = settler
        self._observer = observer
        self._default_max = default_max

    def handle(self, event: Mapping[str, Any], context: Any) -> PartialItemFailureResponse:  # noqa: ANN401 (Lambda's own)
        """Settle an SQS event and report the messages that SQS must bring back.

        Args:
            event: an SQS batch, as Lambda hands it over.
            context: Lambda's; None for a call by hand.

        Raises:
            BrokenSetupError: the store refuses the set-up, and no message is to be deleted.
        """
        self._observer.begin(getattr(context, "aws_request_id", ""))
        activity = Activity()
        batch = CounterBatch(
            self._settler,
            self._observer,
            activity,
            ends_at=self._settler.clock() + _usable_s(context, len(event.get("Records", ()))),
            default_max=self._default_max,
        )
        try:
            with batch(event["Records"], handler=batch.process):
                batch.process()
            return batch.response()
        finally:
            self._observer.publish(activity)


def _usable_s(context: Any, messages: int) -> float:  # noqa: ANN401 (Lambda's own)
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: NO_CONTEXT_MS)
    remaining_s: float = remaining() / 1_000
    return usable_s(remaining_s, messages)
