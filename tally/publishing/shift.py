"""Who sends at a time: one thread has the sender's shift, and another may relieve it."""

import threading


class Shift:
    """One thread's time as the sender.

    While it waits for SQS another may relieve it, and then it moves nothing any more.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.waits_for_sqs = False
        self.relieves = False


class RelievedError(Exception):
    """Another thread has taken over."""
