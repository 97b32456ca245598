"""Everybody who counts in a table counts right, on moto; and what each takes is told."""

import contextlib

import pytest

from benchmarks.dynamodb import moto, peers
from benchmarks.speed import durable
from benchmarks.speed.consumers import MiscountedError, unread
from benchmarks.speed.durable import ADD, OURS, TRANSACTION, Place, Side, read_counts, ways
from benchmarks.speed.memory import untraced
from benchmarks.speed.workload import Workload


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


@pytest.mark.parametrize(
    ("name", "calls", "units", "records"),
    [(OURS, 2, 2, 0), (ADD, 10, 10, 0), (TRANSACTION, 10, 40, 10)],
)
def test_each_counts_what_was_published_and_tells_what_it_took(
    counting, reader, name, calls, units, records
):
    way, workload = counting[name], Workload(1, 2, name=name)
    way.handle(workload.of_each_counter().event)
    side = durable._side(way, reader, workload, 10, [])
    assert side == Side(10, [], calls, units, records)
    assert read_counts(reader, workload.counters) == workload.published


def test_ours_and_the_transaction_count_once_what_is_delivered_twice(counting, reader):
    assert durable._counted(counting, reader, 1) == {OURS: 1, ADD: 2, TRANSACTION: 1}


def test_the_cost_of_ours_follows_the_counters_of_a_batch(counting, reader):
    side = durable._grown(counting[OURS], reader, Place(40, 3), 2, 1)
    assert (side.events, side.calls, side.units, side.records, len(side.times)) == (40, 3, 3, 0, 2)


def test_who_miscounts_is_found(counting, reader):
    nobody = counting[OURS]._replace(handle=lambda _: None)
    with pytest.raises(MiscountedError):
        durable._grown(nobody, reader, Place(4, 1), 1, 1)


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
