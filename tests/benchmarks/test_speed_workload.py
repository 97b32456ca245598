"""What the comparisons count: the same for everybody, and nothing twice."""

from collections import Counter

from benchmarks.speed.workload import AMPLE, EPOCH_MS, PRODUCERS, Workload
from tally.counters.body import increments, parse
from tally.counters.event import Envelope
from tally.publishing.packing import BILLED_BYTES


def read(batch):
    """The events of a batch."""
    return [
        event
        for record in batch.event["Records"]
        for event in parse(
            record["body"],
            Envelope(record["messageId"], int(record["attributes"]["SentTimestamp"])),
        )
    ]


def bodies(batch):
    return [record["body"] for record in batch.event["Records"]]


def test_a_seed_draws_the_same_stream_and_another_draws_another():
    streams = [
        [workload.batch(50).event, workload.of_each_counter().event]
        for workload in (Workload(seed, 10) for seed in (1, 1, 2))
    ]
    assert streams[0] == streams[1] != streams[2]


def test_packed_messages_bring_the_same_increments_in_fewer_bodies():
    single, packed = Workload(1, 10).batch(1_000), Workload(1, 10).batch(1_000, packed=True)
    assert sorted(read(single), key=repr) == sorted(read(packed), key=repr)
    assert [len(increments(body)) for body in bodies(single)] == [1] * 1_000
    assert len(bodies(packed)) == 2
    assert max(len(body) for body in bodies(packed)) <= BILLED_BYTES


def test_no_increment_comes_twice_and_all_are_counted():
    workload = Workload(3, 5)
    batches = [workload.of_each_counter(), workload.batch(200), workload.batch(200, packed=True)]
    events = [event for batch in batches for event in read(batch)]
    assert [batch.increments for batch in batches] == [5, 200, 200]
    assert len({(each.counter, each.source, each.seq) for each in events}) == len(events) == 405
    assert workload.published == Counter(each.counter for each in events)
    assert len({each.source for each in events}) == PRODUCERS
    assert {each.high for each in events} == {AMPLE}


def test_each_source_publishes_once_and_pauses():
    events = read(Workload(1, 1, sources=3).of_each_source(1_000))
    assert sorted(each.at for each in events) == [EPOCH_MS + 1_000 * n for n in (1, 2, 3)]
    assert len({each.source for each in events}) == 3
    assert {each.counter for each in events} == {"page:00000"}
