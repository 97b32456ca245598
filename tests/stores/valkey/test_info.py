"""What a server tells of itself, and what it does not."""

import pytest

from tally.environment import Valkey
from tally.stores.port import Failed, Trouble
from tally.stores.valkey.info import server_info
from tally.stores.valkey.troubles import NO_ANSWER
from tests.support.resp_peer import HOST, Peer, trickle

TIME_S = 20.0
PASSWORD = "a-password-that-nobody-may-see"  # noqa: S105 (of a server of our own)


def asked(peer_answers):
    """What a peer's answers to INFO and to CONFIG are taken for."""
    with Peer(lambda _number, words: peer_answers[words[0]]) as peer:
        return server_info(Valkey(HOST, peer.port, is_tls=False), deadline_s=TIME_S)


def test_each_server_tells_its_version_its_eviction_and_what_it_keeps(each_server):
    found = server_info(each_server.address)
    assert isinstance(found, dict)
    names = ("cluster_enabled", "maxmemory_policy", "aof_enabled", "save", "appendfsync")
    assert [found[name] for name in names] == ["0", "noeviction", "0", "", "everysec"]
    assert int(found["redis_version"].partition(".")[0]) >= 7


def test_a_user_without_the_right_to_settings_has_the_rest(valkey):
    valkey.command("ACL", "SETUSER", "doctor", "on", f">{PASSWORD}", "~*", "+info")
    address = Valkey(HOST, valkey.port, is_tls=False, username="doctor", password=PASSWORD)
    found = server_info(address)
    valkey.command("ACL", "DELUSER", "doctor")
    assert isinstance(found, dict)
    assert "maxmemory_policy" in found
    assert "save" not in found


def test_a_user_without_the_right_to_ask_is_refused(valkey):
    valkey.command("ACL", "SETUSER", "doctor", "on", f">{PASSWORD}", "~*", "+get")
    address = Valkey(HOST, valkey.port, is_tls=False, username="doctor", password=PASSWORD)
    found = server_info(address)
    valkey.command("ACL", "DELUSER", "doctor")
    assert isinstance(found, Failed)
    assert (found.trouble, found.detail[:7]) == (Trouble.BROKEN_SETUP, "NOPERM ")


@pytest.mark.parametrize("settings", [b"$-1\r\n", b"*0\r\n", b"-ERR unknown command\r\n"])
def test_settings_that_are_not_told_are_left_out(settings):
    info = b"# Server\r\nredis_version:7.2.4\r\nodd\r\n"
    answer = b"$%d\r\n%b\r\n" % (len(info), info)
    assert asked({b"INFO": answer, b"CONFIG": settings}) == {"redis_version": "7.2.4"}


def test_what_is_no_information_is_no_answer():
    assert asked({b"INFO": b":1\r\n", b"CONFIG": b"*0\r\n"}) == NO_ANSWER


def test_a_server_that_does_not_answer_in_time_is_not_waited_for():
    with Peer(lambda _number, _words: trickle) as peer:
        found = server_info(Valkey(HOST, peer.port, is_tls=False), deadline_s=0.1)
    assert found == Failed(Trouble.UNKNOWN_OUTCOME, "no answer in time")
