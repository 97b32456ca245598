"""A dead-letter queue: found, looked at by receiving, redriven, purged, and given back."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tally.aws import AWS_ERRORS, described
from tally.cli.dlq.letters import Choice, Judge, Letter, read
from tally.publishing.packing import MAX_ENTRIES, MAX_REQUEST_BYTES
from tally.tracing import system_attributes

HOLD_S = 120
"""How long a message is hidden while it is looked at; usually it is given back earlier."""

USE_S = HOLD_S - 10
"""How long a handle may be used; the rest of the hold is for the call. After the hold somebody else
may have the message, and SQS may confirm a deletion that it does not make."""

POLL_S = 1
"""A long poll, in seconds: SQS then asks all its servers, and empty means empty."""

MAX_RECEIVES = 10_000
"""The most receives of a command that holds its letters; SQS lets at least 20,000 messages of a
queue be in flight."""

MAX_REDRIVEN = 1_000_000
"""The most letters, and receives, of one redrive; it holds none, since it deletes what it sent."""

MAX_STALE_RECEIVES = 1_000
"""After so many receives in a row without a new letter the looking ends: held letters come again
after HOLD_S, and on a large queue it would go on for ever."""

Failures = dict[str, str]
"""The reason for each message, by id, whose call failed."""


class WrongQueueError(Exception):
    """A queue cannot be found, or is not what it must be."""


@dataclasses.dataclass
class Handling:
    """What one command does with the letters that it chooses, and what became of them so far.

    Attributes:
        expected: how many letters SQS says there are.
        looked_at: how many were received.
        taken: how many of them passed the filters.
        chosen: those, in the order in which they came; a redrive does not keep them.
        anonymous: how many of them a redrive left, since they have no identity of their own.
        sent: how many of them their queue has confirmed.
        deleted: how many of them are confirmed as deleted.
        unsent: why letters were not confirmed, by id; SQS may have stored some of them.
        undeleted: why letters are still in the dead-letter queue, by id.
    """

    queue: "DeadLetterQueue"
    choice: Choice
    judge: Judge
    expected: int
    looked_at: int = 0
    taken: int = 0
    chosen: list[Letter] = dataclasses.field(default_factory=list)
    anonymous: int = 0
    sent: int = 0
    deleted: int = 0
    unsent: Failures = dataclasses.field(default_factory=dict)
    undeleted: Failures = dataclasses.field(default_factory=dict)

    def look(self) -> None:
        """Look at all letters, until as many are chosen as the limit allows."""
        for page in self.pages():
            self.chosen += page

    def pages(self, max_receives: int = MAX_RECEIVES) -> Iterator[list[Letter]]:
        """Look at page after page; yields what passes the filters, until the limit is reached."""
        for page in self.queue.pages(self.expected, max_receives):
            self.looked_at += len(page)
            room = self.choice.limit - self.taken
            chosen = [letter for letter in self.judge(page) if self.choice.takes(letter)][:room]
            self.taken += len(chosen)
            yield chosen
            if self.taken == self.choice.limit:
                return

    def redrive(self, target_url: str, *, include_anonymous: bool) -> Iterator[int]:
        """Send what is chosen to its queue, then delete it, by pages; yields how many were sent.

        In this order nothing is ever lost: a letter that fails in between is in both queues, and
        its increments are known by their identity.
        """
        for page in self.pages(MAX_REDRIVEN):
            ready = [letter for letter in page if include_anonymous or not letter.is_anonymous]
            self.anonymous += len(page) - len(ready)
            unsent = self.queue.send(target_url, ready)
            sent = [letter for letter in ready if letter.id not in unsent]
            self.sent += len(sent)
            self.unsent |= unsent
            self._delete(sent)
            yield self.sent

    def purge(self) -> None:
        """Delete the chosen letters, by their handles; letters that were not looked at stay."""
        self._delete(self.chosen)

    def _delete(self, letters: Sequence[Letter]) -> None:
        undeleted = self.queue.delete(letters)
        self.deleted += len(letters) - len(undeleted)
        self.undeleted |= undeleted


class _Handle(NamedTuple):
    """The handle that deletes a held message, until the clock says `ends_at_s`."""

    receipt: str
    ends_at_s: float


class DeadLetterQueue:
    """Messages received once each, and held until they are deleted or given back.

    A receive raises a message's receive count, which means nothing in a dead-letter queue.
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
        """How many messages are visible, and how many somebody holds, as SQS estimates."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        visible, held = (int(answer["Attributes"][name]) for name in names)
        return visible, held

    def source(self, given: str) -> str:
        """The queue that the letters go back to: the one given, or the only source there is.

        WrongQueueError if there are none or several, or the given queue's dead letters are not
        here.
        """
        if not given:
            urls = _sources(self._client, self.url)
            if len(urls) == 1:
                return urls[0]
            problem = f"{self.url} is the dead-letter queue of {len(urls)}; give --source-url"
            raise WrongQueueError(problem)
        answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        if dead_letter_arn(self._client, given) != answer["Attributes"]["QueueArn"]:
            problem = f"{self.url} is not the dead-letter queue of {given}"
            raise WrongQueueError(problem)
        return given

    def pages(self, expected: int, max_receives: int = MAX_RECEIVES) -> Iterator[list[Letter]]:
        """New letters as they come, at most ten at once, until a receive is empty.

        Of a FIFO group SQS shows the first ten, and the next ones when those are deleted. Once
        `expected` letters have come, it does not wait for more.
        """
        stale = 0
        for _ in range(max_receives):
            ends_at_s = self._clock() + USE_S
            answer = self._receive(POLL_S if len(self._seen) < expected else 0)
            if not answer:
                return
            if letters := self._new(answer, ends_at_s):
                stale = 0
                yield letters
            else:
                stale += 1
                if stale == MAX_STALE_RECEIVES:
                    return

    def send(self, url: str, letters: Sequence[Letter]) -> Failures:
        """Send letters to their queue anew; returns those that SQS has not confirmed.

        SQS may have stored some of these: an answer can be lost. On a FIFO queue each has a
        request of its own, and after the first failure of a group its others are not sent, so that
        their order stays.
        """
        is_fifo = url.endswith(".fifo")
        failures: Failures = {}
        failed_groups: set[str] = set()
        for batch in _requests(letters, 1 if is_fifo else MAX_ENTRIES):
            if is_fifo and batch[0].group in failed_groups:
                failures[batch[0].id] = "an earlier message of its group failed"
                continue
            entries = [_entry(letter, is_fifo=is_fifo) for letter in batch]
            ids = [letter.id for letter in batch]
            failed = _asked(self._client.send_message_batch, url, ids, entries)
            failed_groups |= {letter.group for letter in batch if letter.id in failed}
            failures |= failed
        return failures

    def delete(self, letters: Sequence[Letter]) -> Failures:
        """Delete held letters; returns those whose deletion SQS has not confirmed.

        A letter received too long ago is not deleted: it is not held any more.
        """
        ids = [letter.id for letter in letters]
        return self._release(self._client.delete_message_batch, ids)

    def give_back(self) -> bool:
        """Make all held letters visible; returns whether it succeeded; else the hold must end."""
        held = [letter_id for letter_id in self._handles if self._holds(letter_id)]
        call = self._client.change_message_visibility_batch
        return not self._release(call, held, VisibilityTimeout=0)

    def _release(
        self,
        call: Any,  # noqa: ANN401 (a method of boto3's)
        ids: Sequence[str],
        **settings: int,
    ) -> Failures:
        """Make a call for messages by their handles; confirmed ones are not held any more."""
        failures: Failures = {}
        for start in range(0, len(ids), MAX_ENTRIES):
            batch = ids[start : start + MAX_ENTRIES]
            held = [letter_id for letter_id in batch if self._holds(letter_id)]
            let_go = [letter_id for letter_id in batch if letter_id not in held]
            failures |= dict.fromkeys(let_go, f"it was held for {USE_S} s: look again")
            receipts = [self._handles[letter_id].receipt for letter_id in held]
            entries = [{"ReceiptHandle": receipt, **settings} for receipt in receipts]
            failed = _asked(call, self.url, held, entries)
            for letter_id in held:
                if letter_id not in failed:
                    del self._handles[letter_id]
            failures |= failed
        return failures

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
        """Hold what was received; if a message comes again, its latest handle counts."""
        self._handles |= {
            one["MessageId"]: _Handle(one["ReceiptHandle"], ends_at_s) for one in messages
        }
        new = {one["MessageId"]: one for one in messages if one["MessageId"] not in self._seen}
        self._seen |= new.keys()
        return [read(one) for one in new.values()]


def locate(client: Any, queue_url: str, source_url: str) -> str:  # noqa: ANN401 (boto3's)
    """The URL of the dead-letter queue: the one given, or that of the source's redrive policy.

    A given queue must be a dead-letter queue: else `purge` would delete what is to be counted.
    WrongQueueError if it has a dead-letter queue itself, or is that of no queue, or the source has
    none.
    """
    problem = ""
    if not queue_url:
        if arn := dead_letter_arn(client, source_url):
            return url_of(client, arn)
        problem = f"{source_url} has no dead-letter queue"
    elif dead_letter_arn(client, queue_url):
        problem = f"{queue_url} has a dead-letter queue, and is none; give it as --source-url"
    elif not _sources(client, queue_url):
        problem = f"{queue_url} is the dead-letter queue of no queue"
    if problem:
        raise WrongQueueError(problem)
    return queue_url


def dead_letter_arn(client: Any, source_url: str) -> str:  # noqa: ANN401 (boto3's)
    """The ARN in a queue's redrive policy; empty if it has none."""
    answer = client.get_queue_attributes(QueueUrl=source_url, AttributeNames=["RedrivePolicy"])
    arn: str = redrive_policy(answer.get("Attributes", {})).get("deadLetterTargetArn", "")
    return arn


def redrive_policy(queue: Mapping[str, str]) -> Mapping[str, Any]:
    """Where a queue's dead letters go, by its attributes; empty if nowhere."""
    policy: Mapping[str, Any] = json.loads(queue.get("RedrivePolicy") or "{}")
    return policy


def url_of(client: Any, arn: str) -> str:  # noqa: ANN401 (boto3's)
    """The URL of the queue with an ARN; a dead-letter queue is always in the client's region."""
    *_, account, name = arn.split(":")
    answer = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    url: str = answer["QueueUrl"]
    return url


def _sources(client: Any, url: str) -> list[str]:  # noqa: ANN401 (boto3's)
    """The queues whose dead letters go here."""
    answer = client.list_dead_letter_source_queues(QueueUrl=url)
    urls: list[str] = answer["queueUrls"]
    return urls


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


def _entry(letter: Letter, *, is_fifo: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"MessageBody": letter.named()}
    if letter.message_attributes:
        entry["MessageAttributes"] = letter.message_attributes
    if letter.trace_header:
        entry["MessageSystemAttributes"] = system_attributes(letter.trace_header)
    if letter.group:
        entry["MessageGroupId"] = letter.group
    if is_fifo:
        # Not the producer's id: within five minutes of its first use SQS would confirm the message
        # but drop it as a duplicate, and the dead letter would be deleted. AWS's own redrive also
        # takes the message's id.
        entry["MessageDeduplicationId"] = letter.id
    return entry


def _asked(
    call: Any,  # noqa: ANN401 (a method of boto3's)
    url: str,
    ids: Sequence[str],
    entries: Sequence[Mapping[str, Any]],
) -> Failures:
    """Make a batch call with an entry for each letter; returns those not confirmed."""
    if not ids:
        return {}
    numbered = [{"Id": str(position), **entry} for position, entry in enumerate(entries)]
    try:
        answer = call(QueueUrl=url, Entries=numbered)
    except AWS_ERRORS as error:
        return dict.fromkeys(ids, described(error))
    confirmed = {int(entry["Id"]) for entry in answer.get("Successful", ())}
    codes = {int(entry["Id"]): entry["Code"] for entry in answer.get("Failed", ())}
    return {
        letter_id: codes.get(position, "SQS's answer does not mention it")
        for position, letter_id in enumerate(ids)
        if position not in confirmed
    }
