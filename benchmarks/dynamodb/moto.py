"""moto's DynamoDB in a process of its own, one request at a time, and clients of it."""

import contextlib
from collections.abc import Iterator
from typing import Any

from benchmarks.dynamodb import peers
from tally.local.sqs.aws import client_of
from tally.local.sqs.queue import LocalQueue

DEADLINE_S = 30.0
"""moto takes some ten milliseconds for a request, and all of a batch wait their turn."""


@contextlib.contextmanager
def tables() -> Iterator[str]:
    """Start moto with both tables, and give its URL; the process that serves SQS serves them."""
    with LocalQueue() as moto:
        with contextlib.closing(client(moto.endpoint_url)) as creator:
            peers.create(creator)
        yield moto.endpoint_url


def client(endpoint_url: str, *, max_attempts: int = 1, **options: Any) -> Any:  # noqa: ANN401 (boto3's)
    """A client that reads no profile, configuration file or proxy of the user.

    Args:
        endpoint_url: where it is.
        max_attempts: how often a call is made, the first time included.
        options: of botocore's Config besides.
    """
    return client_of(
        "dynamodb",
        endpoint_url,
        connect_timeout=DEADLINE_S,
        read_timeout=DEADLINE_S,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        parameter_validation=False,
        **options,
    )
