"""A password: where it comes from, that a rotated one is fetched anew, and that nobody sees it."""

import contextlib
import time
import traceback

import boto3
import pytest
from moto import mock_aws

from tally.environment import SettingsError, Valkey
from tally.stores.port import ABSENT, Failed, Trouble
from tally.stores.valkey.password import RENEW_EVERY_S, RENEWAL_S, Password, password_for
from tally.stores.valkey.pipelines import OTHER_PASSWORD
from tally.stores.valkey.store import ValkeyStore
from tests.support.clock import Clock
from tests.support.resp_peer import HOST, Peer
from tests.support.secrets_manager import QUOTED, REFUSAL, secrets_manager

SECRET = "valkey/key"  # noqa: S105 (its name)
OLD, NEW = "the-old-password", "the-new-password"
TIME_S = 20.0
REFUSED = Failed(Trouble.BROKEN_SETUP, "WRONGPASS invalid username-password pair")


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.fixture
def secrets(account):  # noqa: ARG001 (its environment)
    with mock_aws():
        client = boto3.client("secretsmanager")
        yield client
        client.close()


class Guard:
    """A server that takes one password, and the secret that holds one."""

    def __init__(self, taken, secret):
        self.taken = taken
        self.secret = secret
        self.fetched = 0

    def answer(self, _number, words):
        if words[0] == b"AUTH":
            wrong = b"-WRONGPASS invalid username-password pair\r\n"
            return b"+OK\r\n" if words[1] == self.taken.encode() else wrong
        return b"$-1\r\n"

    def fetch(self):
        self.fetched += 1
        if self.secret is None:
            raise SettingsError(["it cannot be read"])
        return self.secret


@contextlib.contextmanager
def guarded(taken, secret, wall_clock=None):
    """Who takes a password; and a store that has the old one, and may fetch another."""
    guard, wall_clock = Guard(taken, secret), wall_clock or Clock()
    with Peer(guard.answer) as peer:
        password = Password(OLD, guard.fetch, wall_clock)
        address = Valkey(HOST, peer.port, is_tls=False)
        store = ValkeyStore(address, password, deadline_s=TIME_S, wall_clock=wall_clock)
        with contextlib.closing(store):
            yield guard, store


def read(store, *counters, time_s=TIME_S):
    return [answer for _, answer in store.read(counters, time.monotonic() + time_s)]


def test_a_rotated_password_is_fetched_in_the_round_that_meets_it():
    with guarded(OLD, NEW) as (guard, store):
        assert read(store, "a") == [ABSENT]
        guard.taken = NEW
        store.renew()
        assert read(store, "a", "b", "c") == [OTHER_PASSWORD] * 3
        assert read(store, "a", "b", "c") == [ABSENT] * 3
        assert guard.fetched == 1


def test_a_reader_has_it_too_however_little_time_a_call_of_its_has():
    with guarded(NEW, NEW) as (guard, store):
        assert store.values(["a"], RENEWAL_S - 0.5) == ([], OTHER_PASSWORD)
        assert store.values(["a"], TIME_S) == ([None], None)
        assert guard.fetched == 1


@pytest.mark.parametrize("secret", [OLD, None], ids=["the same", "unreadable"])
def test_a_password_that_stays_wrong_is_fetched_once_a_minute(secret):
    wall_clock = Clock()
    with guarded(NEW, secret, wall_clock) as (guard, store):
        for _ in range(3):
            assert read(store, "a", "b") == [REFUSED] * 2
        assert guard.fetched == 1
        wall_clock.now_s += RENEW_EVERY_S
        assert read(store, "a") == [REFUSED]
        assert guard.fetched == 2
        guard.secret = NEW
        wall_clock.now_s -= 2 * RENEW_EVERY_S  # a clock that was set back
        assert read(store, "a") == [OTHER_PASSWORD]
        assert read(store, "a") == [ABSENT]


def test_a_round_that_is_about_to_end_does_not_wait_for_it():
    with guarded(NEW, NEW) as (guard, store):
        assert read(store, "a", time_s=RENEWAL_S - 0.5) == [REFUSED]
        assert guard.fetched == 0


def test_who_has_no_secret_has_no_other_password():
    assert Password(OLD).renewed(OLD, may_ask=True) is False


def test_what_another_thread_has_fetched_is_not_fetched_again():
    guard = Guard(NEW, OLD)
    assert Password(NEW, guard.fetch).renewed(OLD, may_ask=True) is True
    assert guard.fetched == 0


def test_who_waited_for_anothers_fetch_in_vain_goes_on():
    password = Password(OLD, lambda: NEW, patience_s=0.0)
    with password._lock:
        assert password.renewed(OLD, may_ask=True) is False
    assert password.renewed(OLD, may_ask=True) is True
    assert password.renewed(OLD, may_ask=False) is True


def test_a_connection_that_is_no_longer_taken_is_one_as_well():
    answers = [b"-NOAUTH Authentication required.\r\n", b"$-1\r\n"]

    def answer(_number, words):
        return b"+OK\r\n" if words[0] == b"AUTH" else answers.pop(0)

    with Peer(answer) as peer:
        address = Valkey(HOST, peer.port, is_tls=False)
        with contextlib.closing(ValkeyStore(address, Password(OLD, lambda: NEW))) as store:
            assert read(store, "a") == [OTHER_PASSWORD]
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
        account.setenv(*next(iter(variables.items())))
        with pytest.raises(SettingsError) as caught:
            password_for(Valkey("cache", 1, password_secret=SECRET))
    reason = "InvalidSignatureException (HTTP 400)"
    assert caught.value.problems == [f"VALKEY_PASSWORD_SECRET cannot be read: {reason}"]
    assert QUOTED not in "".join(traceback.format_exception(caught.value))


def test_no_text_and_no_repr_shows_the_password():
    with guarded(NEW, OLD) as (guard, store):
        [failed] = read(store, "a")
        valkey = Valkey("cache", 1, password=OLD)
        for shown in (failed, store, store._pipelines, guard, Password(OLD), valkey):
            assert OLD not in repr(shown)
