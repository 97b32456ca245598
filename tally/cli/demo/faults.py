"""The demo's faults: deletes that are lost, and consumers that are killed in mid-batch."""

import dataclasses
import random
import threading
from typing import TYPE_CHECKING, Any

from tally.local.lambda_.environment import Function, Invocation
from tally.local.lambda_.runtime import FunctionError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOST_SHARE = 0.05
"""The share of deletes that are lost, so that SQS delivers those messages again."""

KILL_AFTER = 0.5
"""When a batch is killed, as a part of what the consumer's last batch took: amid its writes."""

KILLED = FunctionError("Runtime.ExitError", "killed before it could answer")


class ForgetfulSqs:
    """SQS that loses some deletes: it says nothing of them, and keeps the messages.

    The seed draws which; all else is the real client's.
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
    """A consumer that can be killed in the middle of a batch.

    `dooms` are the kills that are due; whoever has the next warm batch takes one.
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
        # A cold start would be no measure of the next batch.
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
        """Invoke the consumer and kill it; one that was quicker dies before its answer is read."""
        executioner = threading.Timer(KILL_AFTER * self._last_s, self._function.kill)
        executioner.start()
        invocation = self._function.invoke(payload)
        executioner.join()
        self.kills += 1
        return dataclasses.replace(
            invocation, response=None, error=invocation.error or KILLED, output=""
        )
