"""Any body in any SQS batch: the answer names exactly the bad messages, and the good ones count."""

import json

from hypothesis import assume, event, given, settings

from tally.counters.body import parse
from tally.counters.counter import read_count
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Envelope
from tests.fuzz.contract import Ledgerless, TwiceError, valid_increments
from tests.fuzz.fuzzing import BATCHES, BODIES, FIFO_BATCHES
from tests.support.lambda_event import SENT_AT_MS, failures
from tests.support.lambda_event import event as sqs_event

MAX_ERROR_CHARS = 1_000
BODIES_PER_BATCH = 5  # so much cheaper is an example without a consumer


def is_valid(record):
    """The contract's word on a message; a fuzzed body of which it says nothing is not used."""
    try:
        return bool(valid_increments(record["body"], int(record["attributes"]["SentTimestamp"])))
    except TwiceError:
        assume(False)  # noqa: FBT003 (hypothesis' own)


def events_found(body):
    """How many events the parser reads; none if it refuses the body, in a few words."""
    try:
        return len(parse(body, Envelope("m1", SENT_AT_MS)))
    except InvalidIncrementError as error:
        return 0 if len(str(error)) < MAX_ERROR_CHARS else None


def bad_records(records):
    """The reasons of the bad messages, in their order; None for a good one."""
    failed_groups, reasons = set(), []
    for record in records:
        group = record["attributes"].get("MessageGroupId")
        reason = None if is_valid(record) else "invalid"
        if group in failed_groups:
            reason = reason or "group"
        if reason and group:
            failed_groups.add(group)
        reasons.append(reason)
    return reasons


def counts(channel, counters):
    return {counter: read_count(channel.store.get(counter)) for counter in counters}


def handle_twice(judged, records, *, in_order):
    """Hand a batch over, and once more as SQS may: the same answer, and nothing counted twice."""
    reasons = bad_records(records)
    event(f"bad messages: {sum(map(bool, reasons))} of {len(records)}")
    bad = [(record["messageId"], why) for record, why in zip(records, reasons, strict=True) if why]
    expected = Ledgerless()
    expected.settle(
        [record for record, why in zip(records, reasons, strict=True) if not why],
        in_order=in_order,
    )
    consumer, channel = judged.deployed()
    for _ in range(2):
        answer = consumer.handle(json.loads(json.dumps(sqs_event(*records))), None)
        assert answer == failures(*(message_id for message_id, _ in bad))
        assert judged.returned() == bad
        assert counts(channel, expected.counts) == expected.counts
        assert {call.key for call in channel.calls} == expected.counts.keys()


@given(BATCHES)
def test_the_answer_names_the_bad_messages_and_all_others_count_once(judged, records):
    handle_twice(judged, records, in_order=False)


@given(FIFO_BATCHES)
def test_on_a_fifo_queue_what_follows_a_bad_message_in_its_group_comes_back_too(judged, records):
    handle_twice(judged, records, in_order=True)


@settings(max_examples=BODIES_PER_BATCH * settings().max_examples)
@given(BODIES)
def test_a_body_is_invalid_by_the_schema_or_an_extra_rule_and_only_then(body):
    found = events_found(body)
    try:
        said = valid_increments(body, SENT_AT_MS)
    except TwiceError:
        assume(False)  # noqa: FBT003 (hypothesis' own)
    event(f"valid: {said is not None}")
    assert found == len(said or [])
