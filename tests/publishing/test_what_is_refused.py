"""What publish() and Publisher refuse, by name, before anything is spent; and what they take."""

import enum
import re

import pytest

from tally import QueueUrlError
from tally.counters.errors import ArgumentError, InvalidIncrementError
from tally.counters.event import MAX_FUTURE_MS, Increment
from tally.publishing.publisher import EARLIEST_MS, Publisher, check_interpreter
from tally.publishing.sequence import Sequence
from tests.support.sqs import NOW_MS, QUEUE_URL, FakeSqs, publisher


class Markup(str):
    """Text as markupsafe and Django have it: a subclass with methods of its own."""

    __slots__ = ()

    def __str__(self):
        return f"<b>{self}</b>"


class Page(enum.StrEnum):
    HOME = "page:home"


@pytest.mark.parametrize("name", [Markup("page:home"), Page.HOME])
def test_a_text_of_a_subclass_is_the_text_that_it_is(name):
    sqs = FakeSqs()
    with publisher(sqs) as one:
        published = [one.publish(name), one.publish(name, id=name)]
        assert one.publish("page:home").seq == 1
    assert [(type(each.counter), each.counter) for each in published] == [(str, "page:home")] * 2
    assert type(published[1].id) is str
    assert [event.counter for event in sqs.events] == ["page:home"] * 3


@pytest.mark.parametrize("url", ["notaurl", "", None, "http://host/a queue", "http://host", b"x"])
def test_what_is_no_url_of_a_queue_is_named_when_a_publisher_is_made(url):
    shown = re.escape(repr(url))
    with pytest.raises(QueueUrlError, match=rf"^queue_url must be .*, found {shown}$") as raised:
        Publisher(url)
    assert isinstance(raised.value, ValueError)
    assert raised.value.url == url


@pytest.mark.parametrize("options", [{}, {"id": "x"}])
def test_a_clock_that_was_never_set_stamps_nothing(options):
    times = iter([0, EARLIEST_MS - 1, EARLIEST_MS, EARLIEST_MS])
    sequence = Sequence(clock_ms=lambda: next(times))
    with publisher(FakeSqs(), sequence=sequence) as one:
        for found in (0, EARLIEST_MS - 1):
            with pytest.raises(InvalidIncrementError) as raised:
                one.publish("a", **options)
            assert str(raised.value) == f"at: must come from a clock that is set, found {found}"
        assert one.publish("a").seq == 0


def test_a_time_that_consumers_would_refuse_is_refused():
    last = NOW_MS + MAX_FUTURE_MS
    with publisher(FakeSqs()) as one:
        with pytest.raises(InvalidIncrementError) as raised:
            one.publish("a", id="x", at=last + 1)
        assert str(raised.value) == (
            f"at: is over {MAX_FUTURE_MS} ms later than the clock's {NOW_MS}, found {last + 1}"
        )
        assert one.publish("a", id="x", at=last) == Increment("a", id="x", at=last)


def test_a_time_in_seconds_is_refused():
    with publisher(FakeSqs()) as one:
        for at in (1, NOW_MS // 1_000, EARLIEST_MS - 1):
            with pytest.raises(InvalidIncrementError) as raised:
                one.publish("a", id="x", at=at)
            assert str(raised.value) == f"at: is before 2020, counted in ms since 1970, found {at}"
        assert one.publish("a", id="x", at=EARLIEST_MS).at == EARLIEST_MS


def test_what_was_unsent_is_published_again_whatever_the_clock_says_now():
    times = iter([NOW_MS, NOW_MS])
    sequence = Sequence(clock_ms=lambda: next(times, 0))
    sqs = FakeSqs()
    with publisher(sqs, sequence=sequence) as one:
        published = one.publish("a")
        assert one.publish_again(published) == published
    assert len(sqs.events) == 2


def test_a_python_without_its_lock_is_refused():
    check_interpreter()
    with pytest.raises(RuntimeError, match="a Publisher needs a Python with its GIL"):
        check_interpreter(lambda: False)


@pytest.mark.parametrize(
    ("increment", "complaint"),
    [
        (Increment("c"), "at: is missing: this increment was never published"),
        ("c", "increment: must be an Increment, found 'c'"),
        (None, "increment: must be an Increment, found None"),
    ],
)
def test_what_was_never_published_cannot_be_published_again(increment, complaint):
    sqs = FakeSqs()
    with publisher(sqs) as one:
        with pytest.raises(InvalidIncrementError) as raised:
            one.publish_again(increment)
        assert str(raised.value) == complaint
    assert sqs.events == []


@pytest.mark.parametrize("shards", ["8", 2.0])
def test_a_number_of_shards_that_is_no_integer_is_named(shards):
    with pytest.raises(ArgumentError, match=r"^shards must be an integer from 1 to 100, found "):
        Publisher(QUEUE_URL, shards=shards)
