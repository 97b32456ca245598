"""The dead-letter queue: looked at by receiving, given back, deleted from, sent on."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tally.aws import AWS_ERRORS, described
from tally.cli.dlq.letter import Letter, read
from tally.publishing.packing import MAX_ENTRIES, MAX_REQUEST_BYTES

HOLD_S = 120
"""How long a message is hidden while it is looked at; it is given back before, if all goes well."""

USE_S = HOLD_S - 10
"""How long a handle deletes or gives back; the rest is for the call. Past the hold somebody else
may have the message, and SQS may confirm a deletion that it does not make."""

POLL_S = 1
"""A long poll, in seconds: SQS then asks all its servers, and empty means empty."""

MAX_RECEIVES = 10_000
"""The most receives of one command; SQS keeps at least 20,000 messages of a queue in flight."""

Failures = dict[str, str]
"""The messages for which a call did not succeed, by id, and why."""


class _Handle(NamedTuple):
    """What a held message is deleted by, until the clock says `ends_at_s`."""

    receipt: str
    ends_at_s: float


class DeadLetterQueue:
    """Messages received once each, and held until they are deleted or given back.

    A receive raises a message's receive count, which means nothing in a dead-letter queue.

    Args:
        client: boto3's SQS client.
        url: the dead-letter queue.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 (boto3's)
        url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._client = client
        self._clock = clock
        self._handles: dict[str, _Handle] = {}
        self._seen: set[str] = set()

    def depth(self) -> tuple[int, int]:
        """How many messages are visible, and how many somebody holds; SQS says approximately."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        visible, held = (int(answer["Attributes"][name]) for name in names)
        return visible, held

    def pages(self, expected: int) -> Iterator[list[Letter]]:
        """New letters as they come, at most ten at once, until a receive brings none at all.

        Of a FIFO group SQS shows the first ten, and the next when those are deleted.

        Args:
            expected: how many are there; to wait for more than these would be in vain.
        """
        for _ in range(MAX_RECEIVES):
            ends_at_s = self._clock() + USE_S
            answer = self._receive(POLL_S if len(self._seen) < expected else 0)
            if not answer:
                return
            if letters := self._new(answer, ends_at_s):
                yield letters

    def give_back(self) -> bool:
        """Make all visible that is still held; whether that succeeded. If not, HOLD_S does it."""
        handles = [one.receipt for name, one in self._handles.items() if self._holds(name)]
        self._handles.clear()
        is_done = True
        for start in range(0, len(handles), MAX_ENTRIES):
            entries = [
                {"Id": str(position), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for position, handle in enumerate(handles[start : start + MAX_ENTRIES])
            ]
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self.url, Entries=entries
                )
            except AWS_ERRORS:
                is_done = False
            else:
                is_done = is_done and not answer.get("Failed")
        return is_done

    def delete(self, letters: Sequence[Letter]) -> Failures:
        """Delete held letters; returns those of which SQS has not confirmed it.

        What was looked at too long ago is not deleted: it is not held any more.
        """
        failures: Failures = {}
        for start in range(0, len(letters), MAX_ENTRIES):
            batch = letters[start : start + MAX_ENTRIES]
            held = [letter for letter in batch if self._holds(letter.id)]
            let_go = (letter.id for letter in batch if letter not in held)
            failures |= dict.fromkeys(let_go, f"it was held for {USE_S} s: look again")
            if held:
                failures |= self._delete(held)
        return failures

    def _delete(self, letters: Sequence[Letter]) -> Failures:
        entries = [
            {"Id": str(position), "ReceiptHandle": self._handles[letter.id].receipt}
            for position, letter in enumerate(letters)
        ]
        failed = _asked(self._client.delete_message_batch, self.url, entries, letters)
        for letter in letters:
            if letter.id not in failed:
                del self._handles[letter.id]
        return failed

    def _holds(self, letter_id: str) -> bool:
        return self._clock() < self._handles[letter_id].ends_at_s

    def _receive(self, wait_s: int) -> list[Mapping[str, Any]]:
        answer = self._client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=MAX_ENTRIES,
            VisibilityTimeout=HOLD_S,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Mapping[str, Any]] = answer.get("Messages", [])
        return messages

    def _new(self, messages: Sequence[Mapping[str, Any]], ends_at_s: float) -> list[Letter]:
        """Hold what was received; of a message that comes again, its latest handle counts."""
        self._handles |= {
            one["MessageId"]: _Handle(one["ReceiptHandle"], ends_at_s) for one in messages
        }
        new = {one["MessageId"]: one for one in messages if one["MessageId"] not in self._seen}
        self._seen |= new.keys()
        return [read(one) for one in new.values()]


def send(client: Any, url: str, letters: Sequence[Letter]) -> Failures:  # noqa: ANN401 (boto3's)
    """Send letters to their queue anew; returns those that SQS has not confirmed.

    It may have stored some of these: an answer can be lost. On a FIFO queue each goes in a request
    of its own, and the first failure of a group keeps back its others, so that their order stays.
    """
    is_fifo = url.endswith(".fifo")
    failures: Failures = {}
    failed_groups: set[str] = set()
    for batch in _requests(letters, 1 if is_fifo else MAX_ENTRIES):
        if is_fifo and batch[0].group in failed_groups:
            failures[batch[0].id] = "an earlier message of its group failed"
            continue
        entries = [_entry(position, letter, is_fifo) for position, letter in enumerate(batch)]
        failed = _asked(client.send_message_batch, url, entries, batch)
        failed_groups |= {letter.group for letter in batch if letter.id in failed}
        failures |= failed
    return failures


def _entry(position: int, letter: Letter, is_fifo: bool) -> dict[str, Any]:  # noqa: FBT001 (of the queue)
    entry: dict[str, Any] = {"Id": str(position), "MessageBody": letter.named()}
    if letter.message_attributes:
        entry["MessageAttributes"] = letter.message_attributes
    if letter.group:
        entry["MessageGroupId"] = letter.group
    if is_fifo:
        # Not the producer's: within five minutes of its first use SQS would confirm the message,
        # drop it as a duplicate, and the dead letter would be deleted. AWS's own redrive takes the
        # message's id as well.
        entry["MessageDeduplicationId"] = letter.id
    return entry


def _requests(letters: Sequence[Letter], most: int) -> Iterator[list[Letter]]:
    """The letters in batches that one request can carry."""
    batch: list[Letter] = []
    size = 0
    for letter in letters:
        length = _size(letter)
        if batch and (len(batch) == most or size + length > MAX_REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += length
    if batch:
        yield batch


def _size(letter: Letter) -> int:
    """The bytes that SQS counts: of the body, and of the attributes' names, types and values."""
    size = len(letter.named().encode())
    for name, value in letter.message_attributes.items():
        content = value.get("BinaryValue", b"") or value.get("StringValue", "").encode()
        size += len(name.encode()) + len(value["DataType"].encode()) + len(content)
    return size


def _asked(
    call: Any,  # noqa: ANN401 (a method of boto3's)
    url: str,
    entries: Sequence[Mapping[str, Any]],
    letters: Sequence[Letter],
) -> Failures:
    """Make a batch call; returns what its answer does not confirm, by the letter's id."""
    try:
        answer = call(QueueUrl=url, Entries=entries)
    except AWS_ERRORS as error:
        return dict.fromkeys((letter.id for letter in letters), described(error))
    confirmed = {int(entry["Id"]) for entry in answer.get("Successful", ())}
    codes = {int(entry["Id"]): entry["Code"] for entry in answer.get("Failed", ())}
    return {
        letter.id: codes.get(position, "SQS's answer does not mention it")
        for position, letter in enumerate(letters)
        if position not in confirmed
    }
