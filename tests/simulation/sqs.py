"""A peer of boto3's SQS client on virtual time, and what befalls the requests of a publisher."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from tests.simulation.books import Book, Books
from tests.simulation.faults import Fault
from tests.simulation.network import LATE_S, LATENCY_S, SLOW_S
from tests.simulation.process import Process
from tests.simulation.queue import Queue
from tests.simulation.timeline import violated
from tests.simulation.world import World

QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/000000000000/q"
MAX_ENTRIES = 10
MAX_BYTES = 1_048_576
"""Of a request: from SQS's API reference, SendMessageBatch."""

AWAY_S = 60.0
"""How long nobody answers: past the patience of sending."""

SILENCE_S = 10.0
"""What a client waits for an answer."""

LOST: tuple[Callable[[], Exception], ...] = (
    lambda: boto.EndpointConnectionError(endpoint_url=QUEUE_URL),
    lambda: boto.ConnectTimeoutError(endpoint_url=QUEUE_URL),
    lambda: boto.ReadTimeoutError(endpoint_url=QUEUE_URL),
    lambda: _refusal("ServiceUnavailable", 503),
)
"""What is told of a request that stored nothing …"""

UNANSWERED: tuple[Callable[[], Exception], ...] = (
    lambda: boto.ReadTimeoutError(endpoint_url=QUEUE_URL),
    lambda: boto.ConnectionClosedError(endpoint_url=QUEUE_URL),
    lambda: ResponseParserError("no XML"),
    lambda: _refusal("InternalFailure", 500),
)
"""… and of one that may have."""

THROTTLES = ("RequestThrottled", "ThrottlingException", "KmsThrottled")
REFUSALS = ("AccessDenied", "ExpiredToken", "AWS.SimpleQueueService.NonExistentQueue")
PASSING = ("InternalError", "RequestThrottled", "ServiceUnavailable")
FAULTY = ("InvalidMessageContents", "InvalidParameterValue")
"""Codes of an entry: of SQS's fault or throttled, and of the sender's fault."""

Entry = Mapping[str, str]


class Results(NamedTuple):
    """What a request comes to, before anything goes wrong with its answer.

    Attributes:
        stored: the entries that SQS keeps.
        answer: what it says of all of them.
    """

    stored: Sequence[Entry]
    answer: Any


class Post(NamedTuple):
    """Where all programs of a run publish."""

    world: World
    queue: Queue
    books: Books


class Sqs:
    """A program's client, whose calls wait in the turns of the program's threads."""

    def __init__(self, post: "Post", book: Book, process: Process, random: Random) -> None:
        self._world = post.world
        self._queue = post.queue
        self._books = post.books
        self._book = book
        self._process = process
        self._random = random
        self._away_until_s = 0.0

    def close(self) -> None:
        """Nothing is open."""

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Entry]) -> Any:  # noqa: N803 (boto3's names)
        """The answer to a request, or the error in its place."""
        self._check(QueueUrl, Entries)
        for entry in Entries:
            self._books.read(self._book, entry["MessageBody"])
        self._process.lives()
        world, random = self._world, self._random
        world.totals["requests to SQS"] += 1
        error = self._failing(Entries)
        if error is not None:
            world.note("SQS failed", type(error).__name__, len(Entries))
            self._process.lives()
            raise error
        slow_s = SLOW_S if world.dice.strikes(Fault.SEND_SLOW) else LATENCY_S
        self._process.sleep(random.uniform(0.0, slow_s))
        results = self._results(Entries)
        self._store(results.stored)
        self._process.sleep(random.uniform(0.0, slow_s))
        self._process.lives()
        world.note("SQS answered", results.answer)
        return results.answer

    def _failing(self, entries: Sequence[Entry]) -> Exception | None:
        """What befalls the request as a whole; None where it has an answer."""
        dice, random = self._world.dice, self._random
        if dice.strikes(Fault.SQS_AWAY):
            self._away_until_s = self._now_s + random.uniform(0.0, AWAY_S)
        is_away = self._now_s < self._away_until_s and not dice.calm
        if is_away or dice.strikes(Fault.SEND_LOST):
            self._process.sleep(random.choice((0.0, LATENCY_S, SILENCE_S)))
            return random.choice(LOST)()
        if dice.strikes(Fault.SEND_UNANSWERED):
            self._process.sleep(random.uniform(0.0, LATENCY_S))
            self._store(entries)
            self._process.sleep(random.choice((0.0, LATENCY_S, SILENCE_S)))
            return random.choice(UNANSWERED)()
        if dice.strikes(Fault.SEND_LATE):
            there_s = self._now_s + random.uniform(0.0, LATE_S)
            self._queue.expect(there_s, lambda: self._store(entries))
            self._process.sleep(random.choice((LATENCY_S, SILENCE_S)))
            return random.choice(UNANSWERED)()
        if dice.strikes(Fault.SEND_THROTTLED):
            self._process.sleep(LATENCY_S)
            return _refusal(random.choice(THROTTLES), 400)
        if dice.strikes(Fault.SEND_REFUSED):
            self._process.sleep(LATENCY_S)
            return _refusal(random.choice(REFUSALS), 403)
        return None

    def _results(self, entries: Sequence[Entry]) -> Results:
        dice, random = self._world.dice, self._random
        stored = list(entries)
        failed: list[dict[str, object]] = []
        if dice.strikes(Fault.SEND_HALVED):
            random.shuffle(stored)
            cut = random.randint(1, len(stored))
            failed = [_failure(entry, random) for entry in stored[:cut]]
            stored = stored[cut:]
        told = [{"Id": entry["Id"]} for entry in stored]
        if dice.strikes(Fault.SEND_MISTOLD):
            told, failed = self._mistold(told, failed)
        return Results(stored, {"Successful": told, "Failed": failed})

    def _mistold(
        self, told: list[dict[str, str]], failed: list[dict[str, object]]
    ) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
        """Some entries that are stored are called failed, or left out; one of nobody's is told."""
        random = self._random
        wrong = [each for each in told if random.random() < 0.5]
        kept = [each for each in told if each not in wrong]
        called = [_failure(each, random, (1.0, 0.0)) for each in wrong if random.random() < 0.5]
        if failed and random.random() < 0.5:
            failed = failed[1:]
        stranger = {"Id": f"0-{random.getrandbits(256):064x}"}
        return [*kept, stranger], [*failed, *called]

    def _store(self, entries: Sequence[Entry]) -> None:
        """SQS takes the entries: each is a message from now on."""
        for entry in entries:
            group = entry.get("MessageGroupId", "")
            self._world.totals["messages"] += 1
            self._queue.arrive(self._books.stores(entry["MessageBody"], group))

    def _check(self, queue_url: str, entries: Sequence[Entry]) -> None:
        """A request is one that SQS takes, and no two of a group go in one."""
        ids = {entry["Id"] for entry in entries}
        size = sum(len(entry["MessageBody"].encode()) for entry in entries)
        groups = [entry["MessageGroupId"] for entry in entries if "MessageGroupId" in entry]
        is_fifo = self._world.plan.fifo
        if queue_url != QUEUE_URL + ".fifo" * is_fifo or (is_fifo and len(groups) < len(entries)):
            violated(f"sent to {queue_url} with {len(groups)} groups")
        if not 0 < len(entries) <= MAX_ENTRIES or len(ids) < len(entries) or size > MAX_BYTES:
            violated(f"sent {len(entries)} entries of {len(ids)} ids and {size} bytes")
        if len(set(groups)) < len(groups):
            violated(f"sent two messages of a group at once: {groups}")

    @property
    def _now_s(self) -> float:
        return self._world.timeline.now_s


def _failure(
    entry: Entry, random: Random, weights: tuple[float, float] = (0.8, 0.2)
) -> dict[str, object]:
    """What is told of an entry that SQS has not stored, or says so."""
    is_theirs = random.choices((False, True), weights)[0]
    code = random.choice(FAULTY if is_theirs else PASSING)
    return {"Id": entry["Id"], "SenderFault": is_theirs, "Code": code}


def _refusal(code: str, status: int) -> boto.ClientError:
    """SQS's error, as boto3 raises it."""
    response: Any = {
        "Error": {"Code": code, "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(response, "SendMessageBatch")
