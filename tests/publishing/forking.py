"""A program that forks while its publisher has increments unsent; prints what was sent.

It is a program of its own, so that pytest's process is never forked.
"""

import os
import signal

from tally.publishing.publisher import Publisher
from tests.support.sqs import NEVER_S, QUEUE_URL, FakeSqs

CHILDREN = 3
PATIENCE_S = 20  # a process that hangs on a lock ends itself
INCREMENTS = 5


def main():
    signal.alarm(PATIENCE_S)
    sqs = FakeSqs()
    publisher = Publisher(QUEUE_URL, client=sqs, linger_s=NEVER_S)
    publisher.publish("page:home")
    publisher.flush()
    for _ in range(INCREMENTS - 1):
        publisher.publish("page:home")
    pids = [fork(publisher, sqs) for _ in range(CHILDREN)]
    finish(publisher, sqs)
    for pid in pids:
        os.waitpid(pid, 0)


def fork(publisher, sqs):
    """Start a child, which has a copy of what its parent has published and not sent."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE_S)
        sqs.stored.clear()
        for _ in range(INCREMENTS):
            publisher.publish("page:home")
        finish(publisher, sqs)
        os._exit(0)
    return pid


def finish(publisher, sqs):
    publisher.close()
    os.write(1, "".join(f"{event.identity}\n" for event in sqs.events).encode())


if __name__ == "__main__":
    main()
