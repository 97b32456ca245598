"""A table restored to an earlier time, as docs/operations.md has it: what is lost, what is not."""

import pytest

from tally.local.momento.server import HOST, MomentoServer
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE
from tests.support.switching import COUNTERS, consumer, counts, deliver, messages
from tests.support.terminal import Terminal

KEPT, LOST = 20, 15
"""Increments before the time to which the table is restored, and after it."""


@pytest.fixture
def cache():
    """An embedded Momento."""
    with MomentoServer([CACHE]) as server:
        yield server


@pytest.fixture
def before(told, cache):
    """The variables of the deployment, with a cache before its table."""
    return told | {"MOMENTO_LOCAL": f"{HOST}:{cache.port}", "MOMENTO_CACHE_NAME": CACHE}


@pytest.fixture
def after(before, table):
    """Those with a table that lacks the last LOST increments, which were acknowledged.

    moto restores a point in time as of now; a backup of its own holds an earlier state.
    """
    with consumer(before) as deployed:
        deliver(deployed, messages(0, KEPT))
        backup = table.client.create_backup(TableName=table.name, BackupName="earlier")
        deliver(deployed, messages(KEPT, KEPT + LOST))
    name = f"{table.name}-restored"
    table.client.restore_table_from_backup(
        TargetTableName=name, BackupArn=backup["BackupDetails"]["BackupArn"]
    )
    return before | {"COUNTER_TABLE": name}


def shown(variables):
    """The sum of the counters as the cache shows them, or the table where it has none."""
    said = Terminal(variables)("get", *COUNTERS)
    return sum(int(line.partition("\t")[2]) for line in said.stdout.splitlines())


def test_what_was_acknowledged_since_is_lost_and_what_comes_again_counts_once(before, after):
    assert (counts(before), counts(after)) == (KEPT + LOST, KEPT)
    with consumer(after) as deployed:
        deliver(deployed, messages(KEPT // 2, KEPT))  # delivered again: the ledger knows them
        assert counts(after) == KEPT
        deliver(deployed, messages(KEPT + LOST, KEPT + LOST + 5))  # waited in the queue
        assert counts(after) == KEPT + 5
        deliver(deployed, messages(0, KEPT + LOST))  # published again, with the same identities
    assert counts(after) == KEPT + LOST + 5


def test_the_cache_is_ahead_of_a_restored_table_until_it_is_flushed(after, cache):
    assert (shown(after), counts(after)) == (KEPT + LOST, KEPT)
    Raw(cache).flush(CACHE)
    assert shown(after) == KEPT


def test_a_doctor_tells_that_a_restored_table_ends_no_counter(after):
    said = Terminal(
        after | {"COUNTER_TTL_SECONDS": "3600", "SQS_QUEUE_URL": "http://127.0.0.1:9/q"}
    )
    assert "✗ time to live: off, so no counter ends; enable it, by the attribute expires" in (
        said("doctor", "--no-round-trip").stdout.splitlines()
    )
