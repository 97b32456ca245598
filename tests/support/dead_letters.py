"""Dead letters for tests: messages as boto3 returns them, and a client that holds some."""

import json
from collections import deque
from typing import Any

from tally.cli.dlq.letters import Choice
from tally.cli.dlq.queue import DeadLetterQueue, Handling
from tests.support.lambda_event import SENT_AT_MS

SOURCE = "9f86d081884c7d65"
URL = "http://127.0.0.1/000000000000/dead"
NATIVE = {"counter": "n", "source": SOURCE, "seq": 1, "at": SENT_AT_MS}
NAMED = {"counter": "m", "id": "order-1", "at": SENT_AT_MS}
ANONYMOUS = {"counter": "a", "amount": 3}


def message_id(number):
    return f"{number:08d}-0000-4000-8000-000000000000"


def message(number, body, group="", **attributes) -> dict[str, Any]:
    """A message, its body as text or as what JSON can hold."""
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": "the producer's"} if group else {}
    return {
        "MessageId": message_id(number),
        "ReceiptHandle": f"handle {number}",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {"SentTimestamp": str(SENT_AT_MS), "ApproximateReceiveCount": "6", **fifo},
        **({"MessageAttributes": attributes} if attributes else {}),
    }


def handling(queue=None, *, limit=1, expected=0, **done):
    """A command's work on a queue, by default one that is not asked, without the ledgers."""
    return Handling(queue or DeadLetterQueue(None, URL), Choice(limit), list, expected, **done)


class FakeQueues:
    """A client that hands out pages of messages; first each call follows its script.

    A step of a script is an error to raise before the effect, or a function of the entries that
    returns the answer.
    """

    def __init__(self, *pages, **scripts):
        self.pages = deque(pages)
        self.scripts = {call: deque(steps) for call, steps in scripts.items()}
        self.calls = []
        self.waits = []

    def receive_message(self, *, WaitTimeSeconds, **_options):  # noqa: N803 (boto3's names)
        self.waits.append(WaitTimeSeconds)
        return {"Messages": self.pages.popleft()} if self.pages else {}

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 (boto3's names)
        return self._answer("send", Entries)

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 (boto3's names)
        return self._answer("delete", Entries)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803 (boto3's)
        return self._answer("give_back", Entries)

    def told(self, call):
        """The entries of each call of this kind."""
        return [entries for name, entries in self.calls if name == call]

    def _answer(self, call, entries):
        self.calls.append((call, entries))
        script = self.scripts.get(call)
        step = script.popleft() if script else all_of
        if isinstance(step, Exception):
            raise step
        return step(entries)


def all_of(entries):
    """Everything succeeds."""
    return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


def all_but(position, code):
    """One entry fails."""

    def step(entries):
        others = entries[:position] + entries[position + 1 :]
        return {**all_of(others), "Failed": [{"Id": str(position), "Code": code}]}

    return step


def nothing(_entries):
    """The answer mentions no entry."""
    return {}
