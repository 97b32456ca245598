"""What each error of a server and of a connection means, the whole table, and what it may say."""

import socket
import ssl

import hiredis
import pytest

from tally.stores.port import Failed, Trouble
from tally.stores.valkey.troubles import (
    CLUSTER,
    LATE,
    LATE_NAME,
    MAX_DETAIL,
    TROUBLES,
    broken_off,
    refused,
)

KEY = "a-password-that-nobody-may-see"

UNKNOWN = [
    "NOSCRIPT No matching script. Please use EVAL.",
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Valkey is loading the dataset in memory",
    "CLUSTERDOWN The cluster is down",
    "ASK 3999 the-other:6379",
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "NOTREADY the gateway has no shard",
    "ERR Protocol error: invalid bulk length",
    "WHATEVER a later version says",
    "",
]
THROTTLED = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist",
    "NOREPLICAS Not enough good replicas to write.",
    "ERR max number of clients reached",
    "ERR max number of clients + cluster connections reached",
]
REFUSED = [
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOPERM No permissions to access a key",
    "NOPERM this user has no permissions to access one of the keys used as arguments",
    "ERR value is not an integer or out of range",
]
BROKEN = [
    "NOPERM User key has no permissions to run the 'evalsha' command",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "DENIED Valkey is running in protected mode",
    "NOPROTO unsupported protocol version",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "ERR AUTH <password> called without any password configured for the default user.",
    "ERR unknown command 'EVALSHA'",
    "ERR ACL failure in script: User u has no permissions to run the 'set' command",
    "ERR The user executing the script can't run this command or subcommand script: 0",
]


@pytest.mark.parametrize(
    ("trouble", "texts"),
    [
        (Trouble.UNKNOWN_OUTCOME, UNKNOWN),
        (Trouble.THROTTLED, THROTTLED),
        (Trouble.REFUSED, REFUSED),
        (Trouble.BROKEN_SETUP, BROKEN),
    ],
    ids=lambda value: value.name if isinstance(value, Trouble) else "",
)
def test_what_a_server_says_is_in_exactly_one_class(trouble, texts):
    assert [refused(text, "") for text in texts] == [Failed(trouble, text) for text in texts]


def test_every_word_of_the_table_is_walked_here():
    walked = {text.partition(" ")[0] for text in UNKNOWN + THROTTLED + REFUSED + BROKEN}
    assert set(TROUBLES) - walked == {"MOVED"}  # the next test's
    assert Trouble.NOT_SENT not in TROUBLES.values()


def test_a_node_of_a_cluster_is_refused_by_name_and_no_other_address_is_shown():
    assert refused("MOVED 3999 cell-2:6381", "") == Failed(Trouble.BROKEN_SETUP, CLUSTER)


def test_what_a_server_quotes_is_not_shown():
    quoted = f"ERR unknown command 'AUTH', with args beginning with: 'tally' '{KEY}' "
    assert refused(quoted, "").detail == "ERR unknown command 'AUTH'"
    assert refused(f"WRONGPASS {KEY}?", KEY).detail == "WRONGPASS …?"
    assert refused("ERR " + "x" * 1_000, "").detail == "ERR " + "x" * (MAX_DETAIL - 4)


@pytest.mark.parametrize("shown", range(1, len(KEY)))
def test_no_part_of_the_password_is_left_where_a_text_is_cut(shown):
    text = "ERR ".ljust(MAX_DETAIL - shown, "x") + KEY
    assert refused(text, KEY).detail == "ERR ".ljust(MAX_DETAIL - shown, "x") + "…"


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
CERTIFICATE.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (TimeoutError("timed out"), LATE),
        (TimeoutError(110, "Connection timed out"), LATE),
        (TimeoutError(LATE_NAME), LATE_NAME),
        (ConnectionResetError(104, "reset by peer"), "ConnectionResetError: reset by peer"),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError: refused"),
        (socket.gaierror(-2, "Name or service not known"), "gaierror: Name or service not known"),
        (ssl.SSLError(1, "wrong version number"), "SSLError: wrong version number"),
        (ssl.SSLEOFError(8, "EOF occurred"), "SSLEOFError: EOF occurred"),
        (OSError("x" * 1_000), "OSError: " + "x" * (MAX_DETAIL - 9)),
    ],
)
def test_a_connection_that_breaks_leaves_the_outcome_unknown(error, detail):
    assert broken_off(error) == Failed(Trouble.UNKNOWN_OUTCOME, detail)


def test_a_certificate_that_does_not_hold_is_a_broken_setup():
    detail = "the server's certificate: self-signed certificate"
    assert broken_off(CERTIFICATE) == Failed(Trouble.BROKEN_SETUP, detail)


def test_the_parser_raises_nothing_but_what_is_known_of_it():
    known = {hiredis.ProtocolError, hiredis.ReplyError, hiredis.HiredisError}
    raised = {each for each in vars(hiredis).values() if isinstance(each, type)}
    assert {each for each in raised if issubclass(each, Exception)} == known
