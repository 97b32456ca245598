"""A redrive never loses, whatever call fails: before its effect, after it, or nobody knows."""

import itertools

import pytest

from tally.cli.dlq.command import MAX_LIMIT
from tally.cli.dlq.letters import read
from tally.cli.dlq.queue import MAX_REDRIVEN, MAX_STALE_RECEIVES, DeadLetterQueue
from tests.cli.dead_letters import ANONYMOUS, NAMED, NATIVE, URL, handling
from tests.support.clock import Clock
from tests.support.sqs import (
    FIFO_URL,
    QUEUE_URL,
    QUOTED,
    FakeSqs,
    answered,
    client_error,
    failing,
    message,
    message_id,
)

LOST = client_error("ServiceUnavailable", 503)
REASON = "ServiceUnavailable (HTTP 503)"


def redriven(client, *, url=QUEUE_URL, limit=100, include_anonymous=False):
    done = handling(DeadLetterQueue(client, URL), limit=limit, expected=100)
    list(done.redrive(url, include_anonymous=include_anonymous))
    assert done.queue.give_back()
    return done


def given_back(client):
    return list(itertools.chain(*client.handles("give_back")))


def test_each_letter_is_sent_with_all_that_it_has_and_then_deleted():
    attribute = {"DataType": "String", "StringValue": "v"}
    received = {**attribute, "StringListValues": []}
    client = FakeSqs(pages=[[message(1, NATIVE, k=received), message(2, NAMED)]])
    result = redriven(client)
    bodies = [message(0, body)["Body"] for body in (NATIVE, NAMED)]
    assert client.calls == [
        (
            "send",
            [
                {"Id": "0", "MessageBody": bodies[0], "MessageAttributes": {"k": attribute}},
                {"Id": "1", "MessageBody": bodies[1]},
            ],
        ),
        (
            "delete",
            [
                {"Id": "0", "ReceiptHandle": "handle 1"},
                {"Id": "1", "ReceiptHandle": "handle 2"},
            ],
        ),
    ]
    assert (result.sent, result.deleted, result.unsent, result.undeleted) == (2, 2, {}, {})


def test_a_letter_keeps_the_trace_that_it_was_sent_in():
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    letter = message(1, NATIVE)
    letter["Attributes"]["AWSTraceHeader"] = f"{root};Sampled=1;Lineage=1:a87bd80c:0"
    client = FakeSqs(pages=[[letter]])
    redriven(client)
    [[entry]] = client.told("send")
    carried = {"DataType": "String", "StringValue": f"{root};Sampled=1"}
    assert entry["MessageSystemAttributes"] == {"AWSTraceHeader": carried}


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (LOST, REASON),
        (client_error("AccessDenied", 403), "AccessDenied (HTTP 403)"),
        (answered({}), "SQS's answer does not mention it"),
    ],
)
def test_what_sqs_does_not_confirm_is_not_deleted_and_is_given_back(step, reason):
    client = FakeSqs(step, pages=[[message(1, NATIVE), message(2, NAMED)]])
    result = redriven(client)
    assert result.unsent == {message_id(1): reason, message_id(2): reason}
    assert (result.sent, client.told("delete")) == (0, [])
    assert given_back(client) == ["handle 1", "handle 2"]
    assert QUOTED not in str(result)


def test_of_a_request_that_fails_in_part_only_what_is_confirmed_is_deleted():
    client = FakeSqs(failing(1, "InternalError"), pages=[[message(n, NATIVE) for n in (1, 2, 3)]])
    result = redriven(client)
    assert result.unsent == {message_id(2): "InternalError"}
    assert client.handles("delete") == [["handle 1", "handle 3"]]
    assert given_back(client) == ["handle 2"]


@pytest.mark.parametrize(
    ("step", "reason"), [(LOST, REASON), (failing(0, "ReceiptHandleIsInvalid"), None)]
)
def test_a_deletion_that_fails_leaves_the_letter_and_says_so(step, reason):
    client = FakeSqs(pages=[[message(1, NATIVE)]], delete=[step])
    result = redriven(client)
    assert (result.sent, result.deleted) == (1, 0)
    assert result.undeleted == {message_id(1): reason or "ReceiptHandleIsInvalid"}
    assert given_back(client) == ["handle 1"]


def test_an_anonymous_letter_is_left_unless_it_is_asked_for():
    result = redriven(client := FakeSqs(pages=[[message(1, ANONYMOUS), message(2, NATIVE)]]))
    assert (result.sent, result.anonymous, given_back(client)) == (1, 1, ["handle 1"])
    result = redriven(client := FakeSqs(pages=[[message(1, ANONYMOUS)]]), include_anonymous=True)
    [[entry]] = client.told("send")
    assert entry["MessageBody"] == read(message(1, ANONYMOUS)).named()
    assert (result.deleted, result.anonymous) == (1, 0)


def test_a_fifo_queue_gets_one_at_a_time_in_its_group_under_an_id_that_is_new():
    client = FakeSqs(pages=[[message(1, NATIVE, "g"), message(2, NAMED, "g")]])
    redriven(client, url=FIFO_URL)
    told = [
        (entry["MessageGroupId"], entry["MessageDeduplicationId"])
        for [entry] in client.told("send")
    ]
    assert told == [("g", message_id(1)), ("g", message_id(2))]


def test_the_first_failure_of_a_group_keeps_back_what_follows_it():
    page = [message(1, NATIVE, "g"), message(2, NATIVE, "h"), message(3, NATIVE, "g")]
    client = FakeSqs(LOST, pages=[page])
    result = redriven(client, url=FIFO_URL)
    assert result.unsent == {
        message_id(1): REASON,
        message_id(3): "an earlier message of its group failed",
    }
    assert [entry["MessageGroupId"] for [entry] in client.told("send")] == ["g", "h"]


def test_a_request_is_no_longer_than_sqs_takes_it():
    padding = {"DataType": "String", "StringValue": "x" * 400_000}
    client = FakeSqs(pages=[[message(number, NATIVE, k=padding) for number in range(5)]])
    assert redriven(client).deleted == 5
    assert [len(entries) for entries in client.told("send")] == [2, 2, 1]


def test_a_letter_that_comes_again_is_looked_at_once_and_known_by_its_latest_handle():
    again = {**message(1, NATIVE), "ReceiptHandle": "the latest"}
    client = FakeSqs(pages=[[message(1, "{")], [again], [message(2, "{")]])
    queue = DeadLetterQueue(client, URL)
    assert [[letter.id for letter in page] for page in queue.pages(2)] == [
        [message_id(1)],
        [message_id(2)],
    ]
    assert queue.give_back()
    assert given_back(client) == ["the latest", "handle 2"]
    assert client.waits == [1, 1, 1, 0]


def test_the_limit_ends_the_looking_and_what_is_over_it_stays():
    pages = [[message(number, NATIVE) for number in (row, row + 1)] for row in (1, 3, 5)]
    result = redriven(client := FakeSqs(pages=pages), limit=3)
    assert (result.looked_at, result.deleted) == (4, 3)
    assert given_back(client) == ["handle 4"]
    assert len(client.pages) == 1


def test_a_redrive_goes_on_beyond_what_a_command_may_hold():
    letters = MAX_LIMIT + 20
    pages = [[message(n, NATIVE) for n in range(row, row + 10)] for row in range(0, letters, 10)]
    result = redriven(FakeSqs(pages=pages), limit=MAX_REDRIVEN)
    assert (result.sent, result.deleted, result.chosen) == (letters, letters, [])


def test_a_queue_that_shows_the_same_letters_again_and_again_is_left():
    client = FakeSqs(pages=[[message(1, ANONYMOUS)]] * (2 * MAX_STALE_RECEIVES))
    result = redriven(client)
    assert (result.looked_at, result.anonymous) == (1, 1)
    assert len(client.pages) == MAX_STALE_RECEIVES - 1


@pytest.mark.parametrize("step", [LOST, failing(0, "ReceiptHandleIsInvalid")])
def test_what_cannot_be_given_back_is_told_and_keeps_back_no_other(step):
    pages = [[message(n, NATIVE) for n in range(row, row + 10)] for row in (0, 10)]
    client = FakeSqs(pages=pages, give_back=[step])
    queue = DeadLetterQueue(client, URL)
    assert [len(page) for page in queue.pages(20)] == [10, 10]
    assert not queue.give_back()
    assert [len(entries) for entries in client.told("give_back")] == [10, 10]


def test_what_was_looked_at_too_long_ago_is_neither_deleted_nor_given_back():
    client, time = FakeSqs(pages=[[message(1, "{")], [message(2, "{")]]), Clock()
    done = handling(DeadLetterQueue(client, URL, clock=lambda: time.now_s), limit=2, expected=2)
    for page in done.pages():
        done.chosen += page
        time.now_s += 60  # a person thinks it over
    done.purge()
    assert done.undeleted == {message_id(1): "it was held for 110 s: look again"}
    assert (done.deleted, client.handles("delete")) == (1, [["handle 2"]])
    assert done.queue.give_back()
    assert client.told("give_back") == []


def test_a_letter_is_held_from_when_it_was_asked_for_however_late_the_answer_comes():
    time = Clock()

    class SlowSqs(FakeSqs):
        def receive_message(self, **options):
            time.now_s += 60
            return super().receive_message(**options)

    client = SlowSqs(pages=[[message(1, "{")]])
    done = handling(DeadLetterQueue(client, URL, clock=time), limit=1, expected=1)
    done.look()
    time.now_s += 60
    done.purge()
    assert (done.deleted, client.told("delete")) == (0, [])


def test_a_purge_deletes_by_tens_only_what_was_looked_at():
    pages = [[message(n, "{") for n in range(row, row + 10)] for row in (0, 10)]
    client = FakeSqs(pages=pages, delete=[failing(3, "InternalError")])
    done = handling(DeadLetterQueue(client, URL), limit=12, expected=20)
    done.look()
    done.purge()
    assert (done.deleted, done.undeleted) == (11, {message_id(3): "InternalError"})
    assert [len(entries) for entries in client.told("delete")] == [10, 2]
