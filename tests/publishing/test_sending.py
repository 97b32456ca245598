"""Every way in which a request can end, and what is sent again."""

from dataclasses import replace
from typing import Any

import boto3
import botocore.exceptions as boto
import pytest
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from tally.counters.errors import ArgumentError
from tally.publishing.connection import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, connect
from tally.publishing.packing import Message
from tally.publishing.sending import (
    BACKOFF_BASE_S,
    BACKOFF_MAX_S,
    MAX_SENDING_S,
    Failure,
    Pacer,
    RequestOutcome,
    Sender,
)
from tests.support.clock import PATIENT_TRIES, Clock
from tests.support.sqs import (
    QUEUE_URL,
    QUOTED,
    FakeSqs,
    answered,
    client_error,
    failing,
    lost_after,
    lost_before,
)

CLOSED = boto.ConnectionClosedError(endpoint_url=QUEUE_URL)
PASSING = [
    CLOSED,
    boto.ConnectTimeoutError(endpoint_url=QUEUE_URL),
    boto.CredentialRetrievalError(provider="iam-role", error_msg="timed out"),
    boto.EndpointConnectionError(endpoint_url=QUEUE_URL),
    boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    boto.ReadTimeoutError(endpoint_url=QUEUE_URL),
    ResponseParserError("no JSON"),
    client_error("InternalError", 500),
    client_error("", 503),
    client_error("RequestThrottled", 403),
    client_error("AWS.SimpleQueueService.RequestThrottled", 400),
    client_error("KmsThrottled", 400),
]


CONFIRMED = RequestOutcome([], [], is_answered=True)


def messages(*parts):
    made = []
    for part in parts:
        message = Message("")
        message.add(part)
        made.append(message)
    return made


def sender(sqs, time=None):
    return Sender(QUEUE_URL, (time or Clock()).pacer, sqs)


def counts(one):
    return (one.requests, one.retries)


def test_a_request_is_confirmed_message_by_message():
    sqs = FakeSqs()
    one = sender(sqs)
    first, second = messages(b"1", b"2")
    second.add(b"3")
    assert one.send([first, second]) == CONFIRMED
    assert sqs.requests == [(QUEUE_URL, [first.entry(0), second.entry(1)])]
    assert counts(one) == (1, 0)


@pytest.mark.parametrize("error", PASSING, ids=repr)
@pytest.mark.parametrize("lost", [lost_before, lost_after])
def test_what_may_have_failed_before_or_after_it_was_stored_is_sent_again_as_it_was(lost, error):
    sqs = FakeSqs(lost(error))
    one = sender(sqs)
    assert one.send(messages(b"1", b"2")) == CONFIRMED
    assert sqs.requests[0] == sqs.requests[1]
    assert set(sqs.bodies) == {"[1]", "[2]"}
    assert counts(one) == (2, 1)


def test_a_request_on_its_way_tells_for_how_long_it_is_tried_and_why_in_vain():
    time, told = Clock(), []

    def slow(sqs, entries):
        time.now_s += 3.0
        told.append(one.trying())
        return failing(0, "InternalError", sender_fault=False)(sqs, entries)

    one = sender(FakeSqs(slow, slow), time)
    assert one.send(messages(b"1")) == CONFIRMED
    again = pytest.approx(3.0 + time.slept_s[0] + 3.0)
    assert told == [(3.0, ""), (again, "InternalError")]
    assert one.trying() == (0.0, "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AccessDenied", 403), "AccessDenied (HTTP 403)"),
        (client_error("QueueDoesNotExist", 400), "QueueDoesNotExist (HTTP 400)"),
        (boto.NoCredentialsError(), "NoCredentialsError: Unable to locate credentials"),
        (boto.ParamValidationError(report=QUOTED), "ParamValidationError"),
    ],
)
def test_a_request_that_no_repeat_will_change_is_sent_once(error, reason):
    time = Clock()
    one = sender(FakeSqs(lost_before(error)), time)
    first, second = messages(b"1", b"2")
    failures = [Failure(first, reason), Failure(second, reason)]
    assert one.send([first, second]) == RequestOutcome([], failures, is_answered=False)
    assert (counts(one), time.slept_s) == ((1, 0), [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (boto.HTTPClientError(error=f"Invalid header value {QUOTED}"), "HTTPClientError"),
        (boto.CredentialRetrievalError(provider="p", error_msg=QUOTED), "CredentialRetrievalError"),
        (ResponseParserError(QUOTED), "ResponseParserError"),
        (
            boto.ReadTimeoutError(endpoint_url="u"),
            'ReadTimeoutError: Read timeout on endpoint URL: "u"',
        ),
    ],
)
def test_of_an_error_that_may_quote_a_secret_only_the_class_is_told(error, reason):
    one = sender(FakeSqs(*[lost_before(error)] * PATIENT_TRIES))
    [message] = messages(b"1")
    assert one.send([message]) == RequestOutcome([], [Failure(message, reason)], is_answered=False)


@pytest.mark.parametrize(
    ("code", "sender_fault"), [("InternalError", False), ("RequestThrottled", True)]
)
def test_only_the_entry_that_failed_is_sent_again(code, sender_fault):
    sqs = FakeSqs(failing(1, code, sender_fault=sender_fault))
    one = sender(sqs)
    first, second, third = messages(b"1", b"2", b"3")
    assert one.send([first, second, third]) == CONFIRMED
    assert [entries for _, entries in sqs.requests] == [
        [first.entry(0), second.entry(1), third.entry(2)],
        [second.entry(1)],
    ]
    assert sqs.bodies == ["[1]", "[3]", "[2]"]
    assert counts(one) == (2, 1)


def test_an_entry_with_a_fault_of_the_sender_is_not_sent_again():
    sqs = FakeSqs(failing(0, "InvalidMessageContents", sender_fault=True))
    one = sender(sqs)
    first, second = messages(b"1", b"2")
    refused = [Failure(first, "InvalidMessageContents")]
    assert one.send([first, second]) == RequestOutcome(refused, [], is_answered=True)
    assert sqs.bodies == ["[2]"]
    assert counts(one) == (1, 0)


@pytest.mark.parametrize("answer", [{}, {"Successful": [{"Id": "0-of-another-request"}]}])
def test_an_answer_that_does_not_mention_a_message_confirms_nothing(answer):
    sqs = FakeSqs(*[answered(answer)] * PATIENT_TRIES)
    one = sender(sqs)
    [message] = messages(b"1")
    unknown = Failure(message, "SQS's answer does not mention it")
    assert one.send([message]) == RequestOutcome([], [unknown], is_answered=True)
    assert sqs.bodies == ["[1]"] * PATIENT_TRIES
    assert counts(one) == (PATIENT_TRIES, PATIENT_TRIES - 1)


def test_repeats_back_off_with_full_jitter_until_patience_ends():
    time = Clock()
    one = sender(FakeSqs(*[lost_before(CLOSED)] * PATIENT_TRIES), time)
    [message] = messages(b"1")
    [failure] = one.send([message]).unsettled
    assert failure == Failure(message, f"ConnectionClosedError: {CLOSED}")
    assert time.slept_s == [
        min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2**repeat) for repeat in range(1, PATIENT_TRIES)
    ]


def test_patience_ends_in_time_and_not_in_number():
    time = Clock()
    pacer = replace(time.pacer, random=lambda: 0.5)
    one = Sender(QUEUE_URL, pacer, FakeSqs(*[lost_before(CLOSED)] * 100))
    assert len(one.send(messages(b"1")).unsettled) == 1
    assert MAX_SENDING_S - BACKOFF_MAX_S / 2 < sum(time.slept_s) <= MAX_SENDING_S
    assert counts(one) == (16, 15)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"patience_s": -1.0}, "patience_s must be 0 to 900, found -1.0"),
        ({"patience_s": 901}, "patience_s must be 0 to 900, found 901"),
        ({"patience_s": float("nan")}, "patience_s must be 0 to 900, found nan"),
        ({"patience_s": "1"}, "patience_s must be 0 to 900, found '1'"),
        ({"attempt_s": 0}, "attempt_s must be 0.1 to 60, found 0"),
        ({"attempt_s": None}, "attempt_s must be 0.1 to 60, found None"),
    ],
)
def test_a_pacer_refuses_what_a_sender_s_thread_would_fail_by(options, complaint):
    with pytest.raises(ArgumentError) as raised:
        Pacer(**options)
    assert str(raised.value) == complaint


def test_a_repeat_waits_for_what_chance_draws():
    time = Clock()
    pacer = replace(time.pacer, random=lambda: 0.25)
    one = Sender(QUEUE_URL, pacer, FakeSqs(*[lost_before(CLOSED)] * 2))
    assert one.send(messages(b"1")) == CONFIRMED
    assert time.slept_s == [0.25 * BACKOFF_BASE_S * 2, 0.25 * BACKOFF_BASE_S * 4]


def test_repeats_end_in_time():
    time = Clock()

    def slow(_sqs, _entries):
        time.now_s += READ_TIMEOUT_S
        raise CLOSED

    one = sender(FakeSqs(*[slow] * PATIENT_TRIES), time)
    assert len(one.send(messages(b"1")).unsettled) == 1
    assert counts(one) == (3, 2)
    assert sum(time.slept_s) + 2 * READ_TIMEOUT_S <= MAX_SENDING_S


def test_one_whose_own_caller_waits_is_less_patient():
    time = Clock()
    pacer = replace(time.pacer, patience_s=1.0)
    one = Sender(QUEUE_URL, pacer, FakeSqs(*[lost_before(CLOSED)] * PATIENT_TRIES))
    assert len(one.send(messages(b"1")).unsettled) == 1
    assert time.slept_s == [0.2, 0.4]


def test_the_pacer_is_real_unless_told_otherwise():
    pacer = Pacer()
    pacer.sleep(0)
    assert pacer.clock() <= pacer.clock()
    assert 0 <= pacer.random() < 1


def test_a_sender_leaves_a_client_to_whom_it_belongs():
    sqs = FakeSqs()
    one = sender(sqs)
    one.send(messages(b"1"))
    one.close()
    assert not sqs.is_closed


@pytest.fixture
def aws(monkeypatch):
    """An environment that no account belongs to."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.mark.usefixtures("aws")
def test_a_real_client_accepts_our_requests_and_we_its_errors():
    client = boto3.client("sqs")
    [message] = messages(b"1")
    entry = message.entry(0)
    answer = {
        "Successful": [{"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": ""}],
        "Failed": [],
    }
    with Stubber(client) as stubber:
        expected = {"QueueUrl": QUEUE_URL, "Entries": [entry]}
        stubber.add_client_error(
            "send_message_batch", "RequestThrottled", http_status_code=403, expected_params=expected
        )
        stubber.add_response("send_message_batch", answer, expected)
        one = sender(client)
        assert one.send([message]) == CONFIRMED
        stubber.assert_no_pending_responses()
    assert counts(one) == (2, 1)


@pytest.mark.usefixtures("aws")
def test_our_client_is_bounded_in_time_and_leaves_repeats_to_us():
    client: Any = connect(QUEUE_URL)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    assert config.retries["total_max_attempts"] == 1
    assert client.meta.region_name == "eu-west-1"
    client.close()
    client = connect(QUEUE_URL, attempt_s=2.0)
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (2.0, 2.0)
    client.close()
