"""What people and alarms see of the API: log lines with their request's id, a record of metrics."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from producer.problems import FIRST_SERVER_ERROR
from producer.routes import Resolver

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
        """Answer a request; its log lines carry its id, and one EMF record counts it.

        Latency is in API Gateway's own metrics, and status codes in its access log.
        """
        self._logger.append_keys(function_request_id=context.aws_request_id)
        response = self._resolver.resolve(event, context)
        is_error = response["statusCode"] >= FIRST_SERVER_ERROR
        self._metrics.add_metric("ApiRequests", MetricUnit.Count, 1)
        self._metrics.add_metric("ApiServerErrors", MetricUnit.Count, int(is_error))
        self._metrics.flush_metrics()
        return response
