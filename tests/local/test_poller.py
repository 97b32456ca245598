"""A poller when SQS fails, and when a batch grows too long for one invocation."""

import json
from typing import Any

import pytest

from tally.local.lambda_.event_source import (
    PAYLOAD_BYTES_MAX,
    RECORDS_END,
    RECORDS_START,
    Batching,
    Poller,
)
from tally.local.lambda_.sqs_event import sqs_record
from tests.support.clock import Clock
from tests.support.event_source import Impatient, Recorder
from tests.support.sqs import ARN, FakeSqs, client_error, failing, message, message_id

UNAVAILABLE = client_error("ServiceUnavailable", 503)
URL = "http://127.0.0.1/123456789012/queue"


@pytest.fixture
def recorder():
    function = Recorder()
    yield function
    function.close()


def poller_of(sqs: Any, function: Recorder, **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "stopping": Impatient(),
        "batching": Batching(batch_size=10, window_s=0),
    }
    return Poller(sqs, URL, function, **defaults | options)


def ids(*numbers):
    return [message_id(number) for number in numbers]


def test_an_event_is_at_most_6_mib_and_the_rest_is_the_next_one(recorder):
    body = "x" * 1_000_000
    sqs = FakeSqs(pages=[[message(number, body) for number in range(10)]])
    poller = poller_of(sqs, recorder)
    poller.poll_once()
    poller.poll_once()
    assert recorder.batches == [ids(*range(6)), ids(*range(6, 10))]
    assert all(len(json.dumps(event)) <= 6 * 1024 * 1024 for event in recorder.events)


def event_bytes(messages):
    """How long the event of these messages is."""
    records = [json.dumps(sqs_record(each, ARN)) for each in messages]
    return len(RECORDS_START) + len(",".join(records)) + len(RECORDS_END)


@pytest.mark.parametrize(("over", "first_batch"), [(0, 7), (1, 6)])
def test_an_event_of_6_mib_is_one_and_a_byte_more_is_the_next_ones(recorder, over, first_batch):
    messages = [message(number, "x" * 1_000_000) for number in range(6)]
    left = PAYLOAD_BYTES_MAX - event_bytes([*messages, message(6, "")])
    messages.append(message(6, "x" * (left + over)))
    assert event_bytes(messages) == PAYLOAD_BYTES_MAX + over
    poller_of(FakeSqs(pages=[messages]), recorder).poll_once()
    assert recorder.batches == [ids(*range(first_batch))]


def test_a_record_names_its_queue(recorder):
    poller_of(FakeSqs(pages=[[message(1)]]), recorder).poll_once()
    assert recorder.events[0]["Records"][0]["eventSourceARN"] == ARN


def test_a_failed_delete_is_repeated_for_what_failed(recorder):
    pages = [[message(n) for n in range(3)]]
    sqs = FakeSqs(pages=pages, delete=[failing(1, "InternalError")])
    poller_of(sqs, recorder).poll_once()
    assert sqs.handles("delete") == [["handle 0", "handle 1", "handle 2"], ["handle 1"]]


def test_a_receipt_handle_that_sqs_has_forgotten_is_not_asked_for_again(recorder):
    forgotten = failing(0, "ReceiptHandleIsInvalid", sender_fault=True)
    sqs = FakeSqs(pages=[[message(0)]], delete=[forgotten])
    poller_of(sqs, recorder).poll_once()
    assert sqs.handles("delete") == [["handle 0"]]


def test_deletes_that_keep_failing_are_given_up_and_logged(recorder, caplog):
    sqs = FakeSqs(pages=[[message(0)]], delete=[UNAVAILABLE] * 3)
    delivery = poller_of(sqs, recorder).poll_once()
    assert sqs.handles("delete") == [["handle 0"]] * 3
    assert delivery.failed == set()
    assert caplog.messages == ["1 messages were not deleted, and will come back"]


def test_a_poller_survives_an_sqs_that_does_not_answer(recorder, caplog):
    stopping = Impatient()
    sqs = FakeSqs(pages=[UNAVAILABLE, [], [message(1)]])
    poller_of(sqs, recorder, stopping=stopping).run(lambda _delivery: stopping.set())
    assert recorder.batches == [ids(1)]
    assert stopping.waits == [1.0, 0.0]
    assert caplog.messages == [f"SQS did not answer, will ask again: {UNAVAILABLE}"]


class Slow(FakeSqs):
    """An SQS whose answers take so long; it notes how many messages it was asked for."""

    def __init__(self, clock, takes_s, pages):
        super().__init__(pages=pages)
        self.clock, self.takes_s = clock, takes_s
        self.wanted = []

    def receive_message(self, **options):
        self.clock.now_s += self.takes_s
        self.wanted.append(options["MaxNumberOfMessages"])
        return super().receive_message(**options)


def test_a_window_begins_with_its_first_message_and_not_with_the_wait_for_it(recorder):
    clock, pages = Clock(), [[message(number)] for number in range(4)]
    sqs = Slow(clock, 1.0, pages)
    batching = Batching(batch_size=10, window_s=1.5, poll_s=1)
    poller_of(sqs, recorder, batching=batching, clock=clock).poll_once()
    assert recorder.batches == [ids(0, 1, 2)]
    assert sqs.waits == [1, 0, 0]


def test_a_batch_is_asked_for_what_it_lacks_and_no_more(recorder):
    clock, pages = Clock(), [[message(number) for number in range(10)], [message(10)]]
    sqs = Slow(clock, 0.0, pages)
    batching = Batching(batch_size=11, window_s=1.0)
    poller_of(sqs, recorder, batching=batching, clock=clock).poll_once()
    assert (recorder.batches, sqs.wanted) == ([ids(*range(11))], [10, 1])


def test_a_poller_told_to_stop_invokes_with_what_it_has(recorder):
    stopping = Impatient()
    stopping.set()
    sqs = FakeSqs(pages=[[message(1)], [message(2)]])
    batching = Batching(window_s=60)
    poller_of(sqs, recorder, stopping=stopping, batching=batching).poll_once()
    assert recorder.batches == [ids(1)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"batch_size": 0}, "batch_size must be 1 to 10000, found 0"),
        ({"batch_size": 10_001}, "batch_size must be 1 to 10000, found 10001"),
        ({"batch_size": 11, "window_s": 0}, "a batch_size over 10 needs a window_s over 0"),
    ],
)
def test_a_batching_that_lambda_would_refuse_is_refused(options, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Batching(**options)
