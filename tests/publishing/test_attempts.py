"""How often a request is sent where chance makes every pause short."""

from dataclasses import replace

from tally.publishing.packing import Message
from tally.publishing.sending import MAX_ATTEMPTS, Sender
from tests.publishing.boxes import part
from tests.support.clock import Clock
from tests.support.sqs import QUEUE_URL, FakeSqs, client_error, lost_before

AWAY = client_error("ServiceUnavailable", 503)


def test_the_attempts_of_a_request_end_however_short_the_pauses_are():
    pacer = replace(Clock().pacer, random=lambda: 0.0)
    sender = Sender(QUEUE_URL, pacer, FakeSqs(*[lost_before(AWAY)] * 2 * MAX_ATTEMPTS))
    message = Message("")
    message.add(part())
    [failure] = sender.send([message]).unsettled
    assert (failure.message, failure.reason) == (message, "ServiceUnavailable (HTTP 503)")
    assert (sender.requests, sender.retries) == (MAX_ATTEMPTS, MAX_ATTEMPTS - 1)
