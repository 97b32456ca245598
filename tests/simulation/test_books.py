"""What programs know of their publishers lets every right story pass, and names what is wrong."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.counters.event import build, encode
from tally.publishing.sending import Stats
from tests.simulation.bare import check_sum, check_swap, once_each
from tests.simulation.books import Book, Books, Flushed
from tests.simulation.facts import EPOCH_MS, NO_MAX, Fact
from tests.simulation.plan import draw
from tests.simulation.timeline import ViolationError
from tests.simulation.world import World

SOURCE = "00000000000000aa"
PUBLISHED = {"counter": "c", "amount": 2}


def increment(seq=0, **fields):
    return build({**PUBLISHED, "source": SOURCE, "seq": seq, "at": EPOCH_MS} | fields)


def body(*increments):
    return json.dumps([json.loads(encode(each)) for each in increments])


def stats(published, confirmed, unsent):
    return Stats(published=published, confirmed=confirmed, unsent=unsent)


class Story:
    """A publisher, and what happens to it."""

    def __init__(self, world):
        self.books = Books(world)
        self.book = Book(threads=2)

    def publish(self, *increments):
        for each in increments:
            self.books.answers(self.book, self.books.asks(self.book, PUBLISHED), each)

    def store(self, *increments):
        self.books.read(self.book, body(*increments))
        self.books.stores(body(*increments), "")

    def hand_over(self, *increments):
        self.books.hands_over(self.book, increments)

    def close(self, *counts, logged=0):
        self.books.closes(self.book, stats(*counts), logged=logged)


@pytest.fixture
def world():
    plan = dataclasses.replace(draw(0, "programs"), fifo=True)
    with ThreadPoolExecutor(1) as executor:
        yield World(plan, executor)


@pytest.fixture
def story(world):
    return Story(world)


def test_what_is_confirmed_handed_over_or_logged_passes(story):
    story.publish(*(increment(seq) for seq in range(4)))
    story.store(increment(0), increment(1))
    story.hand_over(increment(2))
    story.close(4, 2, 2, logged=1)
    story.books.rest({("c", 0xAA, 0), ("c", 0xAA, 1), ("c", 0xAA, 2)}, ())


def test_a_request_may_bring_what_publish_has_not_returned_yet(story):
    first, second = (story.books.asks(story.book, PUBLISHED) for _ in range(2))
    story.store(increment(0), increment(1))
    story.books.answers(story.book, first, increment(1))  # both ask for the same
    story.books.answers(story.book, second, increment(0))
    story.close(2, 2, 0)


def test_what_came_early_may_be_another_s_who_asks_for_the_same(story):
    first, second, third = (story.books.asks(story.book, PUBLISHED) for _ in range(3))
    story.store(increment(1))  # taken for the first's
    story.books.answers(story.book, first, increment(0))
    story.books.refuses(story.book, second)
    story.books.answers(story.book, third, increment(1))
    story.store(increment(0))
    story.close(2, 2, 0)


def of_one(*steps):
    """A story of one increment that was published."""
    return lambda story: [story.publish(increment()), *(step(story) for step in steps)]


WRONG = {
    "handed over more often than published: c 00000000000000aa:0": of_one(
        lambda story: story.hand_over(increment(), increment()),
        lambda story: story.close(1, 0, 1),
    ),
    "lost 1, 0 logged: c 00000000000000aa:0": of_one(lambda story: story.close(1, 1, 0)),
    "tells Stats": of_one(
        lambda story: story.hand_over(increment()), lambda story: story.close(1, 1, 0)
    ),
    "flushed at 0.5 and not stored: c 00000000000000aa:0": of_one(
        lambda story: story.book.flushed.append(Flushed(1, 0.5)),
        lambda story: setattr(story.books._world.timeline, "now_s", 0.6),
        lambda story: story.store(increment()),
        lambda story: story.close(1, 1, 0),
    ),
    "gave an identity twice": of_one(lambda story: story.publish(increment())),
    "left out seqs of c": lambda story: [
        story.publish(increment(1)),
        story.store(increment(1)),
        story.close(1, 1, 0),
    ],
    "sent what nobody published": lambda story: story.store(increment()),
    "sent {'counter': 'c', 'amount': 3": of_one(lambda story: story.store(increment(amount=3))),
    "sent ('c', 170, 0": lambda story: [
        asking := story.books.asks(story.book, PUBLISHED),
        story.store(increment()),
        story.books.answers(story.book, asking, increment(1)),
    ],
    "refused what it had sent": lambda story: [
        asking := story.books.asks(story.book, PUBLISHED),
        story.store(increment()),
        story.books.refuses(story.book, asking),
    ],
    "never decided: c 00000000000000aa:0": of_one(
        lambda story: story.store(increment()),
        lambda story: story.close(1, 1, 0),
        lambda story: story.books.rest(set(), ()),
    ),
}


@pytest.mark.parametrize("violation", WRONG)
def test_a_wrong_story_is_named(story, violation):
    with pytest.raises(ViolationError) as raised:
        WRONG[violation](story)
    assert str(raised.value).startswith(violation)


def test_messages_of_one_thread_that_overtake_each_other_in_a_group_are_named(world):
    story = Story(world)
    story.book.threads = 1
    story.publish(increment(0), increment(1))
    story.store(increment(1))
    story.store(increment(0))
    with pytest.raises(ViolationError, match=r"^sent out of order"):
        story.close(2, 2, 0)


def test_what_was_given_up_and_only_logged_may_overtake(world):
    story = Story(world)
    story.book.threads = 1
    story.publish(increment(0), increment(1))
    story.store(increment(1))
    story.store(increment(0))  # after its publisher gave it up, and was collected
    story.close(2, 1, 1, logged=1)


def fact(seq, amount=1, high=NO_MAX, reset=None):
    return Fact(seq, "c", 1, seq, EPOCH_MS, amount, -(2**63), high, reset)


def test_at_least_once_a_sum_and_a_swap_are_of_each_event_once():
    facts = once_each([fact(0), fact(1, 5), fact(0)])
    assert facts == [fact(0), fact(1, 5)]
    check_sum(6, facts, 2**63 - 1)
    check_swap(1, 2, [fact(0), fact(1, 5, high=6)], 2**63 - 1)
    check_swap(1, 9, [fact(0, reset=4), fact(1, 5)], 2**63 - 1)


@pytest.mark.parametrize(
    ("check", "violation"),
    [
        (lambda: check_sum(7, [fact(0)], 2**63 - 1), "added 7, handed over was 1"),
        (lambda: check_sum(1, [fact(0)], 100), "added without asking a bound: 1"),
        (lambda: check_sum(1, [fact(0, reset=1)], 2**63 - 1), "added without asking a bound: 1"),
        (lambda: check_swap(1, 3, [fact(0)], 9), "wrote 3 over 1, which the events make 2"),
        (lambda: check_swap(9, 10, [fact(0)], 9), "wrote 10 over 9, which the events make 9"),
    ],
)
def test_a_wrong_write_at_least_once_is_named(check, violation):
    with pytest.raises(ViolationError) as raised:
        check()
    assert str(raised.value) == violation
