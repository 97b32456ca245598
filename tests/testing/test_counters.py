"""`tally.testing`: what is published is counted without any process, and by the same rules."""

import itertools
import threading

import pytest

import tally.testing
from tally import ArgumentError, Outcome, ReaderClosedError, UnsentError, encode
from tally.counters.event import MAX_FUTURE_MS, Increment
from tally.publishing.publisher import MAX_LINGER_S
from tally.publishing.sequence import now_ms
from tally.testing import Counters, MemoryStore
from tests.support.clock import Clock
from tests.support.processes import wait_until

DAY_MS = 86_400_000


@pytest.fixture
def counters():
    return Counters()


def native(counter, source, at):
    return Increment(counter, source=f"{source:016x}", seq=0, at=at)


def packed(*increments):
    return f"[{','.join(encode(each).decode() for each in increments)}]"


def test_what_was_flushed_is_counted(counters):
    with counters.publisher() as publisher:
        publisher.publish("page:home", 2)
        publisher.publish("page:home")
        publisher.flush()
        assert counters.reader().count("page:home") == 3
    assert counters.reader().counts(["page:home", "other"]) == {"page:home": 3, "other": None}
    assert counters.dead_letters == []


def test_a_bound_is_kept_and_the_outcome_is_told(counters):
    with counters.publisher() as publisher:
        sold = [publisher.publish("seats", max=2) for _ in range(3)]
    reader = counters.reader()
    assert reader.count("seats") == 2
    outcomes = [reader.outcome(each) for each in sold]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.REJECTED]


def test_whatever_is_delivered_again_counts_once():
    counters = Counters(deliveries=3)
    with counters.publisher() as publisher:
        for _ in range(10):
            publisher.publish("c")
    assert counters.reader().count("c") == 10


def test_what_is_published_again_counts_once(counters):
    with counters.publisher() as publisher:
        published = publisher.publish("c")
        publisher.publish_again(published)
    assert counters.reader().count("c") == 1


def test_what_a_queue_refuses_is_told_at_once_and_counts_once_when_it_is_published_again(counters):
    clock = Clock()
    with counters.publisher(pacer=clock.pacer) as publisher:
        counters.refuses = True
        published = publisher.publish("c")
        with pytest.raises(
            UnsentError, match=r"^increments not confirmed: 1 \(AccessDenied\)$"
        ) as raised:
            publisher.flush()
        assert (raised.value.increments, counters.reader().count("c")) == ((published,), None)
        counters.refuses = False
        publisher.publish_again(published)
    assert (counters.reader().count("c"), clock.slept_s) == (1, [])


def test_an_increment_lingers_by_the_clock_of_the_pacer(counters):
    clock = Clock()
    with counters.publisher(linger_s=MAX_LINGER_S, pacer=clock.pacer) as publisher:
        publisher.publish("c")
        assert wait_until(lambda: publisher._outboxes.get()._due_at is not None)
        clock.now_s += MAX_LINGER_S
        publisher.publish("c")
        assert wait_until(lambda: counters.reader().count("c") == 2)


def test_what_has_no_time_left_is_a_dead_letter():
    hours = itertools.count(step=3600)
    counters = Counters(clock=lambda: next(hours))
    with counters.publisher() as publisher:
        published = publisher.publish("c")
    assert counters.dead_letters == [f"[{encode(published).decode()}]"]
    assert counters.reader().count("c") is None


def test_a_reset_and_shards(counters):
    with counters.publisher() as publisher, counters.publisher(shards=4) as sharded:
        publisher.publish("c", 5)
        publisher.reset("c", 7)
        for _ in range(100):
            sharded.publish("hot")
    reader = counters.reader()
    assert (reader.count("c"), reader.total("hot", 4)) == (7, 100)


def test_publishers_of_many_threads_lose_nothing(counters):
    def publish():
        with counters.publisher() as publisher:
            for _ in range(500):
                publisher.publish("c")

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.reader().count("c") == 4_000


def test_no_thread_settles_while_another_does():
    held = []

    def clock():
        held.append(one._lock.locked())
        return 0.0

    one = Counters(clock=clock)
    one.deliver('{"counter":"c"}')
    assert set(held) == {True}
    assert not one._lock.locked()


def test_what_cannot_be_settled_is_a_dead_letter(counters):
    old = Increment("c", source="9f86d081884c7d65", seq=1, at=now_ms() - 30 * DAY_MS)
    bodies = ["no JSON", '{"counter":"c","amount":1.5}', encode(old).decode()]
    for body in bodies:
        counters.deliver(body)
    assert counters.dead_letters == bodies[:2]
    assert counters.reader().count("c") == 1  # new to a ledger that remembers nothing yet
    for body in [encode(Increment("c", source="00000000000000aa", seq=1, at=now_ms())).decode()]:
        counters.deliver(body)
    assert counters.reader().count("c") == 2


def test_what_has_no_identity_counts_once_for_each_message_however_often_that_is_delivered():
    counters = Counters(deliveries=3)
    counters.deliver('{"counter":"c"}')
    counters.deliver('[{"counter":"c"},{"counter":"c"}]')
    assert (counters.reader().count("c"), counters.dead_letters) == (3, [])


def test_what_cannot_be_settled_is_one_dead_letter_however_often_it_is_delivered():
    counters = Counters(deliveries=3)
    counters.deliver("no JSON")
    assert counters.dead_letters == ["no JSON"]


def test_a_message_of_which_one_counter_could_not_be_settled_is_a_dead_letter(counters):
    now = now_ms()
    old = [native("c", source, now - 3 * DAY_MS) for source in range(200)]
    older, other = native("c", 200, now - 4 * DAY_MS), native("d", 201, now)
    bodies = [packed(*old), packed(native("c", 202, now)), packed(older, other)]
    for body in bodies:
        counters.deliver(body)
    assert counters.dead_letters == bodies[2:]
    assert counters.reader().counts(["c", "d"]) == {"c": 201, "d": 1}


def test_a_queue_stamps_a_message_by_the_clock_that_it_was_given():
    at = 1_790_000_000_000
    counters = Counters(now_ms=lambda: at)
    bodies = [packed(native("c", late, at + MAX_FUTURE_MS + late)) for late in range(2)]
    for body in bodies:
        counters.deliver(body)
    assert (counters.reader().count("c"), counters.dead_letters) == (1, bodies[1:])


def test_a_counter_can_be_gone_as_from_a_cache(counters):
    with counters.publisher() as publisher:
        publisher.publish("c", 5)
        publisher.flush()
        counters.forget("c")
        assert counters.reader().count("c") is None
        publisher.publish("c")
    counters.forget("never was")
    assert counters.reader().counts(["c", "never was"]) == {"c": 1, "never was": None}


def test_a_closed_reader_closes_no_other(counters):
    with counters.reader() as closed, counters.reader() as open_:
        closed.close()
        with pytest.raises(ReaderClosedError):
            closed.count("c")
        assert open_.count("c") is None


def test_counters_share_nothing(counters):
    with counters.publisher() as publisher:
        publisher.publish("c")
    assert Counters().reader().count("c") is None


def test_what_it_has_besides():
    assert tally.testing.MomentoServer.__name__ == "MomentoServer"
    assert MemoryStore().usage.operations == 0
    with pytest.raises(AttributeError, match=r"module 'tally\.testing' has no attribute 'Queue'"):
        vars(tally.testing)["__getattr__"]("Queue")


def test_what_is_published_is_counted_without_a_flush_once_it_has_lingered(counters):
    with counters.publisher(linger_s=0) as publisher:
        publisher.publish("seats", max=1)
        assert wait_until(lambda: counters.reader().count("seats") == 1)


@pytest.mark.parametrize("deliveries", [0, 101, 1.5])
def test_a_message_is_delivered_at_least_once(deliveries):
    complaint = f"^deliveries must be an integer from 1 to 100, found {deliveries}$"
    with pytest.raises(ArgumentError, match=complaint):
        Counters(deliveries=deliveries)


def test_it_reads_as_a_table_does(counters):
    with counters.publisher() as publisher:
        publisher.publish("a")
    assert counters.reader().count("a", consistent=True) == 1


def test_without_the_extra_the_server_is_an_error_that_names_it():
    missing = ModuleNotFoundError("No module named 'grpc'", name="grpc")

    def load(_name):
        raise missing

    with pytest.raises(ImportError) as raised:
        tally.testing._momento_server(load)
    assert str(raised.value) == "MomentoServer needs tally-counters[read]: No module named 'grpc'"
    assert raised.value.name == "grpc"
