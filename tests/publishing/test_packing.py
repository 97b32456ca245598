"""Packing: every size exact, every limit of SQS kept, the order too."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tally.counters.event import build
from tally.publishing.holding import MAX_PACKED_BYTES, Holding
from tally.publishing.inbox import Inbox, Put
from tally.publishing.packing import (
    BILLED_BYTES,
    MAX_ENTRIES,
    MAX_REQUEST_BYTES,
    Message,
    Packer,
    group_id,
    to_json,
)

SQS_ACCEPTS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
"""The characters of a message (SQS quota "message content")."""


def packed(*parts, fifo=False):
    """A packer in a hurry with these parts; in a FIFO queue a part's first byte is its counter."""
    packer = Packer(fifo=fifo)
    for part in parts:
        packer.add(chr(part[0]), part)
    packer.hurry()
    return packer


def requests(packer):
    taken = []
    while messages := packer.take():
        taken.append(messages)
    return taken


def test_a_message_is_a_json_array_with_its_exact_size():
    [[message]] = requests(packed(b"{}", b"[7]", b"12"))
    body = message.entry(0)["MessageBody"]
    assert (body, message.size_bytes) == ("[{},[7],12]", 11)


def test_a_message_is_filled_to_the_last_byte_that_sqs_bills():
    room = BILLED_BYTES - len(b"[,]") - 10
    assert [len(batch) for batch in requests(packed(b"1" * 10, b"2" * room))] == [1]
    assert [len(batch) for batch in requests(packed(b"1" * 10, b"2" * (room + 1)))] == [2]


@given(st.lists(st.integers(1, BILLED_BYTES // 2), max_size=60))
def test_packing_keeps_every_increment_its_order_and_the_limits(sizes):
    parts = [b"%d" % (number % 10) * size for number, size in enumerate(sizes)]
    packer = packed(*parts)
    assert packer.size_bytes == sum(sizes)
    batches = requests(packer)
    messages = [message for batch in batches for message in batch]
    assert [part for message in messages for part in message.parts] == parts
    assert packer.size_bytes == 0
    for message in messages:
        assert len(message.entry(0)["MessageBody"]) == message.size_bytes <= BILLED_BYTES
    for batch in batches:
        assert len(batch) <= MAX_ENTRIES
        assert sum(message.size_bytes for message in batch) <= MAX_REQUEST_BYTES


def test_a_full_request_can_be_sent_and_a_lesser_one_waits_until_it_is_due():
    packer = Packer(fifo=False)
    sendable = []
    for _ in range(MAX_ENTRIES + 1):
        packer.add("a", b"1" * (BILLED_BYTES - 2))
        sendable.append(packer.sendable)
    assert sendable == [False] * MAX_ENTRIES + [True]
    taken = [len(packer.take())]
    sendable = [packer.sendable]
    packer.hurry()
    sendable.append(packer.sendable)
    taken.append(len(packer.take()))
    sendable.append(packer.sendable)
    assert (taken, sendable) == ([MAX_ENTRIES, 1], [False, True, False])


def test_a_request_has_at_most_one_mebibyte():
    huge = b"1" * (MAX_REQUEST_BYTES // 2)
    assert [len(batch) for batch in requests(packed(huge, huge, huge))] == [1, 1, 1]


def test_a_fifo_queue_gets_messages_of_one_counter_and_one_of_each_in_a_request():
    full = b"a" * (BILLED_BYTES - 2)
    batches = requests(packed(full, b"a1", b"b1", b"b2", fifo=True))
    assert [[(one.group, one.parts) for one in batch] for batch in batches] == [
        [("a", [full])],
        [("a", [b"a1"]), ("b", [b"b1", b"b2"])],
    ]


def test_what_is_due_stays_so_until_the_last_of_its_requests_is_taken():
    full = b"a" * (BILLED_BYTES - 2)
    packer = packed(full, full, b"a1", fifo=True)
    taken = []
    for _ in range(3):
        assert packer.sendable
        taken.append([message.parts for message in packer.take()])
    assert taken == [[[full]], [[full]], [[b"a1"]]]
    assert (packer.sendable, packer.size_bytes) == (False, 0)


def test_an_entry_of_a_fifo_queue_names_its_group_and_the_digest_of_its_body():
    message = Message("page:home")
    message.add(b"{}")
    digest = hashlib.sha256(b"[{}]").hexdigest()
    assert message.entry(3) == {
        "Id": f"3-{digest}",
        "MessageBody": "[{}]",
        "MessageGroupId": "page:home",
        "MessageDeduplicationId": digest,
    }


@pytest.mark.parametrize(
    "counter", ["a", "page:home", "~" * 128, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]
)
def test_a_counter_that_sqs_takes_is_its_own_group(counter):
    assert group_id(counter) == counter


@pytest.mark.parametrize("counter", ["a b", "ä", "~" * 129, "a\n", "\x7f"])
def test_another_counter_has_a_digest_for_its_group(counter):
    assert group_id(counter) == hashlib.sha256(counter.encode()).hexdigest()


@pytest.mark.parametrize(
    "counter", ["ä", "\x00\x1f\x7f\x85", "\ufffe\uffff\ufffd", "\U0001fffe😀", "\\ufffe"]
)
def test_a_message_has_only_characters_that_sqs_accepts(counter):
    increment = build({"counter": counter, "id": counter, "at": 1})
    message = Message("")
    message.add(to_json(increment))
    assert SQS_ACCEPTS.fullmatch(message.entry(0)["MessageBody"])
    assert message.increments() == [increment]


def test_what_was_removed_is_not_removed_again():
    packer = Packer(fifo=False)
    packer.add("a", b"1")
    packer.hurry()
    chosen = packer.request()
    packer.remove(chosen)
    packer.add("a", b"22")
    packer.hurry()
    packer.remove(chosen)
    assert (packer.size_bytes, [each.parts for each in packer.take()]) == (2, [[b"22"]])


def test_what_waits_for_company_on_a_fifo_queue_goes_at_once_when_it_is_much():
    inbox = Inbox()
    holding = Holding(inbox, fifo=True)
    part = b"1" * (MAX_PACKED_BYTES // 100)
    for counter in range(101):
        inbox.put(Put(f"c{counter}", part))
        assert not holding.sendable
        holding.pack()
    assert holding.sendable
    assert len(holding.take()) == MAX_ENTRIES
