"""The publisher: what is confirmed, what is raised, and who waits for whom."""

import threading
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions as boto
import pytest
from msgspec import to_builtins

from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Event, Increment
from tally.counters.identity import identity_of
from tally.publishing.errors import PublisherClosedError, UnsentError
from tally.publishing.inbox import MAX_PLACES, PLACE_BYTES
from tally.publishing.outbox import MAX_UNSENT_BYTES
from tally.publishing.packing import MAX_MESSAGE_BYTES
from tally.publishing.publisher import MAX_LINGER_S, Publisher
from tally.publishing.sending import Pacer, Stats
from tests.support.clock import PATIENT_TRIES
from tests.support.processes import wait_until
from tests.support.sqs import (
    FIFO_URL,
    NOW_MS,
    QUEUE_URL,
    FakeSqs,
    client_error,
    failing,
    lost_after,
    lost_before,
    publisher,
    stored,
)

SOURCE = "0000000000000001"
DENIED = client_error("AccessDenied", 403)
CLOSED = boto.ConnectionClosedError(endpoint_url="http://127.0.0.1")


def increment(seq, counter="a"):
    return Increment(counter, source=SOURCE, seq=seq, at=NOW_MS)


def fail_inside(one):
    with one:
        one.publish("a")
        raise ZeroDivisionError


def test_an_increment_is_returned_with_its_identity_and_arrives_as_it_was_given():
    sqs = FakeSqs()
    with publisher(sqs) as one:
        published = [
            one.publish("page:home"),
            one.publish("page:home", -2, max=10, min=-5),
            one.publish("orders", id="order-17", at=NOW_MS - 1),
            one.publish("orders", id="order-18"),
        ]
    assert published == [
        Increment("page:home", source=SOURCE, seq=0, at=NOW_MS),
        Increment("page:home", -2, 10, -5, source=SOURCE, seq=1, at=NOW_MS),
        Increment("orders", id="order-17", at=NOW_MS - 1),
        Increment("orders", id="order-18", at=NOW_MS),
    ]
    assert [event.identity for event in sqs.events] == [identity_of(one) for one in published]
    assert sqs.events[1] == Event("page:home", 1, 1, NOW_MS, -2, -5, 10)
    assert one.stats == Stats(published=4, confirmed=4, messages=1, requests=1)


def test_a_reset_has_an_identity_like_any_event():
    sqs = FakeSqs()
    with publisher(sqs) as one:
        published = [
            one.publish("a"),
            one.reset("a"),
            one.reset("a", -5),
            one.reset("a", to=7, id="midnight", at=NOW_MS - 1),
            one.reset("a", id="noon"),
        ]
    assert published == [
        increment(0),
        Increment("a", reset=0, source=SOURCE, seq=1, at=NOW_MS),
        Increment("a", reset=-5, source=SOURCE, seq=2, at=NOW_MS),
        Increment("a", reset=7, id="midnight", at=NOW_MS - 1),
        Increment("a", reset=0, id="noon", at=NOW_MS),
    ]
    assert [event.reset for event in sqs.events] == [None, 0, -5, 7, 0]
    assert [event.identity for event in sqs.events] == [identity_of(one) for one in published]


def test_what_is_published_shows_the_fields_that_it_has():
    with publisher(FakeSqs()) as one:
        published = one.publish("a", max=5, id="x", at=NOW_MS)
    assert repr(published) == f"Increment(counter='a', max=5, id='x', at={NOW_MS})"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"counter": "a", "amount": 1, "reset": 0}, "amount: excludes reset, found 1"),
        ({"counter": ""}, "counter: must not be empty, found ''"),
        ({"counter": "a", "amount": 1.5}, "amount: must be an integer, found 1.5"),
        ({"counter": "a", "amuont": 1}, "amuont: is no field of an increment, found 1"),
        ({"counter": "a", "at": 5}, "at: needs source and seq, or id, found 5"),
        ({"counter": "a", "id": ""}, "id: must not be empty, found ''"),
    ],
)
def test_a_bad_increment_is_named_and_nothing_of_it_is_published(fields, complaint):
    sqs = FakeSqs()
    with publisher(sqs) as one:
        with pytest.raises(InvalidIncrementError) as raised:
            one.publish_fields(fields)
        assert str(raised.value) == complaint
        assert one.publish("a") == increment(0)
    assert [event.identity for event in sqs.events] == [f"{SOURCE}:0:{NOW_MS}"]


def test_an_increment_that_fits_in_no_message_is_invalid_and_one_byte_less_is_sent():
    sqs = FakeSqs()
    rest = len(f'[{{"counter":"a","id":"","at":{NOW_MS}}}]')
    with publisher(sqs) as one:
        with pytest.raises(
            InvalidIncrementError, match="id: makes a message of over 1048576 bytes"
        ):
            one.publish("a", id="x" * (MAX_MESSAGE_BYTES - rest + 1), at=NOW_MS)
        one.publish("a", id="x" * (MAX_MESSAGE_BYTES - rest), at=NOW_MS)
    assert [len(body) for body in sqs.bodies] == [MAX_MESSAGE_BYTES]


def test_an_increment_goes_alone_when_it_has_lingered():
    arrived = threading.Event()

    def step(sqs, entries):
        arrived.set()
        return stored(sqs, entries)

    sqs = FakeSqs(step)
    with Publisher(QUEUE_URL, client=sqs, linger_s=0.001) as one:
        one.publish("a")
        assert arrived.wait(10)
    assert len(sqs.events) == 1


def test_a_full_request_goes_without_lingering():
    waits, arrived = threading.Event(), threading.Event()

    def clock():
        if threading.current_thread() is not threading.main_thread():
            waits.set()  # the sender has the lock, and gives it back when it is asleep
        return 0.0

    def step(sqs, entries):
        arrived.set()
        return stored(sqs, entries)

    with publisher(FakeSqs(step), pacer=Pacer(clock=clock)) as one:
        one.publish("a")
        assert waits.wait(10)
        for number in range(11):
            one.publish("a", id=f"{number:060000}")
        assert arrived.wait(10)


@pytest.mark.parametrize("linger_s", [-1, MAX_LINGER_S + 1, float("nan")])
def test_a_linger_out_of_range_is_refused(linger_s):
    with pytest.raises(ValueError, match=r"linger_s must be 0 to 60, found"):
        Publisher(QUEUE_URL, linger_s=linger_s)


def test_publishers_of_one_client_flush_only_their_own():
    sqs = FakeSqs(lost_before(DENIED))
    with publisher(sqs) as theirs, publisher(sqs) as mine:
        theirs.publish("a")
        with pytest.raises(UnsentError):
            theirs.flush()
        mine.publish("b")
        mine.flush()
        assert mine.stats.confirmed == 1
    assert not sqs.is_closed


def test_flush_confirms_all_that_was_published_and_goes_on():
    sqs = FakeSqs(lost_after(CLOSED))
    with publisher(sqs) as one:
        one.flush()
        one.publish("a")
        one.flush()
        assert one.stats == Stats(published=1, confirmed=1, messages=1, requests=2, retries=1)
        assert sqs.bodies[0] == sqs.bodies[1]
        one.publish("a")
    assert {event.identity for event in sqs.events} == {
        f"{SOURCE}:0:{NOW_MS}",
        f"{SOURCE}:1:{NOW_MS}",
    }


def test_what_was_not_confirmed_is_raised_once_and_can_be_published_again_as_it_was():
    sqs = FakeSqs(*[lost_before(CLOSED)] * PATIENT_TRIES)
    with publisher(sqs) as one:
        one.publish("a")
        one.publish("a")
        with pytest.raises(UnsentError) as raised:
            one.flush()
        assert raised.value.increments == (increment(0), increment(1))
        assert raised.value.reasons == (f"ConnectionClosedError: {CLOSED}",)
        assert one.stats == Stats(2, 0, 2, 0, PATIENT_TRIES, PATIENT_TRIES - 1)
        one.flush()
        assert [one.publish_again(unsent) for unsent in raised.value.increments] == [
            increment(0),
            increment(1),
        ]
    assert [event.identity for event in sqs.events] == [
        f"{SOURCE}:0:{NOW_MS}",
        f"{SOURCE}:1:{NOW_MS}",
    ]


def test_close_raises_only_what_was_not_confirmed_and_shows_no_text_of_aws():
    sqs = FakeSqs(failing(1, "InvalidMessageContents", sender_fault=True), lost_before(DENIED))
    one = publisher(sqs, FIFO_URL)
    one.publish("a")
    one.publish("b")
    one.publish("c")
    with pytest.raises(UnsentError) as raised:
        one.close()
    assert raised.value.increments == (increment(0, "b"),)
    assert str(raised.value) == "increments not confirmed: 1 (InvalidMessageContents)"
    assert [entry["MessageGroupId"] for entry in sqs.stored] == ["a", "c"]


def test_an_error_about_the_whole_request_shows_its_code_and_not_its_text():
    one = publisher(FakeSqs(lost_before(DENIED)))
    one.publish("a")
    with pytest.raises(UnsentError) as raised:
        one.close()
    assert str(raised.value) == "increments not confirmed: 1 (AccessDenied (HTTP 403))"
    assert raised.value.__cause__ is None


def test_a_closed_publisher_publishes_nothing():
    sqs = FakeSqs()
    one = publisher(sqs)
    one.publish("a")
    one.close()
    with pytest.raises(PublisherClosedError, match="the publisher is closed"):
        one.publish("a")
    one.flush()
    one.close()
    assert len(sqs.events) == 1


def test_an_unused_publisher_needs_no_environment():
    with Publisher(QUEUE_URL) as one:
        assert one.stats == Stats()


def test_an_exception_from_inside_is_not_masked_and_close_still_hands_over():
    one = publisher(FakeSqs(lost_before(DENIED)))
    with pytest.raises(ZeroDivisionError) as raised:
        fail_inside(one)
    assert raised.value.__notes__ == [
        "not all increments were confirmed: the publisher's close() raises them"
    ]
    with pytest.raises(UnsentError) as unsent:
        one.close()
    assert unsent.value.increments == (increment(0),)


def test_an_exception_from_inside_does_not_lose_what_was_published():
    sqs = FakeSqs()
    with pytest.raises(ZeroDivisionError) as raised:
        fail_inside(publisher(sqs))
    assert not hasattr(raised.value, "__notes__")
    assert len(sqs.events) == 1


def fill(one):
    """More than the buffer holds beside a request."""
    for number in range(150):
        one.publish("a", id=f"{number:060000}")


def full_bytes(outbox):
    """Wait until a publish() finds no room; what is buffered then."""
    assert wait_until(lambda: not outbox._inbox.has_room and bool(outbox._waiting))
    return len(outbox._inbox._items) * PLACE_BYTES


def test_publish_waits_while_the_buffer_is_full():
    buffered_bytes = []

    def until_full(sqs, entries):
        buffered_bytes.append(full_bytes(one._outboxes.get()))
        return stored(sqs, entries)

    sqs = FakeSqs(until_full)
    with publisher(sqs) as one:
        fill(one)
    assert len(sqs.events) == 150
    assert 0 <= buffered_bytes[0] - MAX_PLACES * PLACE_BYTES < 61_000


def test_close_wakes_who_waits_for_room_and_sends_what_is_in_the_buffer():
    is_full = threading.Event()

    def until_closed(sqs, entries):
        outbox = one._outboxes.get()
        full_bytes(outbox)
        is_full.set()
        assert wait_until(lambda: outbox.is_closed)
        return stored(sqs, entries)

    sqs = FakeSqs(until_closed)
    one = publisher(sqs)
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(fill, one)
        assert is_full.wait(10)
        one.close()
        assert isinstance(filling.exception(10), PublisherClosedError)
    assert 0 < len(sqs.events) == one.stats.published == one.stats.confirmed < 150


def test_publish_raises_what_was_given_up_before_it_fills_the_memory():
    one = publisher(FakeSqs(*[lost_before(DENIED)] * 5))
    for number in range(5):
        one.publish("a", id=f"{number:01000000}")
        one._outboxes.get().settle()
    with pytest.raises(UnsentError) as raised:
        one.publish("a")
    assert len(raised.value.increments) == 5
    assert sum(len(str(to_builtins(lost))) for lost in raised.value.increments) > MAX_UNSENT_BYTES
    assert one.publish("a") == increment(0)  # and what raised has spent no seq
    one.close()
    assert one.stats == Stats(published=6, confirmed=1, unsent=5, messages=1, requests=6)


def senders_beside(others):
    """The threads that send and were not there, once there are any."""

    def found():
        return [
            each
            for each in threading.enumerate()
            if each.name == "tally-publisher" and each not in others
        ]

    assert wait_until(found)
    return found()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sender_that_ends_on_a_bug_leaves_nobody_waiting_and_the_next_one_starts():
    sqs = FakeSqs(lost_before(ZeroDivisionError()))
    with publisher(sqs, FIFO_URL) as one:
        others = set(threading.enumerate())
        lost = (one.publish("a", id="1" * 60_000), one.publish("a", id="2" * 60_000))
        [thread] = senders_beside(others)
        with pytest.raises(UnsentError) as raised:
            one.flush()
        thread.join(10)
        assert raised.value.increments == lost
        assert raised.value.reasons == ("the sender ended with ZeroDivisionError",)
        one.publish("b")
    assert [event.identity for event in sqs.events] == [f"{SOURCE}:0:{NOW_MS}"]


def test_threads_publish_every_increment_once():
    sqs = FakeSqs()
    counters = ("a", "b", "c")
    with publisher(sqs, linger_s=0) as one:

        def publish_some():
            for number in range(600):
                one.publish(counters[number % 3])

        threads = [threading.Thread(target=publish_some) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    identities = [(event.source, event.counter, event.seq) for event in sqs.events]
    assert sorted(identities) == [(1, counter, seq) for counter in counters for seq in range(1_600)]
    assert one.stats.published == one.stats.confirmed == 4_800
