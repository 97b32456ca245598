"""A thread that was launched and has no room to start: who waits sends instead of it."""

import threading
from typing import Any

from tally.publishing.inbox import Bell
from tally.publishing.outbox import SIGNALS_EVERY_S
from tests.publishing.boxes import no_thread, outbox, put
from tests.support.sqs import FakeSqs


class NeverStarts(threading.Thread):
    """A thread for which there is no room."""

    def start(self):
        message = "can't start new thread"
        raise RuntimeError(message)


def test_who_waits_sends_where_the_thread_that_was_launched_cannot_start_another():
    launched: list[Any] = []

    def launch(start, arguments):
        launched.append(arguments)
        start(NeverStarts())

    sqs = FakeSqs()
    one = outbox(sqs, launch=launch)
    put(one)
    put(one, 1)
    assert len(launched) == 1  # and once more after RELAUNCH_S
    assert one.settle(iter((SIGNALS_EVERY_S, SIGNALS_EVERY_S, 0.0)).__next__)
    assert len(sqs.events) == 2


def test_who_waits_for_a_thread_that_cannot_start_is_woken_at_once():
    one, bell = outbox(FakeSqs(), launch=no_thread), Bell()
    one._waiting.append(bell)
    one._start(NeverStarts())
    assert not bell._rings.empty()
