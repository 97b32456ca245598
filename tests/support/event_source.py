"""Peers of what an event source mapping reaches out to: a function and a wait."""

import threading
from typing import Any

from tests.support.in_process import InProcess


class Impatient(threading.Event):
    """A stop signal whose waits are over at once, and remembered."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return self.is_set()


class Recorder(InProcess):
    """A function in this process that keeps its events, and answers what it is told to."""

    def __init__(self, answer=lambda _event: None):
        super().__init__(self._record)
        self._answer = answer
        self.events: list[Any] = []

    def _record(self, event, _context):
        self.events.append(event)
        return self._answer(event)

    @property
    def batches(self):
        return [[record["messageId"] for record in event["Records"]] for event in self.events]

    @property
    def bodies(self):
        return [record["body"] for event in self.events for record in event["Records"]]
