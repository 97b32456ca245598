"""The demo's faults: deletes that are lost, consumers that are killed, a cache that is away."""

import dataclasses
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tally.local.lambda_.environment import Function, Invocation
from tally.local.lambda_.runtime import FunctionError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOST_SHARE = 0.05
"""The share of deletes that are lost, so that SQS delivers those messages again."""

KILL_AFTER = 0.5
"""When a batch is killed, as a part of the time of the consumer's last batch: amid its writes."""

FLUSH_AT, AWAY_AT, BACK_AT, FLUSH_AGAIN_AT = 0.2, 0.4, 0.6, 0.8
"""When the cache before a table fails, as parts of the events published. The second consumer is
killed while the cache is away."""

MIN_AWAY_S = 2.0
"""How long the cache is away at least, in seconds: several batches are counted meanwhile."""

KILLED = FunctionError("Runtime.ExitError", "killed before it could answer")


class ForgetfulSqs:
    """SQS that loses some deletes: it does not report them, and keeps the messages.

    The seed draws which; all else is the real client.
    """

    def __init__(self, sqs: "SQSClient", seed: int) -> None:
        self._sqs = sqs
        self._random = random.Random(seed)  # noqa: S311 (faults, not secrets)
        self._lock = threading.Lock()
        self.lost = 0
        self.deleted = 0

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803, ANN401 (boto3's own names and answer)
        """Delete most of the entries, and do not say which."""
        kept = [entry for entry in Entries if self._is_kept()]
        answer: Any = {"Successful": [], "Failed": []}
        if kept:
            answer = self._sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=kept)
        with self._lock:
            self.lost += len(Entries) - len(kept)
            self.deleted += len(answer.get("Successful", []))
        return answer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the client has)
        return getattr(self._sqs, name)

    def _is_kept(self) -> bool:
        with self._lock:
            return self._random.random() >= LOST_SHARE


class MortalFunction:
    """A consumer that can be killed in the middle of a batch.

    `dooms` are the kills that are due; the consumer with the next warm batch takes one.
    """

    def __init__(self, function: Function, dooms: threading.Semaphore) -> None:
        self._function = function
        self._dooms = dooms
        self._last_s = 0.0
        self.kills = 0

    def invoke(self, payload: bytes) -> Invocation:
        """Invoke the consumer; a doomed one does not live to answer."""
        is_doomed = self._last_s > 0 and self._dooms.acquire(blocking=False)
        invocation = self._killed(payload) if is_doomed else self._function.invoke(payload)
        # The time of a cold start says nothing about the next batch.
        is_measure = not (is_doomed or invocation.is_cold)
        self._last_s = invocation.duration_s if is_measure else 0.0
        return invocation

    def kill(self) -> None:
        """SIGKILL the process."""
        self._function.kill()

    def close(self) -> None:
        """End the process."""
        self._function.close()

    def _killed(self, payload: bytes) -> Invocation:
        """Invoke the consumer and kill it; if it was quicker, it dies before its answer is read."""
        executioner = threading.Timer(KILL_AFTER * self._last_s, self._function.kill)
        executioner.start()
        invocation = self._function.invoke(payload)
        executioner.join()
        self.kills += 1
        return dataclasses.replace(
            invocation, response=None, error=invocation.error or KILLED, output=""
        )


class Cache(Protocol):
    """A server of its own that holds copies."""

    def flush(self) -> None:
        """Empty it."""

    def kill(self) -> None:
        """End it, with all that it holds."""

    def start(self) -> str:
        """Start it where it was."""


class FailingCache:
    """The cache before a table, which is emptied, taken down and brought back, and emptied again.

    Args:
        cache: what fails.
        wait: waits the seconds given.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        cache: Cache,
        wait: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._wait = wait
        self._clock = clock
        self._went_at = 0.0
        self._due = deque(
            (
                (FLUSH_AT, self._flush),
                (AWAY_AT, self._take_down),
                (BACK_AT, self._bring_back),
                (FLUSH_AGAIN_AT, self._flush),
            )
        )
        self.flushes = 0
        self.is_away = False
        self.away_s = 0.0

    def strike(self, published: float) -> None:
        """Do what is due when this part of the events is published; call it from one thread.

        Raises:
            ChildError: the cache does not do it.
        """
        while self._due and published >= self._due[0][0]:
            self._due.popleft()[1]()

    def _flush(self) -> None:
        self._cache.flush()
        self.flushes += 1

    def _take_down(self) -> None:
        self.is_away = True
        self._went_at = self._clock()
        self._cache.kill()

    def _bring_back(self) -> None:
        self._wait(max(0.0, self._went_at + MIN_AWAY_S - self._clock()))
        self._cache.start()
        self.away_s = self._clock() - self._went_at
        self.is_away = False
