"""An outbox as the tests of its life have it: on a fake time, and sending only when told to."""

import threading

from tally.counters.event import Increment
from tally.publishing.outbox import Outbox
from tally.publishing.packing import to_json
from tally.publishing.sending import Sender
from tests.support.clock import Clock
from tests.support.sqs import NEVER_S, NOW_MS, QUEUE_URL, client_error

DENIED = client_error("AccessDenied", 403)


def no_thread(_start, _arguments):
    """As Python answers once its end has begun."""
    message = "can't create new thread at interpreter shutdown"
    raise RuntimeError(message)


def outbox(sqs, clock=None, **options):
    pacer = (clock or Clock()).pacer
    sender = Sender(QUEUE_URL, pacer, sqs)
    options = {"fifo": False, "linger_s": NEVER_S, "clock": pacer.clock} | options
    return Outbox(sender, **options)


class NeverStarts(threading.Thread):
    """A thread for which there is no room."""

    def start(self):
        message = "can't start new thread"
        raise RuntimeError(message)


def part(seq=0):
    return to_json(Increment("a", source="0000000000000001", seq=seq, at=NOW_MS))


def put(one, seq=0):
    one.admit()
    one.put("a", part(seq))
