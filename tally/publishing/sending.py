"""Sends a request of messages to SQS, and repeats those whose failure may pass."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from tally import aws, tracing
from tally.counters.errors import check_number
from tally.publishing.connection import READ_TIMEOUT_S, Connection, SqsClient
from tally.publishing.packing import Message

MAX_SENDING_S = 30.0
"""No attempt begins later than this after the first, unless a Pacer says otherwise."""

MAX_PATIENCE_S = 900.0
"""The longest `patience_s`: no Lambda function runs longer."""

MAX_ATTEMPTS = 500
"""How often the same messages are sent, the first time included. It is no limit in practice: the
longest patience has time for 360 on average, and the default one for 16."""

MIN_ATTEMPT_S, MAX_ATTEMPT_S = 0.1, 60.0
"""The span of `attempt_s`."""

BACKOFF_BASE_S = 0.1
"""The k-th repeat waits for U(0, min(BACKOFF_MAX_S, BACKOFF_BASE_S · 2^k)): full jitter."""

BACKOFF_MAX_S = 5.0
"""The longest wait between two attempts."""

MAX_VAIN_REQUESTS = 3
"""After so many requests in a row of which SQS settles nothing, it counts as unreachable."""

SERVER_ERROR_STATUS = 500
"""From this HTTP status on, the failure is SQS's."""

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

NO_QUEUE = "NonExistentQueue"
"""In the code of an error about a queue that this account and region do not have."""

# Either the request failed before SQS stored it, or the answer failed after. In both cases it is
# safe to send again, since the messages keep their bytes and their increments their identity.
PASSING_ERRORS = (
    boto.ConnectionError,
    boto.CredentialRetrievalError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    ResponseParserError,
)


@dataclass(frozen=True, kw_only=True)
class Pacer:
    """Time and chance for the sending; tests pass in their own.

    Attributes:
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        random: uniform in [0, 1).
        patience_s: no attempt of a request begins later than this after its first, 0 to
            MAX_PATIENCE_S seconds. In a Lambda, set it shorter than what is left of the function's
            time.
        attempt_s: how long SQS may be silent in one attempt, and a connection may take, with our
            own client; MIN_ATTEMPT_S to MAX_ATTEMPT_S seconds. Keep it well below `patience_s`: if
            SQS has left a connection, there must be time for an attempt on a new one.
        wall: the time of day, in seconds since the epoch: it goes on while a machine is frozen.

    Raises:
        ArgumentError: `patience_s` or `attempt_s` is out of its span.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    patience_s: float = MAX_SENDING_S
    attempt_s: float = READ_TIMEOUT_S
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Check the spans now: publish() would fail, or a thread that nobody sees."""
        check_number("patience_s", self.patience_s, 0.0, MAX_PATIENCE_S)
        check_number("attempt_s", self.attempt_s, MIN_ATTEMPT_S, MAX_ATTEMPT_S)


@dataclass(frozen=True)
class Stats:
    """What a publisher has done so far in this process.

    Attributes:
        published: increments taken by publish().
        confirmed: increments that SQS confirmed.
        unsent: increments given up.
        messages: messages that SQS confirmed.
        requests: requests sent, repeats included.
        retries: the repeats among them.
        trying_s: for how long the present request has been tried, in seconds; 0 if there is none.
        trouble: why the last attempt of that request failed; empty if none has failed.
    """

    published: int = 0
    confirmed: int = 0
    unsent: int = 0
    messages: int = 0
    requests: int = 0
    retries: int = 0
    trying_s: float = 0.0
    trouble: str = ""


class Failure(NamedTuple):
    """A message that was not confirmed, and why."""

    message: Message
    reason: str


class RequestOutcome(NamedTuple):
    """Which messages of a request SQS has not confirmed; it has confirmed the others.

    Attributes:
        refused: those that SQS found faulty.
        unsettled: those for which SQS gave no final answer within the limits; it may have stored
            some.
        is_answered: whether SQS's last answer was about each message, not the whole request.
    """

    refused: list[Failure]
    unsettled: list[Failure]
    is_answered: bool


NOTHING_SENT = RequestOutcome([], [], is_answered=True)
"""The outcome if no message of a request is worth a try."""


class _Answer(NamedTuple):
    """What one attempt said of its entries, by Id; `otherwise` is the reason for all others.

    No repeat changes what is `refused`; `passes` tells whether a repeat may settle the others.
    """

    otherwise: str
    passes: bool = True
    is_answered: bool = False
    confirmed: frozenset[str] = frozenset()
    refused: Mapping[str, str] = MappingProxyType({})


class Sender:
    """Sends requests one after the other, and counts them.

    Attributes:
        requests: requests sent, repeats included.
        retries: the repeats among them.
    """

    def __init__(
        self,
        queue_url: str,
        pacer: Pacer,
        client: SqsClient | None = None,
        *,
        trace_header: Callable[[], str] = tracing.trace_header,
    ) -> None:
        """Nothing is opened yet; see `Connection`.

        `trace_header` tells the trace that a request belongs to. It is called once, when the
        request is first sent, so that repeats carry the same trace.
        """
        self.requests = self.retries = 0
        self._queue_url = queue_url
        self._pacer = pacer
        self._trace_header = trace_header
        self._connection = Connection(
            queue_url, attempt_s=pacer.attempt_s, wall=pacer.wall, client=client
        )
        self._trying: tuple[float, str] | None = None  # since when, and its last failure

    def close(self) -> None:
        """Close the client, if it was made here."""
        self._connection.close()

    def send(self, messages: Sequence[Message]) -> RequestOutcome:
        """Send a request until each message is confirmed or refused, or the limits end."""
        try:
            return self._send(messages)
        finally:
            self._trying = None

    def trying(self) -> tuple[float, str]:
        """How long the present request has been tried, and its last failure; from any thread."""
        trying = self._trying
        return (self._pacer.clock() - trying[0], trying[1]) if trying else (0.0, "")

    def _send(self, messages: Sequence[Message]) -> RequestOutcome:
        trace = self._trace_header()
        entries = [message.entry(position, trace) for position, message in enumerate(messages)]
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
        return RequestOutcome(refused, unsettled, answer.is_answered)

    def _wait(self, repeat: int, started_at: float) -> bool:
        """Wait before this repeat; returns whether there is time for it."""
        pause_s = self._pacer.random() * min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**repeat)
        if self._pacer.clock() + pause_s > started_at + self._pacer.patience_s:
            return False
        self._pacer.sleep(pause_s)
        self.retries += 1
        return True

    def _settle(self, waiting: dict[str, Message], answer: _Answer) -> list[Failure]:
        """Take out of `waiting` what was confirmed or refused; returns what was refused."""
        for entry_id in answer.confirmed & waiting.keys():
            del waiting[entry_id]
        refused = [entry_id for entry_id in waiting if entry_id in answer.refused]
        return [Failure(waiting.pop(entry_id), answer.refused[entry_id]) for entry_id in refused]

    def _attempt(self, entries: list[dict[str, Any]]) -> _Answer:
        try:
            client = self._connection.opened()
        except aws.CONNECT_ERRORS as error:
            return _Answer(aws.described(error), passes=False)
        self.requests += 1
        try:
            response = client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        except (*aws.AWS_ERRORS, ResponseParserError) as error:
            passes = self._connection.renews(error) or _is_passing(error)
            reason = aws.described(error)
            if NO_QUEUE in reason:  # most often a slip in the URL, so show it
                reason = f"{reason}: {self._queue_url}"
            return _Answer(reason, passes=passes)
        self._connection.check_clock(response)
        return _read(response)


class Outage:
    """Learns from failed requests, while somebody waits, which messages are not worth a try.

    Without it, each request would be tried for the whole patience. On a FIFO queue there may be
    thousands of requests, because each counter has its own messages.
    """

    def __init__(self) -> None:
        self._groups: set[str] = set()
        self._vain_requests = 0

    def covers(self, message: Message) -> bool:
        """Whether a message comes after an unsettled one of the same FIFO group."""
        return message.group in self._groups

    def is_away(self, tried: Sequence[Message], outcome: RequestOutcome) -> bool:
        """Learn from a request's tried messages; returns whether the next request is of no use.

        If so, the caller gives up all that waits; messages published later are tried again.
        """
        if not tried:
            return False
        self._groups |= {failure.message.group for failure in outcome.unsettled} - {""}
        if len(outcome.unsettled) < len(tried):
            self._vain_requests = 0
        else:
            self._vain_requests += 1 if outcome.is_answered else MAX_VAIN_REQUESTS
        if self._vain_requests < MAX_VAIN_REQUESTS:
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Nobody waits any longer: try all that comes next."""
        self._groups.clear()
        self._vain_requests = 0


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


def _is_passing(error: Exception) -> bool:
    """Whether an error about a whole request may pass."""
    if not isinstance(error, boto.ClientError):
        return isinstance(error, PASSING_ERRORS)
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= SERVER_ERROR_STATUS or _passes(code)


def _passes(code: str) -> bool:
    """Whether a code's failure may pass; some codes come as `AWS.SimpleQueueService.Code`."""
    return code.rpartition(".")[2] in PASSING_CODES
