"""The one way to a client of AWS, and its errors in a few words that cannot hold a secret."""

import os
import re
from collections.abc import Mapping
from typing import Any

import botocore.exceptions as boto

AWS_ERRORS = (boto.BotoCoreError, boto.ClientError)
"""What a call may raise."""

CONNECT_ERRORS = (*AWS_ERRORS, ValueError, OSError)
"""What making a client may raise: ValueError is botocore's about an endpoint that is invalid, and
OSError what it leaves of a file or a program that is to have the credentials."""

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 30.0
"""A read may take longer than a long poll."""

MAX_ATTEMPTS = 3
"""How often botocore makes a call, the first time included."""

_REGION = re.compile(
    r"https?://(?:[\w-]+\.)?sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)\b"
    r"|https?://(?P<old>[a-z0-9-]+)\.queue\.amazonaws\.com\b"
)
"""Where the URL of a queue names its region; the second form is what SQS gave until 2011."""


_AWS_HOST = re.compile(r"https?://[^/:]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::[0-9]+)?(?:/|$)")


class UnknownRegionError(boto.NoRegionError):
    """No region is set, and no queue's URL names one."""

    fmt = (
        "there is no region: set AWS_REGION, since no other variable, profile or queue URL names it"
    )


TELLING = (
    boto.ConfigNotFound,
    boto.ConnectTimeoutError,
    boto.ConnectionClosedError,
    boto.EndpointConnectionError,
    boto.NoCredentialsError,
    boto.NoRegionError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.ReadTimeoutError,
    boto.SSLError,
    FileNotFoundError,
    PermissionError,
)
"""Errors whose text has only what somebody set up: an endpoint, a profile, a file, a region. Of any
other it may quote: a header that HTTP does not take, which can be the session's token, what a
program for credentials printed, an argument, or a server's answer."""


def described(error: BaseException) -> str:
    """The part of an error of AWS's SDK that anybody may see.

    Of a refusal that is its code and its status: the text about a signature quotes the request that
    was signed, with its token. Of what is not in TELLING it is the class.
    """
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return f"{error.response.get('Error', {}).get('Code', '')} (HTTP {status})"
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, TELLING) else name


def connect(
    service: str,
    *,
    queue_url: str = "",
    environ: Mapping[str, str] = os.environ,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
    max_attempts: int = MAX_ATTEMPTS,
    **options: Any,  # noqa: ANN401 (those of botocore's Config)
) -> Any:  # noqa: ANN401 (boto3 makes its clients at run time)
    """A client from the AWS environment (`AWS_*`).

    Where boto3 finds no region, it is AWS_REGION, which boto3 alone of the SDKs does not read, or
    that of the queue's URL.

    Args:
        service: as boto3 calls it.
        queue_url: the queue that the client is for, if there is one.
        environ: where AWS_REGION is.
        connect_timeout_s: how long one attempt may take to connect, in seconds.
        read_timeout_s: how long the service may then be silent, in seconds.
        max_attempts: how often botocore makes a call, the first time included.
        options: of botocore's Config besides.

    Raises:
        BotoCoreError, ValueError, OSError: CONNECT_ERRORS; no region, profile, endpoint or
            file of credentials as it is told.
    """
    import boto3  # noqa: PLC0415 # takes 0.2 s, which an import of ours need not wait for
    from botocore.config import Config  # noqa: PLC0415 # the same

    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        **options,
    )
    session = boto3.session.Session()
    region = session.region_name or environ.get("AWS_REGION") or _region_of(queue_url)
    return _client(session, service, config, region)


def _client(session: Any, service: str, config: object, region: str | None) -> Any:  # noqa: ANN401 (boto3's stubs know services by literal names only)
    try:
        return session.client(service, config=config, region_name=region)
    except boto.NoRegionError:
        raise UnknownRegionError from None


def load() -> None:
    """Import boto3 now; once the main thread has returned, Python imports it no more."""
    import boto3  # noqa: F401, PLC0415 # takes 0.2 s, which an import of ours need not wait for


def is_of_aws(url: str) -> bool:
    """Whether the host of a URL is one of AWS's own."""
    return _AWS_HOST.match(url) is not None


def _region_of(queue_url: str) -> str | None:
    """The region in a queue's URL, if it has one."""
    found = _REGION.match(queue_url)
    return found and (found["region"] or found["old"])
