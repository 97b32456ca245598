"""Everybody who counts in a table counts right, on moto; and what each takes is told."""

import contextlib

import pytest

from benchmarks.dynamodb import moto, peers
from benchmarks.dynamodb.answering import answering
from benchmarks.speed import durable
from benchmarks.speed.consumers import MiscountedError, unread
from benchmarks.speed.durable import ADD, OURS, TRANSACTION, Place, read_counts, ways
from benchmarks.speed.matches import times_counted
from benchmarks.speed.memory import untraced


@pytest.fixture(scope="module")
def url():
    with moto.tables() as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="module")
def reader(url):
    with contextlib.closing(moto.client(url)) as client:
        yield client


@pytest.fixture(scope="module")
def counting(url):
    with ways(url) as everybody, unread():
        yield everybody


@pytest.fixture(scope="module")
def entrants(counting, reader):
    return durable._entrants(counting, reader)


@pytest.mark.parametrize(
    ("name", "spent"),
    [(OURS, (0.1, 0.1, 0.0)), (ADD, (1.0, 1.0, 0.0)), (TRANSACTION, (1.0, 4.0, 1.0))],
)
def test_each_counts_what_was_published_and_tells_what_an_event_took(
    counting, entrants, reader, name, spent
):
    assert durable._spent(counting, entrants, reader, name, 1) == spent


def test_ours_and_the_transaction_count_once_what_is_delivered_twice(entrants):
    assert times_counted(entrants, 1, counters=2) == {OURS: 1, ADD: 2, TRANSACTION: 1}


def test_who_miscounts_is_found(counting, entrants, reader):
    idle = {OURS: counting[OURS]._replace(handle=lambda _: None)}
    with pytest.raises(MiscountedError):
        durable._spent(idle, entrants, reader, OURS, 2)


def test_everybody_counts_on_a_server_that_only_answers_and_ours_by_its_counters():
    with answering() as port, ways(f"http://127.0.0.1:{port}") as counting, unread():
        times = durable._times(counting, 1, 1)
        side = durable._grown(counting[OURS], Place(40, 2), 2, 1)
    assert {name: len(took) for name, took in times.items()} == {OURS: 1, ADD: 1, TRANSACTION: 1}
    assert (side.events, side.calls, side.units, side.records) == (40, 0.05, 0.05, 0)
    assert len(side.cpu_us) == 2


def test_a_consumer_opens_in_a_process_that_is_handed_how(url):
    settled, ended = untraced(durable._Opens(url), 5, seed=1)
    assert 0 < settled <= ended


def test_counts_are_read_beyond_one_request(reader):
    counters = [f"many-{number}" for number in range(101)]
    items = [{"counter": {"S": counter}, "count": {"N": "7"}} for counter in counters]
    for start in range(0, len(items), 25):
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        reader.batch_write_item(RequestItems={peers.COUNTERS: puts})
    assert read_counts(reader, [*counters, "nobody"]) == dict.fromkeys(counters, 7)
