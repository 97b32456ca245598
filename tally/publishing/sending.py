"""Sends a request of messages to SQS, and sends again what failed for a reason that passes."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from tally import aws
from tally.publishing.packing import Message

MAX_ATTEMPTS = 10
"""How often the same messages are sent, the first time included."""

MAX_SENDING_S = 30.0
"""No attempt begins later than this after the first, unless a Pacer is less patient."""

BACKOFF_BASE_S = 0.1
"""The k-th repeat waits for U(0, min(BACKOFF_MAX_S, BACKOFF_BASE_S · 2^k)): full jitter."""

BACKOFF_MAX_S = 5.0
"""The longest wait between two attempts."""

CONNECT_TIMEOUT_S = 5
"""How long a connection to SQS may take."""

READ_TIMEOUT_S = 10
"""How long SQS may be silent; then nobody knows what it stored, and the messages go again."""

SERVER_ERROR_STATUS = 500
"""From this HTTP status on the failure is SQS's."""

PASSING_CODES = frozenset(
    {
        "KmsThrottled",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes with a 4xx status that pass: SQS's own and those botocore's retries know."""

# The request may have failed before SQS stored it, or its answer after: the same answer to both
# is to send it again, since the messages keep their bytes and their increments their identity.
PASSING_ERRORS = (
    boto.ConnectionError,
    boto.CredentialRetrievalError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    ResponseParserError,
)


class SqsClient(Protocol):
    """What is used of boto3's SQS client."""

    @property
    def send_message_batch(self) -> Callable[..., Any]:
        """Send up to ten messages."""

    @property
    def close(self) -> Callable[[], None]:
        """Close the connections."""


@dataclass(frozen=True)
class Pacer:
    """Time and chance, as the sending needs them; tests bring their own.

    `patience_s` is for those whose own caller waits: no attempt of a request begins later after
    its first. In a Lambda it is to be shorter than what is left of the function's time.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    patience_s: float = MAX_SENDING_S


class Failure(NamedTuple):
    """A message that was not confirmed, and why."""

    message: Message
    reason: str


class Outcome(NamedTuple):
    """Which messages of a request SQS has not confirmed; the others it has.

    Attributes:
        refused: those with which SQS found fault.
        unsettled: those of which it said nothing, or nothing that lasts, until the limits ended;
            it may have stored some.
        is_answered: whether SQS spoke of the messages in the end, and not of the whole request.
    """

    refused: list[Failure]
    unsettled: list[Failure]
    is_answered: bool


class _Answer(NamedTuple):
    """What one attempt said of its entries, by Id; of those in neither, `otherwise` is the reason.

    `refused` has what no repeat will change; `passes` tells whether one may settle the others.
    """

    otherwise: str
    passes: bool = True
    is_answered: bool = False
    confirmed: frozenset[str] = frozenset()
    refused: Mapping[str, str] = MappingProxyType({})


class Sender:
    """Sends requests one after the other, with the counts of what it did.

    Attributes:
        confirmed: increments that SQS confirmed.
        messages: messages that SQS confirmed.
        requests: requests sent, repeats included.
        retries: the repeats among them.
    """

    def __init__(
        self, client: SqsClient, queue_url: str, pacer: Pacer, *, owns_client: bool
    ) -> None:
        self.confirmed = self.messages = self.requests = self.retries = 0
        self._client = client
        self._queue_url = queue_url
        self._pacer = pacer
        self._owns_client = owns_client
        self._trying: tuple[float, str] | None = None  # since when, and what came of it so far

    def close(self) -> None:
        """Close the client, if it was made for this sender."""
        if self._owns_client:
            self._client.close()

    def send(self, messages: Sequence[Message]) -> Outcome:
        """Send a request until each message is confirmed or refused, or the limits end."""
        try:
            return self._send(messages)
        finally:
            self._trying = None

    def trying(self) -> tuple[float, str]:
        """For how long the present request has been tried, and why in vain; any thread may ask."""
        trying = self._trying
        return (self._pacer.clock() - trying[0], trying[1]) if trying else (0.0, "")

    def _send(self, messages: Sequence[Message]) -> Outcome:
        entries = [message.entry(position) for position, message in enumerate(messages)]
        waiting = {entry["Id"]: message for entry, message in zip(entries, messages, strict=True)}
        refused: list[Failure] = []
        started_at = self._pacer.clock()
        self._trying = started_at, ""
        for attempt in range(MAX_ATTEMPTS):
            if attempt > 0 and not self._wait(attempt, started_at):
                break
            answer = self._attempt([entry for entry in entries if entry["Id"] in waiting])
            refused += self._settle(waiting, answer)
            if not waiting or not answer.passes:
                break
            self._trying = started_at, answer.otherwise
        unsettled = [Failure(message, answer.otherwise) for message in waiting.values()]
        return Outcome(refused, unsettled, answer.is_answered)

    def _wait(self, repeat: int, started_at: float) -> bool:
        """Wait for this repeat; returns whether there is time for it."""
        pause_s = self._pacer.random() * min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**repeat)
        if self._pacer.clock() + pause_s > started_at + self._pacer.patience_s:
            return False
        self._pacer.sleep(pause_s)
        self.retries += 1
        return True

    def _settle(self, waiting: dict[str, Message], answer: _Answer) -> list[Failure]:
        """Take out of `waiting` what was confirmed or refused; returns what was refused."""
        for entry_id in answer.confirmed & waiting.keys():
            self.confirmed += len(waiting.pop(entry_id).parts)
            self.messages += 1
        refused = [entry_id for entry_id in waiting if entry_id in answer.refused]
        return [Failure(waiting.pop(entry_id), answer.refused[entry_id]) for entry_id in refused]

    def _attempt(self, entries: list[dict[str, str]]) -> _Answer:
        self.requests += 1
        try:
            response = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        except boto.ClientError as error:
            return _Answer(aws.described(error), passes=_is_passing(error))
        except PASSING_ERRORS as error:
            return _Answer(aws.described(error))
        except boto.BotoCoreError as error:
            return _Answer(aws.described(error), passes=False)
        return _read(response)


def connect(queue_url: str) -> SqsClient:
    """A client for a queue from the ecosystem's environment (`AWS_*`), for one process.

    It does not repeat by itself: two layers of repeats multiply, and only ours has our limits.
    """
    client: SqsClient = aws.connect(
        "sqs",
        queue_url=queue_url,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
        max_attempts=1,
    )
    return client


def _read(response: Mapping[str, Any]) -> _Answer:
    """What the answer says of each entry."""
    refused, otherwise = {}, "SQS's answer does not mention it"
    for entry in response.get("Failed", ()):
        if entry["SenderFault"] and not _passes(entry["Code"]):
            refused[entry["Id"]] = entry["Code"]
        else:
            otherwise = entry["Code"]
    confirmed = frozenset(entry["Id"] for entry in response.get("Successful", ()))
    return _Answer(otherwise, is_answered=True, confirmed=confirmed, refused=refused)


def _is_passing(error: boto.ClientError) -> bool:
    """Whether an error about a whole request is one that passes."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= SERVER_ERROR_STATUS or _passes(code)


def _passes(code: str) -> bool:
    """Whether a code tells of a failure that passes; some come as `AWS.SimpleQueueService.Code`."""
    return code.rpartition(".")[2] in PASSING_CODES
