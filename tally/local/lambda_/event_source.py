"""Lambda's event source mapping: gathers SQS batches, invokes functions, deletes what succeeded."""

import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tally.local.lambda_.environment import Function, Invocation
from tally.local.lambda_.sqs_event import failed_messages, sqs_record
from tally.local.sqs.aws import queue_arn
from tally.publishing.packing import MAX_ENTRIES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH_MESSAGES_MAX = 10_000
"""How many messages Lambda hands to one invocation."""

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
"""How long the event of one invocation may be."""

FIFO_BATCH_MESSAGES_MAX = 10
"""How many messages of a FIFO queue Lambda hands to one invocation."""

RECORDS_START, COMMA, RECORDS_END = b'{"Records":[', b",", b"]}"

IDLE_WAIT_S = 0.05
"""How long a batch that still gathers waits after an empty receive, in seconds."""

ERROR_WAIT_S = 1.0
"""How long a poller waits when SQS does not answer, in seconds."""

DELETE_ATTEMPTS_MAX = 3
"""How often a delete is tried; what is left after that comes back, which is harmless."""

DELETE_WAIT_S = 0.2
"""How much longer each further attempt waits before it deletes, in seconds."""

KILL_TIMEOUT_S = 5.0
"""How long a poller may take to end after its function was killed, in seconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batching:
    """How a batch is gathered, in Lambda's terms; times in seconds.

    Attributes:
        batch_size: how many messages at most make a batch, 1 to 10,000 (FIFO: 10).
        window_s: how long a batch waits for more after its first message; 0 is one receive.
        poll_s: the long poll for the first message, 0 to 20; `stop` takes up to this long.
    """

    batch_size: int = 1_000
    window_s: float = 1.0
    poll_s: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= BATCH_MESSAGES_MAX:
            reason = f"batch_size must be 1 to {BATCH_MESSAGES_MAX}, found {self.batch_size}"
            raise ValueError(reason)
        if self.batch_size > MAX_ENTRIES and self.window_s <= 0:
            reason = f"a batch_size over {MAX_ENTRIES} needs a window_s over 0"
            raise ValueError(reason)


@dataclass(frozen=True)
class Delivery:
    """One batch and what came of it; `slot` is the position of its function in the mapping."""

    slot: int
    message_ids: tuple[str, ...]
    failed: frozenset[str]
    invocation: Invocation


DEFAULT_BATCHING = Batching()


class EventSourceMapping:
    """Pollers of one queue, one for each function: as many as Lambda's MaximumConcurrency.

    The caller closes the functions after `stop`, and may `kill` them at any time. `observe` is
    called with each delivery, by the poller's thread.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        functions: Sequence[Function],
        *,
        batching: Batching = DEFAULT_BATCHING,
        observe: Callable[[Delivery], object] = lambda _: None,
    ) -> None:
        if queue_url.endswith(".fifo") and batching.batch_size > FIFO_BATCH_MESSAGES_MAX:
            reason = f"a FIFO queue has batches of at most {FIFO_BATCH_MESSAGES_MAX} messages"
            raise ValueError(reason)
        self._functions = functions
        self._stopping = threading.Event()
        self.pollers = [
            Poller(sqs, queue_url, function, slot=slot, batching=batching, stopping=self._stopping)
            for slot, function in enumerate(functions)
        ]
        self._threads = [
            threading.Thread(target=poller.run, args=(observe,), name=f"poller-{poller.slot}")
            for poller in self.pollers
        ]

    @property
    def is_alive(self) -> bool:
        """Whether all pollers run."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin to poll. A mapping starts once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float, *, kill_timeout_s: float = KILL_TIMEOUT_S) -> None:
        """End all pollers: batches under way finish, and after `timeout_s` are killed.

        TimeoutError if a function survives that, as one in this process does.
        """
        self._stopping.set()
        self._join(timeout_s)
        for thread, function in zip(self._threads, self._functions, strict=True):
            if thread.is_alive():
                function.kill()
        self._join(kill_timeout_s)
        running = [thread.name for thread in self._threads if thread.is_alive()]
        if running:
            reason = f"still running: {', '.join(running)}"
            raise TimeoutError(reason)

    def _join(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))


class Poller:
    """One slot of concurrency: receives, invokes its function, deletes, one batch at a time."""

    def __init__(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
        self,
        sqs: "SQSClient",
        queue_url: str,
        function: Function,
        *,
        slot: int = 0,
        batching: Batching = DEFAULT_BATCHING,
        stopping: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slot = slot
        self._sqs = sqs
        self._queue_url = queue_url
        self._function = function
        self._batching = batching
        self._stopping = stopping or threading.Event()
        self._clock = clock
        self._carried: list[_Received] = []

    def run(self, observe: Callable[[Delivery], object]) -> None:
        """Poll until told to stop. If SQS does not answer, ask again after a while."""
        while not self._stopping.is_set():
            try:
                delivery = self.poll_once()
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    logger.warning("SQS did not answer, will ask again: %s", error)
                self._stopping.wait(ERROR_WAIT_S)
                continue
            if delivery:
                observe(delivery)

    def poll_once(self) -> Delivery | None:
        """Gather a batch, invoke the function and delete what succeeded; None: nothing came.

        BotoCoreError or ClientError if SQS does not answer a receive.
        """
        batch = self._gather()
        if not batch:
            return None
        payload = RECORDS_START + COMMA.join(message.record for message in batch) + RECORDS_END
        invocation = self._function.invoke(payload)
        message_ids = tuple(message.message_id for message in batch)
        if invocation.error or invocation.response is None:
            failed = frozenset(message_ids)
        else:
            failed = failed_messages(invocation.response, message_ids)
        self._delete([message for message in batch if message.message_id not in failed])
        return Delivery(self.slot, message_ids, failed, invocation)

    def _gather(self) -> "list[_Received]":
        batch = _Batch()
        size = self._batching.batch_size
        arrived = self._carried or self._receive(size, self._batching.poll_s)
        self._carried = batch.take(arrived)
        deadline = self._clock() + self._batching.window_s
        while (
            batch.messages
            and not self._carried
            and len(batch.messages) < size
            and not self._stopping.is_set()
            and (left_s := deadline - self._clock()) > 0
        ):
            arrived = self._receive(size - len(batch.messages), 0)
            self._carried = batch.take(arrived)
            if not arrived:
                self._stopping.wait(min(IDLE_WAIT_S, left_s))
        return batch.messages

    def _receive(self, wanted: int, poll_s: int) -> "list[_Received]":
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(MAX_ENTRIES, wanted),
            WaitTimeSeconds=poll_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [_Received(message, self._arn) for message in answer.get("Messages", [])]

    def _delete(self, messages: "Sequence[_Received]") -> None:
        for start in range(0, len(messages), MAX_ENTRIES):
            left = messages[start : start + MAX_ENTRIES]
            for attempt in range(DELETE_ATTEMPTS_MAX):
                self._stopping.wait(attempt * DELETE_WAIT_S)
                left = self._undeleted(left)
                if not left:
                    break
            else:
                logger.warning("%d messages were not deleted, and will come back", len(left))

    def _undeleted(self, messages: "Sequence[_Received]") -> "Sequence[_Received]":
        try:
            answer = self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(position), "ReceiptHandle": message.receipt_handle}
                    for position, message in enumerate(messages)
                ],
            )
        except (BotoCoreError, ClientError):
            return messages
        # A sender's fault means that SQS has forgotten the receipt handle: no repeat helps.
        failures = [one for one in answer.get("Failed", []) if not one["SenderFault"]]
        return [messages[int(failure["Id"])] for failure in failures]

    @functools.cached_property
    def _arn(self) -> str:
        return queue_arn(self._sqs, self._queue_url)


class _Received:
    """A message with its record as JSON, which is encoded once, measured, and put into an event."""

    def __init__(self, message: "MessageTypeDef", arn: str) -> None:
        self.message_id = message["MessageId"]
        self.receipt_handle = message["ReceiptHandle"]
        self.record = json.dumps(sqs_record(message, arn)).encode()


class _Batch:
    """The messages of one invocation, up to the length that its event may have."""

    def __init__(self) -> None:
        self.messages: list[_Received] = []
        self._bytes = len(RECORDS_START) + len(RECORDS_END) - len(COMMA)

    def take(self, arrived: "Sequence[_Received]") -> "list[_Received]":
        """Add messages in their order, and return those that are left for the next batch."""
        for position, message in enumerate(arrived):
            self._bytes += len(COMMA) + len(message.record)
            if self._bytes > PAYLOAD_BYTES_MAX and self.messages:
                return list(arrived[position:])
            self.messages.append(message)
        return []
