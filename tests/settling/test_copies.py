"""Warm copies: when they are used, what a miss costs, and how many there may be."""

from itertools import pairwise

import pytest

from tally.counters.counter import fold
from tally.counters.ledger import Limits
from tally.settling.copies import MAX_COPIES, MAX_COPIES_BYTES, Copies
from tally.settling.progress import Activity
from tally.stores.port import Copy
from tests.support.consumers import events, make_writer

COPY = Copy(b"1", b"hash")


@pytest.fixture
def copies():
    return Copies()


def write_elsewhere(channel, seq):
    value = fold(channel.store.get("c"), events(seq, source=2), Limits()).value
    channel.store.put("c", value)


def methods(channel, writer, seq):
    """The calls of one batch."""
    already = len(channel.calls)
    writer.settle({"c": events(seq)}, channel.clock() + 10, Activity())
    return [method for method, _ in channel.sent[already:]]


def test_a_copy_is_gone_once_taken(copies):
    copies.put("c", COPY)
    assert copies.take("c") == COPY
    assert copies.take("c") is None
    assert copies.take("never put") is None


def test_a_copy_replaces_the_one_before(copies):
    copies.put("c", COPY)
    copies.put("c", Copy(b"22", b"other"))
    assert copies._bytes == 2
    assert copies.take("c") == Copy(b"22", b"other")
    assert copies._bytes == 0


def test_a_stale_copy_costs_one_round(channel):
    writer = make_writer(channel)
    for seq in range(2):
        methods(channel, writer, seq)
    write_elsewhere(channel, 0)
    assert methods(channel, writer, 2) == ["SetIfHash", "GetWithHash", "SetIfHash"]
    assert channel.clock.slept_s == []


def test_misses_leave_copies_out_of_1_3_7_and_up_to_63_batches(channel):
    writer = make_writer(channel)
    used = []
    for seq in range(300):
        write_elsewhere(channel, seq)
        if methods(channel, writer, seq)[0] == "SetIfHash":
            used.append(seq)
    gaps = [after - before - 1 for before, after in pairwise(used)]
    assert used[0] == 1
    assert gaps == [1, 3, 7, 15, 31, 63, 63, 63]


def test_a_hit_forgets_the_misses_before_it(channel):
    writer = make_writer(channel)
    stale = {2, 4, 8, 18}
    used = []
    for seq in range(22):
        if seq in stale:
            write_elsewhere(channel, seq)
        if methods(channel, writer, seq)[0] == "SetIfHash":
            used.append(seq)
    # The miss at 8 costs seven batches; the one at 18 comes after hits, and costs one.
    assert used == [2, 4, 8, 16, 17, 18, 20, 21]


def test_a_miss_after_a_hit_costs_one_batch_again(copies):
    for _ in range(3):
        copies.put("c", COPY)
        copies.missed("c")
    copies.hit("c")
    copies.missed("c")
    taken = []
    for _ in range(3):
        copies.put("c", COPY)
        taken.append(copies.take("c"))
    assert taken == [None, COPY, COPY]


def test_hits_and_misses_of_a_counter_that_was_forgotten_are_nothing(copies):
    copies.hit("c")
    copies.missed("c")
    copies.put("c", COPY)
    assert copies.take("c") == COPY


def test_of_too_many_copies_the_least_recently_put_is_forgotten(copies):
    for number in range(MAX_COPIES):
        copies.put(f"c{number}", COPY)
    copies.put("c0", COPY)
    copies.put("one more", COPY)
    assert len(copies._entries) == MAX_COPIES
    assert copies.take("c1") is None
    assert copies.take("c0") == copies.take("one more") == copies.take("c2") == COPY


def test_of_too_many_bytes_the_least_recently_put_are_forgotten(copies):
    mebibyte = Copy(bytes(1_048_576), b"hash")
    for number in range(33):
        copies.put(f"c{number}", mebibyte)
    assert copies._bytes == MAX_COPIES_BYTES
    assert copies.take("c0") is None
    assert copies.take("c1") == copies.take("c32") == mebibyte


def test_a_long_copy_takes_the_room_of_as_many_short_ones_as_it_needs(copies):
    mebibyte, long = Copy(bytes(1_048_576), b"hash"), Copy(bytes(3 * 1_048_576), b"hash")
    for number in range(32):
        copies.put(f"c{number}", mebibyte)
    copies.put("long", long)
    assert copies._bytes == MAX_COPIES_BYTES
    assert [copies.take(f"c{number}") for number in range(4)] == [None, None, None, mebibyte]
    assert copies.take("long") == long


def test_a_copy_of_an_absent_counter_weighs_nothing(copies):
    absent = Copy(None, None)
    copies.put("c", absent)
    assert copies._bytes == 0
    assert copies.take("c") == absent
