"""The demo's faults: deletes that are lost, and consumers that are killed in mid-batch."""

import random
import threading
from typing import TYPE_CHECKING, Any

from local.environment import Function, Invocation

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOST_SHARE = 0.05
"""The share of deletes that are lost, so that SQS delivers those messages again."""

KILL_AFTER = 0.5
"""When a batch is killed, as a part of what the consumer's last batch took: amid its writes."""


class ForgetfulSqs:
    """SQS that loses some deletes: it says nothing of them, and keeps the messages.

    Args:
        sqs: the real client, for everything else.
        seed: which are lost.
    """

    def __init__(self, sqs: "SQSClient", seed: int) -> None:
        self._sqs = sqs
        self._random = random.Random(seed)  # noqa: S311 (faults, not secrets)
        self._lock = threading.Lock()
        self.lost = 0
        self.deleted = 0

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803, ANN401 (boto3's own names and answer)
        """Delete most of the entries; which of them, nobody is told."""
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
    """A consumer that can be killed in the middle of its next batch.

    Args:
        function: the consumer, in a process of its own.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._is_doomed = threading.Event()
        self._last_s = 0.0
        self.kills = 0

    def doom(self) -> None:
        """Kill the process with SIGKILL in its next batch."""
        self._is_doomed.set()

    def invoke(self, payload: bytes) -> Invocation:
        """Invoke the consumer; a doomed one does not live to answer."""
        if not (self._is_doomed.is_set() and self._last_s):
            invocation = self._function.invoke(payload)
        else:
            executioner = threading.Timer(KILL_AFTER * self._last_s, self._function.kill)
            executioner.start()
            invocation = self._function.invoke(payload)
            executioner.join()
        if invocation.error and self._is_doomed.is_set():
            self._is_doomed.clear()
            self.kills += 1
        # A cold start would be no measure of the next batch.
        self._last_s = 0.0 if invocation.is_cold else invocation.duration_s
        return invocation

    def kill(self) -> None:
        """SIGKILL the process."""
        self._function.kill()

    def close(self) -> None:
        """End the process."""
        self._function.close()
