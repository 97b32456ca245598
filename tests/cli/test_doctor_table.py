"""What a doctor finds in the set-up of a table: its rules, and what it cannot ask."""

import botocore.exceptions as boto
import pytest

from tally.cli.doctor.table import check_set_up, check_writes
from tally.environment import Table
from tally.stores.memory import MemoryStore
from tally.stores.port import ABSENT, Failed, LostRace, Stored, Trouble
from tests.support.clock import Clock
from tests.support.dynamodb import SCHEMA

OFF = {"TimeToLiveStatus": "DISABLED"}
ON = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
DENIED = boto.ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeTable")
WELL = [
    "✓ table key: counter (S, HASH)",
    "✓ time to live: counters stay for ever",
    "✓ point-in-time recovery: on",
]


class Answers:
    """The three answers of a client, of which an error is raised."""

    def __init__(self, table=SCHEMA, ends=OFF, recovery=ON):
        self.table, self.ends, self.recovery = table, ends, recovery

    def describe_table(self, **_):
        return self.told("Table", self.table)

    def describe_time_to_live(self, **_):
        return self.told("TimeToLiveDescription", self.ends)

    def describe_continuous_backups(self, **_):
        return self.told("ContinuousBackupsDescription", self.recovery)

    def told(self, name, answer):
        if isinstance(answer, Exception):
            raise answer
        return {name: answer}


def lines(ttl_s=None, **answers):
    found = check_set_up(Table("counters", ttl_s), Answers(**answers), is_local=False)
    return [finding.line for finding in found]


def test_a_table_that_keeps_all_rules_is_well():
    assert lines() == WELL


def test_what_may_not_be_asked_is_skipped_with_the_right_that_it_takes():
    denied = "it cannot be asked: AccessDeniedException (HTTP 0); allow dynamodb:{} to check it"
    assert lines(table=DENIED, ends=DENIED, recovery=DENIED) == [
        f"– table key: {denied.format('DescribeTable')}",
        f"– time to live: {denied.format('DescribeTimeToLive')}",
        f"– point-in-time recovery: {denied.format('DescribeContinuousBackups')}",
    ]


@pytest.mark.parametrize(
    ("definitions", "schema", "found"),
    [
        ({"counter": "B"}, {"counter": "HASH"}, "counter (B, HASH)"),
        ({"pk": "S"}, {"pk": "HASH"}, "pk (S, HASH)"),
        (
            {"counter": "S", "at": "N"},
            {"counter": "HASH", "at": "RANGE"},
            "counter (S, HASH), at (N, RANGE)",
        ),
    ],
)
def test_a_table_with_another_key_is_none_for_counters(definitions, schema, found):
    table = {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in definitions.items()
        ],
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in schema.items()],
    }
    assert lines(table=table)[0] == (
        f"✗ table key: {found}; make a table whose only key is counter (S, HASH)"
    )


@pytest.mark.parametrize(
    ("ttl_s", "name", "line"),
    [
        (None, "expires", "✓ time to live: counters stay for ever: COUNTER_TTL_SECONDS is not set"),
        (3_600, "expires", "✓ time to live: by expires, 3600 s after the last swap"),
        (
            3_600,
            "ends",
            "✗ time to live: by ends, so no counter ends; enable it, by the attribute expires",
        ),
        (
            None,
            "count",
            (
                "✗ time to live: by count: DynamoDB deletes counters by their counts; "
                "mend it: turn it off"
            ),
        ),
    ],
)
def test_the_time_to_live_is_by_the_attribute_that_says_when(ttl_s, name, line):
    ends = {"TimeToLiveStatus": "ENABLED", "AttributeName": name}
    assert lines(ttl_s, ends=ends)[1] == line


def test_a_table_without_recovery_is_told():
    assert lines(recovery={})[2] == (
        "✗ point-in-time recovery: off: what is deleted by mistake is gone; enable it"
    )


def test_of_a_global_table_only_one_with_strong_consistency_may_do():
    replicas = SCHEMA | {"Replicas": [{"RegionName": "eu-west-1"}]}
    strong = replicas | {"MultiRegionConsistency": "STRONG"}
    assert lines(table=strong)[1] == (
        "– table regions: a global table of STRONG consistency, which was not tried with counters"
    )
    assert lines(table=replicas)[1] == (
        "✗ table regions: a global table of EVENTUAL consistency: two regions that write may count "
        "twice, and lose; make its consistency STRONG, or let one region alone write"
    )


class Answering(MemoryStore):
    """A store that answers each swap so."""

    def __init__(self, answer):
        super().__init__(clock=Clock())
        self.answer = answer

    def write(self, writes, _ends_at):
        return [(write, self.answer) for write in writes]


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            LostRace(ABSENT),
            "✓ table writes: a swap that had to fail was refused, so nothing was written",
        ),
        (
            Failed(Trouble.BROKEN_SETUP, "AccessDeniedException (HTTP 400)"),
            (
                "– table writes: these credentials may not: AccessDeniedException (HTTP 400); "
                "the consumer's need dynamodb:PutItem on the table"
            ),
        ),
        (
            Failed(Trouble.UNKNOWN_OUTCOME, "no answer in time"),
            "✗ table writes: no answer in time; see that DynamoDB can be reached from here",
        ),
        (
            Stored(None),
            (
                "✗ table writes: a swap went through whose condition does not hold; "
                "see that DynamoDB can be reached from here"
            ),
        ),
    ],
)
def test_the_right_to_write_is_tried_by_a_swap_that_must_fail(answer, line):
    assert check_writes(Answering(answer), "probe", 1.0).line == line
