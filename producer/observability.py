"""What people and alarms see of the API: log lines with the request's id, a record of metrics."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from msgspec import UNSET

from producer.problems import FIRST_SERVER_ERROR
from producer.routes import Resolver
from tally.counters.event import Increment
from tally.counters.identity import identity_of
from tally.tracing import VARIABLE, trace_id

NAMESPACE = "Tally"
SERVICE = "tally"


class Api:
    """The resolver with its logs and metrics, as a Lambda calls it.

    Args:
        resolver: answers requests.
        logger: Powertools' own, in JSON.
        metrics: Powertools' own, not shared with other code of the function.
    """

    def __init__(self, resolver: Resolver, logger: Logger, metrics: EphemeralMetrics) -> None:
        self._resolver = resolver
        self._logger = logger
        self._metrics = metrics

    def handle(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 (Lambda's own)
        """Answer a request; its log lines carry its ids, and one EMF record counts it.

        The record names the request and its event, so it leads from one to the other. Latency is in
        API Gateway's own metrics, and status codes are in its access log.
        """
        ids = {
            "function_request_id": context.aws_request_id,
            # API Gateway's, which the caller has in the header x-amzn-RequestId.
            "request_id": (event.get("requestContext") or {}).get("requestId", ""),
        }
        self._logger.append_keys(**ids)  # Powertools adds the trace, as xray_trace_id
        if trace := trace_id(os.environ.get(VARIABLE, "")):
            ids["trace_id"] = trace
        for name, value in ids.items():
            self._metrics.add_metadata(name, value)
        response = self._resolver.resolve(event, context)
        is_error = response["statusCode"] >= FIRST_SERVER_ERROR
        self._metrics.add_metric("ApiRequests", MetricUnit.Count, 1)
        self._metrics.add_metric("ApiServerErrors", MetricUnit.Count, int(is_error))
        self._metrics.flush_metrics()
        return response


def tell_published(metrics: EphemeralMetrics, increment: Increment) -> None:
    """Name an increment in the record of its request, with the keys of the consumer's log."""
    metrics.add_metadata("counter", increment.counter)
    metrics.add_metadata("identity", identity_of(increment))
    if increment.id is not UNSET:
        metrics.add_metadata("id", increment.id)
