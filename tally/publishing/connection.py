"""The SQS client: made when it is needed, and made anew when its credentials have failed."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import botocore.exceptions as boto

from tally import aws
from tally.counters.event import MAX_FUTURE_MS

CONNECT_TIMEOUT_S = 5
"""How long a connection to SQS may take."""

READ_TIMEOUT_S = 10
"""How long SQS may be silent; then nobody knows what it stored, and the messages are sent again."""

# With these nothing was sent. A client remembers its credentials, even that there are none.
CREDENTIAL_ERRORS = (
    boto.CredentialRetrievalError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.SSOError,
    boto.TokenRetrievalError,
)

CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
"""Error codes that say that a client's credentials are out of date."""

MAX_IDLE_S = 60.0
"""A connection that was idle for longer is not used again: its peer may have dropped it silently,
as load balancers do, and frozen machines."""

MAX_CLOCK_AHEAD_S = 60.0
"""How far this machine's clock may be ahead of SQS's; from 300 s on consumers refuse increments."""


CLOCK_AHEAD = (
    "the clock of this machine is %.0f s ahead of SQS's: set it, since a consumer refuses what was "
    "published over %d s before its time"
)

ELSEWHERE = (
    "the queue is one of AWS, but the environment sends its messages to %s: "
    "see AWS_ENDPOINT_URL_SQS and AWS_ENDPOINT_URL"
)

_LOG = logging.getLogger("tally.publishing")


class SqsClient(Protocol):
    """The part of boto3's SQS client that we use."""

    @property
    def send_message_batch(self) -> Callable[..., Any]:
        """Send up to ten messages."""

    @property
    def close(self) -> Callable[[], None]:
        """Close the connections."""


class Connection:
    """A client for one queue, and its state."""

    def __init__(
        self,
        queue_url: str,
        *,
        attempt_s: float,
        wall: Callable[[], float],
        client: SqsClient | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            queue_url: the queue's.
            attempt_s: how long SQS may be silent, and a connection may take, in seconds.
            wall: the time of day, in seconds since the epoch.
            client: the caller closes it and keeps it alive; by default one is made here.
        """
        self._queue_url = queue_url
        self._attempt_s = attempt_s
        self._wall = wall
        self._client = client
        self._is_own = client is None
        self._is_new = False
        self._used_at = 0.0
        self._knows_clock = False

    def opened(self) -> SqsClient:
        """The client, made if there is none; our own also drops connections that were idle.

        Raises:
            BotoCoreError, ValueError, OSError: `aws.CONNECT_ERRORS`.
        """
        now = self._wall()
        self._is_new = self._client is None
        if self._client is None:
            self._client = connect(self._queue_url, attempt_s=self._attempt_s)
        elif self._is_own and not 0 <= now - self._used_at <= MAX_IDLE_S:
            self._client.close()  # only its connections; it opens others
        self._used_at = now
        return self._client

    def renews(self, error: Exception) -> bool:
        """Drop our own client if its credentials failed; returns whether a new one may succeed now.

        If the client was only just made, a new one is tried with the next request.
        """
        if not (self._is_own and _is_about_credentials(error)):
            return False
        self.close()
        self._client = None
        return not self._is_new

    def check_clock(self, response: Mapping[str, Any]) -> None:
        """Warn once if our clock is ahead: SQS confirms increments that every consumer refuses."""
        if self._knows_clock:
            return
        self._knows_clock = True
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        with contextlib.suppress(ValueError):  # no date
            theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
            if (ahead_s := self._wall() - theirs) > MAX_CLOCK_AHEAD_S:
                _LOG.warning(CLOCK_AHEAD, ahead_s, MAX_FUTURE_MS // 1_000)

    def close(self) -> None:
        """Close the client, if it was made here."""
        if self._is_own and self._client is not None:
            self._client.close()


def connect(queue_url: str, *, attempt_s: float = READ_TIMEOUT_S) -> SqsClient:
    """A client for a queue from the AWS environment (`AWS_*`), for one process.

    It does not repeat by itself: two layers of repeats would multiply, and only ours has our
    limits. If the environment sends the messages for a queue of AWS elsewhere, a warning says so.

    Args:
        queue_url: the queue's.
        attempt_s: how long SQS may be silent, and a connection may take, in seconds.

    Raises:
        BotoCoreError, ValueError, OSError: `aws.CONNECT_ERRORS`.
    """
    client: Any = aws.connect(
        "sqs",
        queue_url=queue_url,
        connect_timeout_s=min(CONNECT_TIMEOUT_S, attempt_s),
        read_timeout_s=attempt_s,
        max_attempts=1,
    )
    endpoint = client.meta.endpoint_url
    if aws.is_of_aws(queue_url) and not aws.is_of_aws(endpoint):
        _LOG.warning(ELSEWHERE, endpoint)
    connected: SqsClient = client
    return connected


def _is_about_credentials(error: Exception) -> bool:
    if isinstance(error, boto.ClientError):
        return error.response.get("Error", {}).get("Code", "") in CREDENTIAL_CODES
    return isinstance(error, CREDENTIAL_ERRORS)
