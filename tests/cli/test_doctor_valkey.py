"""What a doctor finds in a Valkey server: each rule kept and broken, and what it cannot ask."""

import pytest

from tally.cli.doctor.examination import Examination
from tally.cli.doctor.valkey import (
    VALKEY,
    check_eviction,
    check_persistence,
    check_valkey,
    check_version,
)
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Failed, Trouble
from tally.stores.valkey.troubles import CLUSTER
from tests.cli.deployment import QUEUE_URL, FakeAws, world
from tests.support.resp_peer import HOST, Peer

TOLD = {
    "redis_version": "7.2.4",
    "valkey_version": "8.1.1",
    "cluster_enabled": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "appendfsync": "everysec",
}
WELL = [
    "✓ Valkey: it answers",
    "✓ version: Valkey 8.1.1",
    "✓ eviction: noeviction: a full server refuses swaps, and forgets nothing",
    "✓ persistence: append-only file, appendfsync everysec",
]
NODE = (
    "✗ Valkey: the server is a node of a cluster, which is not supported; "
    "set VALKEY_URL to a server of its own, or to the cluster's gateway"
)


def lines(told, error=None):
    def read():
        if error is not None:
            raise error

    return [finding.line for finding in check_valkey(read, told)]


def test_a_server_that_keeps_all_rules_is_well():
    assert lines(TOLD) == WELL


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (TOLD | {"cluster_enabled": "1"}, None),
        (TOLD, BrokenSetupError(CLUSTER)),
        (Failed(Trouble.BROKEN_SETUP, CLUSTER), BrokenSetupError(CLUSTER)),
    ],
    ids=["by its own word", "by a read", "by all it says"],
)
def test_a_node_of_a_cluster_is_refused_by_name(told, error):
    assert lines(told, error) == [NODE]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            BrokenSetupError("NOAUTH Authentication required."),
            (
                "✗ Valkey: NOAUTH Authentication required.; "
                "mend the password, its user's rights or VALKEY_URL"
            ),
        ),
        (
            ReadError("ConnectionRefusedError: Connection refused"),
            (
                "✗ Valkey: ConnectionRefusedError: Connection refused; "
                "see that VALKEY_URL can be reached from here"
            ),
        ),
    ],
)
def test_a_server_that_cannot_be_read_is_one_line(error, line):
    assert lines(TOLD, error) == [line]


def test_what_a_user_may_not_ask_is_skipped_with_the_rights_that_it_takes():
    assert lines(Failed(Trouble.BROKEN_SETUP, "NOPERM no")) == [
        WELL[0],
        (
            "– Valkey: its version, eviction and persistence cannot be asked: NOPERM no; "
            "allow its user +info and +config|get to check them"
        ),
    ]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"redis_version": "7.0.15"}, "✓ version: Redis 7.0.15"),
        ({"redis_version": "10.0"}, "✓ version: Redis 10.0"),
        (
            {"redis_version": "6.2.14"},
            "✗ version: Redis 6.2.14; set up any Valkey, or Redis 7 or newer",
        ),
        ({"redis_version": "unstable"}, "– version: the server does not tell"),
        ({}, "– version: the server does not tell"),
    ],
)
def test_a_redis_below_7_is_refused(told, line):
    assert check_version(told).line == line


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_every_policy_but_noeviction_may_evict_counters(policy):
    assert check_eviction({"maxmemory_policy": policy}).line == (
        f"✗ eviction: {policy}: counters may be evicted, with what they remember; "
        "set maxmemory-policy to noeviction"
    )


def test_a_server_that_hides_its_policy_is_not_judged():
    assert check_eviction({}).line == "– eviction: the server does not tell"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"aof_enabled": "1"}, "✓ persistence: append-only file"),
        (
            {"aof_enabled": "0", "save": "3600 1 300 100"},
            (
                "✗ persistence: snapshots only: a crash loses what was counted after the last one; "
                "set appendonly to yes"
            ),
        ),
        (
            {"aof_enabled": "0", "save": ""},
            "✗ persistence: none: a restart loses every counter; set appendonly to yes",
        ),
        (
            {"aof_enabled": "0"},
            (
                "– persistence: no append-only file, and it does not tell whether it takes "
                "snapshots; allow its user +config|get to check it"
            ),
        ),
    ],
)
def test_what_a_restart_loses_is_told(told, line):
    assert check_persistence(told).line == line


def examined(answers):
    """What a whole visit says of a server that answers so, and of the round trip there."""
    with Peer(lambda _number, words: answers[words[0]]) as peer:
        url = f"redis://{HOST}:{peer.port}"
        visit = Examination(world(FakeAws(), VALKEY_URL=url), QUEUE_URL)
        found = [finding.line for finding in visit.findings()]
    return [*found[1:4], found[-1]]


def bulk(text):
    return b"$%d\r\n%b\r\n" % (len(text), text)


def test_a_server_that_is_too_old_takes_no_round_trip():
    old = bulk(b"redis_version:6.2.14\r\nmaxmemory_policy:allkeys-lru\r\n")
    said = examined({b"INFO": old, b"CONFIG": b"*0\r\n", b"GET": b"$-1\r\n"})
    assert said == [
        "✓ Valkey: it answers",
        "✗ version: Redis 6.2.14; set up any Valkey, or Redis 7 or newer",
        (
            "– eviction: a local server need not keep this rule: "
            "allkeys-lru: counters may be evicted, with what they remember"
        ),
        "– round trip: SQS or Valkey cannot be asked",
    ]


def test_where_settings_are_incomplete_the_line_is_of_valkey():
    found = list(Examination(world(FakeAws(), VALKEY_URL="nowhere")).findings())
    assert found[1].line == "– Valkey: the environment does not tell where it is"
    assert found[1].name == VALKEY
    assert found[-1].line == "– round trip: SQS or Valkey cannot be asked"
