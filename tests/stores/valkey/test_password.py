"""A password: where it comes from, when a connection needs another, and that nobody sees it."""

import contextlib
import time
import traceback

import pytest

from tally.environment import SettingsError, Valkey
from tally.stores.port import ABSENT
from tally.stores.secret import OTHER_KEY, Key
from tally.stores.valkey.password import password_for
from tally.stores.valkey.store import ValkeyStore
from tests.support.resp_peer import HOST, Peer
from tests.support.secrets_manager import QUOTED, REFUSAL, secrets_manager
from tests.support.terminal import put_on

SECRET = "valkey/key"  # noqa: S105 (its name)
OLD, NEW = "the-old-password", "the-new-password"
TIME_S = 20.0


def read(store, *counters):
    return [answer for _, answer in store.read(counters, time.monotonic() + TIME_S)]


def test_a_connection_that_is_no_longer_taken_is_one_as_well():
    answers = [b"-NOAUTH Authentication required.\r\n", b"$-1\r\n"]

    def answer(_number, words):
        return b"+OK\r\n" if words[0] == b"AUTH" else answers.pop(0)

    with Peer(answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False)
        with contextlib.closing(ValkeyStore(address, Key(OLD, lambda: NEW))) as store:
            assert read(store, "a") == [OTHER_KEY]
            assert read(store, "a") == [ABSENT]
        assert [words[1] for words in peer.commands if words[0] == b"AUTH"] == [
            OLD.encode(),
            NEW.encode(),
        ]


def test_the_password_is_that_of_the_variable_or_of_the_secret(secrets):
    secrets.create_secret(Name=SECRET, SecretString=OLD)
    assert password_for(Valkey("cache", 1)).text == ""
    assert password_for(Valkey("cache", 1, password=NEW)).text == NEW
    password = password_for(Valkey("cache", 1, password_secret=SECRET))
    assert password.text == OLD
    secrets.put_secret_value(SecretId=SECRET, SecretString=NEW)
    assert password.renewed(OLD, may_ask=True)
    assert password.text == NEW


@pytest.mark.parametrize("text", ["a\n", "a\x00b", "\u200b"])
def test_a_password_of_another_kind_is_an_error_that_does_not_quote_it(secrets, text):
    secrets.create_secret(Name=SECRET, SecretString=text)
    told = []
    for said in ({"password": text}, {"password_secret": SECRET}):
        with pytest.raises(SettingsError) as caught:
            password_for(Valkey("cache", 1, **said))
        told += caught.value.problems
    problem = "holds a password that is empty or has a line break in it"
    assert told == [f"VALKEY_PASSWORD {problem}", f"VALKEY_PASSWORD_SECRET {problem}"]


def test_a_secret_that_cannot_be_read_is_told_without_the_request(account):
    with secrets_manager(400, REFUSAL) as (variables, _):
        put_on(account, variables)
        with pytest.raises(SettingsError) as caught:
            password_for(Valkey("cache", 1, password_secret=SECRET))
    reason = "InvalidSignatureException (HTTP 400)"
    assert caught.value.problems == [f"VALKEY_PASSWORD_SECRET cannot be read: {reason}"]
    assert QUOTED not in "".join(traceback.format_exception(caught.value))


def test_no_text_and_no_repr_shows_the_password():
    def answer(_number, words):
        return b"-WRONGPASS %b is wrong\r\n" % words[1]

    with Peer(answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False, password=OLD)
        with contextlib.closing(ValkeyStore(address, Key(OLD))) as store:
            [failed] = read(store, "a")
            for shown in (failed, store, store._pipelines, Key(OLD), address):
                assert OLD not in repr(shown)
