"""The Lambda's entry: `producer.handler.lambda_handler`."""

from collections.abc import Mapping
from typing import Any

from producer import wiring


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 (Lambda's own)
    """Answer a request of an API Gateway REST API (proxy integration).

    Raises:
        SettingsError: the environment does not describe an API.
    """
    response: dict[str, Any] = wiring.api().handle(event, context)
    return response
