"""Hot counters: a source has one shard, whatever is repeated, and nothing that needs the whole."""

import pytest

from tally.counters.counter import fold, read_count
from tally.counters.errors import ArgumentError, InvalidIncrementError
from tally.counters.event import Event, Increment
from tally.counters.identity import identity_of
from tally.counters.ledger import Limits
from tally.counters.outcome import Outcome
from tally.counters.shards import MAX_SHARDS
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sequence import MAX_COUNTERS_PER_SOURCE, Identity
from tests.support.consumers import make_reader
from tests.support.momento_channel import ReadChannel
from tests.support.sqs import (
    FIFO_URL,
    NOW_MS,
    QUEUE_URL,
    FakeSqs,
    client_error,
    lost_after,
    publisher,
    sequence,
)

SOURCE = "0000000000000013"  # 19 = 2 · 8 + 3
SHARD = "hot#3"


def sharding(sqs, shards=8, first=19, **options):
    return publisher(sqs, shards=shards, sequence=sequence(first), **options)


def values(events):
    """The value of each counter after all events, by the counter itself."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.counter, []).append(event)
    return {name: fold(None, group, Limits()).value for name, group in groups.items()}


def counts(events):
    return {name: read_count(value or b"") for name, value in values(events).items()}


def test_all_that_a_source_publishes_goes_to_its_shard():
    sqs = FakeSqs()
    with sharding(sqs) as one:
        published = [one.publish("hot"), one.publish("hot", -5), one.publish("é")]
    assert published == [
        Increment("hot#3", source=SOURCE, seq=0, at=NOW_MS),
        Increment("hot#3", -5, source=SOURCE, seq=1, at=NOW_MS),
        Increment("é#3", source=SOURCE, seq=0, at=NOW_MS),
    ]
    assert [event.identity for event in sqs.events] == [identity_of(each) for each in published]
    assert [event.counter for event in sqs.events] == ["hot#3", "hot#3", "é#3"]


def test_sources_are_spread_over_all_shards():
    sqs = FakeSqs()
    for first in range(1, 41):
        with sharding(sqs, first=first) as one:
            one.publish("hot")
    assert counts(sqs.events) == {f"hot#{shard}": 5 for shard in [*range(1, 8), 0]}


def test_a_repeat_of_a_named_increment_goes_to_the_shard_of_the_first():
    sqs = FakeSqs()
    for first in range(1, 9):
        with sharding(sqs, first=first) as one:
            for number in range(100):
                one.publish("hot", id=f"order-{number}", at=NOW_MS - first)
    found = counts(sqs.events)
    assert sum(found.values()) == 100
    assert sorted(found) == [f"hot#{shard}" for shard in range(8)]


def test_a_native_increment_that_is_brought_goes_to_its_sources_shard():
    sqs = FakeSqs()
    with sharding(sqs, first=1) as one:
        fields = {"counter": "hot", "source": SOURCE, "seq": 7, "at": NOW_MS}
        assert one.publish_fields(fields).counter == SHARD


def test_what_was_not_confirmed_goes_again_to_the_shard_that_it_had():
    sqs = FakeSqs(lost_after(client_error("AccessDenied", 403)))
    with sharding(sqs) as one:
        published = (one.publish("hot"), one.publish("hot", id="order-1"))
        with pytest.raises(UnsentError) as raised:
            one.flush()
        assert raised.value.increments == published
        assert tuple(map(one.publish_again, published)) == published
    assert len(sqs.events) == 4
    assert sum(counts(sqs.events).values()) == 2


def test_a_shard_and_a_counter_of_its_name_never_share_an_identity():
    sqs, identities = FakeSqs(), sequence(19)
    with (
        publisher(sqs, sequence=identities, shards=8) as hot,
        publisher(sqs, sequence=identities, shards=16) as hotter,
        publisher(sqs, sequence=identities) as plain,
    ):
        for _ in range(5):
            hot.publish("hot")
            hotter.publish("hot")
            plain.publish(SHARD)
            plain.publish("hot")
    assert counts(sqs.events) == {SHARD: 15, "hot": 5}


def test_a_source_that_is_drawn_anew_has_a_shard_of_its_own():
    one = sequence(19)
    for number in range(MAX_COUNTERS_PER_SOURCE):
        one.next(f"c{number}")
    assert one.next("hot", 8) == Identity("0000000000000014", 0, NOW_MS)
    assert one.next("hot#4") == Identity("0000000000000014", 1, NOW_MS)


@pytest.mark.parametrize("fields", [{"max": 10}, {"min": 0}, {"reset": 0}])
def test_what_only_the_whole_count_can_tell_is_refused(fields):
    sqs = FakeSqs()
    [(field, value)] = fields.items()
    with sharding(sqs) as one:
        with pytest.raises(InvalidIncrementError) as raised:
            one.publish_fields({"counter": "hot", **fields})
        assert one.publish("hot").seq == 0
    reason = "is not possible with shards, none of which knows the whole count"
    assert str(raised.value) == f"{field}: {reason}, found {value}"
    assert len(sqs.events) == 1


def test_a_name_has_room_for_the_number_of_every_shard():
    sqs = FakeSqs()
    with sharding(sqs, shards=MAX_SHARDS, first=3) as one:
        assert one.publish("é" * 254 + "a").counter == "é" * 254 + "a#3"
        with pytest.raises(InvalidIncrementError) as raised:
            one.publish("é" * 255)
    reason = "has 513 bytes with the number of a shard, over 512"
    assert str(raised.value).startswith(f"counter: {reason}, found 'éé")


@pytest.mark.parametrize("shards", [0, -1, MAX_SHARDS + 1])
def test_a_publisher_has_at_least_one_shard_and_not_too_many(shards):
    complaint = f"shards must be an integer from 1 to 100, found {shards}"
    with pytest.raises(ArgumentError, match=complaint):
        Publisher(QUEUE_URL, shards=shards)


def test_a_fifo_queue_has_a_group_for_each_shard():
    sqs = FakeSqs()
    with publisher(sqs, FIFO_URL, shards=1) as one:
        one.publish("hot")
    assert [entry["MessageGroupId"] for entry in sqs.stored] == ["hot#0"]


def test_the_reader_adds_up_what_the_publishers_spread():
    sqs = FakeSqs()
    for first in range(1, 21):
        with sharding(sqs, first=first) as one:
            last = [one.publish("hot", 7) for _ in range(3)][-1]
    channel = ReadChannel(values=values(sqs.events))
    assert make_reader(channel).total("hot", 8) == 20 * 3 * 7
    assert make_reader(channel).outcome(last) is Outcome.APPLIED
    assert len(channel.calls) == 2
