"""The Lambda's entry: `consumer.handler.lambda_handler`."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from consumer import wiring
from tally.stores.errors import BrokenSetupError


def lambda_handler(event: Mapping[str, Any], context: Any) -> PartialItemFailureResponse:  # noqa: ANN401 (Lambda's own)
    """Apply an SQS batch to the counters; the answer names the messages to bring back.

    Raises:
        SettingsError: the environment does not describe a consumer.
        BrokenSetupError: the store refuses the key, the cache or the calls.
    """
    try:
        return wiring.consumer().handle(event, context)
    except BrokenSetupError:
        # The key may have been rotated: the next invocation reads settings and secret again.
        wiring.consumer.cache_clear()
        raise
