"""AWS's clients for the commands that look after a deployment, and its errors in a few words."""

from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (BotoCoreError, ClientError)
"""What a call may raise."""

CONNECT_ERRORS = (*AWS_ERRORS, ValueError)
"""What making a client may raise: ValueError is botocore's about an endpoint that is none."""

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 30
"""A read may take longer than a long poll."""

MAX_ATTEMPTS = 3
"""How often botocore makes a call, the first time included: a repeat of ours harms nothing."""


def connect(service: str) -> Any:  # noqa: ANN401 (boto3 makes its clients at run time)
    """A client from the ecosystem's environment (`AWS_*`).

    Raises:
        BotoCoreError, ValueError: CONNECT_ERRORS; no region, no such profile, or no endpoint.
    """
    import boto3  # noqa: PLC0415 # takes 0.2 s, which `tally --help` need not wait for
    from botocore.config import Config  # noqa: PLC0415 # the same

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
    )
    make: Any = boto3.session.Session().client  # its stubs know services by literal names only
    return make(service, config=config)


def is_local(client: Any) -> bool:  # noqa: ANN401 (boto3's)
    """Whether a client speaks to this machine, where no rule for a deployment holds."""
    from local.aws import is_loopback  # noqa: PLC0415 (it imports boto3)

    return is_loopback(urlsplit(client.meta.endpoint_url).netloc)
