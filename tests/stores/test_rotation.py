"""A key that is rotated is fetched anew by those who run, whichever store refuses the old one."""

import contextlib
import time

import grpc
import pytest
from momento.auth import CredentialProvider

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.environment import Cache, Service, SettingsError, Valkey
from tally.local.momento.server import MomentoServer
from tally.reading.reader import Reader
from tally.settling.bare_writer import BareWriter
from tally.settling.reason import Reason, Unsettled
from tally.settling.rounds import Rounds
from tally.stores.momento.connection import credentials_for, key_for
from tally.stores.momento.store import MomentoStore
from tally.stores.opening import open_store
from tally.stores.port import ABSENT, Failed, Trouble
from tally.stores.secret import OTHER_KEY, RENEW_EVERY_S, RENEWAL_S, Key
from tally.stores.valkey.store import ValkeyStore
from tests.support.clock import Clock
from tests.support.consumers import ENDPOINT, KEY, Draws, api_key, events, settle
from tests.support.lambda_event import event, failures, increment, record
from tests.support.momento_channel import AT_LEAST_ONCE, CACHE, FakeChannel, Fault
from tests.support.resp_peer import HOST, Peer

OLD, NEW = "the-old-key", "the-new-key"
NEW_KEY = api_key({"t": "g", "id": "rotated"})
SECRET = "the-stores/key"  # noqa: S105 (its name)
TIME_S = 20.0


@contextlib.contextmanager
def momento(keys, key):
    """Momento's store of a server that takes these keys."""
    with MomentoServer([CACHE], api_keys=keys) as server:
        credentials = CredentialProvider(key.text, HOST, HOST, HOST, server.port)
        yield MomentoStore(CACHE, credentials, key=key, deadline_s=TIME_S)


@contextlib.contextmanager
def valkey(keys, key):
    """Valkey's."""

    def answer(_number, words):
        if words[0] == b"AUTH":
            is_right = words[1].decode() in keys
            return b"+OK\r\n" if is_right else b"-WRONGPASS no such password\r\n"
        return b"$-1\r\n"

    with Peer(answer) as peer:
        yield ValkeyStore(Valkey(HOST, peer.port, is_tls=False), key, deadline_s=TIME_S)


REFUSED = {
    momento: Failed(Trouble.BROKEN_SETUP, "UNAUTHENTICATED: the key is not accepted"),
    valkey: Failed(Trouble.BROKEN_SETUP, "WRONGPASS no such password"),
}


class Secret:
    """What a secret holds, None if it cannot be read; and how often it was asked for."""

    def __init__(self, text):
        self.text = text
        self.asked = 0

    def fetch(self):
        self.asked += 1
        if self.text is None:
            raise SettingsError(["it cannot be read"])
        return self.text


class Door:
    """A store that has the old key, what its server takes, and the secret with another one."""

    def __init__(self, kind, wall_clock):
        self.keys = {OLD}
        self.secret = Secret(NEW)
        self.wall_clock = wall_clock
        self.refused = REFUSED[kind]
        self.store = kind(self.keys, Key(OLD, self.secret.fetch, wall_clock))

    def rotate(self):
        self.keys.add(NEW)
        self.keys.remove(OLD)


@pytest.fixture(params=[momento, valkey])
def door(request):
    door = Door(request.param, Clock())
    with door.store as door.store, contextlib.closing(door.store):
        yield door


def read(store, *counters, time_s=TIME_S):
    return [answer for _, answer in store.read(counters, time.monotonic() + time_s)]


def test_a_rotated_key_is_fetched_in_the_round_that_meets_it(door):
    assert read(door.store, "a") == [ABSENT]
    door.rotate()
    door.store.renew()
    assert read(door.store, "a", "b", "c") == [OTHER_KEY] * 3
    assert read(door.store, "a", "b", "c") == [ABSENT] * 3
    assert door.secret.asked == 1


def test_a_reader_reads_with_it_in_the_same_call(door):
    door.rotate()
    assert Reader(door.store, sleep=lambda _s: None).counts(["a", "b"]) == {"a": None, "b": None}
    assert door.secret.asked == 1


def test_a_reader_fetches_it_however_little_time_a_call_of_its_has(door):
    door.rotate()
    assert door.store.values(["a"], RENEWAL_S - 0.5) == ([], OTHER_KEY)
    assert door.store.values(["a"], TIME_S) == ([None], None)
    assert door.secret.asked == 1


def test_who_sets_copies_fetches_it_for_all_that_the_store_does(door):
    door.rotate()
    assert door.store.mirror(60).set([("a", b"1"), ("b", b"2")], TIME_S) == [OTHER_KEY] * 2
    assert read(door.store, "c") == [ABSENT]
    assert door.secret.asked == 1


@pytest.mark.parametrize("secret", [OLD, None], ids=["the same", "unreadable"])
def test_a_key_that_stays_wrong_is_fetched_once_a_minute(door, secret):
    door.rotate()
    door.secret.text = secret
    for _ in range(3):
        assert read(door.store, "a", "b") == [door.refused] * 2
    assert door.secret.asked == 1
    door.wall_clock.now_s += RENEW_EVERY_S
    assert read(door.store, "a") == [door.refused]
    assert door.secret.asked == 2
    door.secret.text = NEW
    door.wall_clock.now_s -= 2 * RENEW_EVERY_S  # a clock that was set back
    assert read(door.store, "a") == [OTHER_KEY]
    assert read(door.store, "a") == [ABSENT]


def test_a_round_fetches_it_however_little_time_each_call_has(door):
    door.rotate()
    door.store.deadline_s = RENEWAL_S / 2
    assert read(door.store, "a") == [OTHER_KEY]
    assert read(door.store, "a") == [ABSENT]


def test_a_round_that_is_about_to_end_does_not_wait_for_it(door):
    door.rotate()
    assert read(door.store, "a", time_s=RENEWAL_S - 0.5) == [door.refused]
    assert door.secret.asked == 0


def test_a_key_without_a_secret_stays_as_it_is():
    assert Key(OLD).renewed(OLD, may_ask=True) is False


def test_what_another_thread_has_fetched_is_not_fetched_again():
    secret = Secret(OLD)
    assert Key(NEW, secret.fetch).renewed(OLD, may_ask=True) is True
    assert secret.asked == 0


def test_a_thread_that_waited_for_anothers_fetch_in_vain_goes_on():
    key = Key(OLD, lambda: NEW, patience_s=0.0)
    with key._lock:
        assert key.renewed(OLD, may_ask=True) is False
    assert key.renewed(OLD, may_ask=True) is True
    assert key.renewed(OLD, may_ask=False) is True


def fake_momento(channel, secret, **options):
    """Momento's store over a fake channel, with the old key."""
    credentials = CredentialProvider(OLD, HOST, HOST, HOST, 8080)
    options = {"clock": channel.clock, "wall_clock": channel.clock} | options
    key = Key(OLD, secret.fetch, channel.clock)
    return MomentoStore(CACHE, credentials, key=key, open_channel=lambda: channel, **options)


@pytest.mark.parametrize("status", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
def test_either_refusal_of_momento_is_one_of_the_key_and_no_other_status_is(status):
    channel, secret = FakeChannel(Clock()), Secret(NEW)
    channel.faults = [
        Fault("GetWithHash", grpc.StatusCode.NOT_FOUND, details=None),
        Fault("GetWithHash", grpc.StatusCode[status]),
    ]
    store = fake_momento(channel, secret)
    ends_at = channel.clock() + TIME_S
    missing = Failed(Trouble.BROKEN_SETUP, "NOT_FOUND", is_missing=True)
    answers = [next(iter(store.read(["a"], ends_at)))[1] for _ in range(3)]
    assert answers == [missing, OTHER_KEY, ABSENT]
    assert [dict(call.metadata)["authorization"] for call in channel.calls] == [OLD, OLD, NEW]
    assert secret.asked == 1


def test_an_addition_that_was_refused_to_the_old_key_goes_back_and_is_not_repeated():
    channel, secret = FakeChannel(Clock(), methods=AT_LEAST_ONCE), Secret(NEW)
    channel.faults = [Fault("Increment", grpc.StatusCode.UNAUTHENTICATED)]
    store, clock = fake_momento(channel, secret), channel.clock
    writer = BareWriter(store, Rounds(store, clock=clock, sleep=clock.sleep, uniform=Draws()))
    unsettled = Unsettled(Reason.UNKNOWN_OUTCOME, OTHER_KEY.detail)
    assert settle(writer, c=events(0)) == {"c": unsettled}
    assert channel.sent == [("Increment", "c")]
    assert channel.store.get("c") is None


def test_a_warm_consumer_counts_with_the_key_that_its_secret_holds_now(secrets):
    secrets.create_secret(Name=SECRET, SecretString=KEY)
    service, keys = Service(ENDPOINT, api_key_secret=SECRET), {KEY}
    credentials = credentials_for(service)
    told = ConsumerSettings(Cache(CACHE, service))
    with momento(keys, key_for(service, credentials)) as store, contextlib.closing(store):
        warm = wiring.build(told, observer=wiring.observer({}), store=store)
        assert warm.handle(event(record("m1", increment(0))), None) == failures()
        secrets.put_secret_value(SecretId=SECRET, SecretString=NEW_KEY)
        keys.add(NEW_KEY)
        keys.remove(KEY)
        assert warm.handle(event(record("m2", increment(1))), None) == failures()
        assert Reader(store).count("page:home") == 2


@pytest.mark.parametrize("text", ["no-key", f"{NEW_KEY}\n"])
def test_a_secret_that_holds_no_key_by_now_leaves_the_old_one(secrets, text):
    secrets.create_secret(Name=SECRET, SecretString=KEY)
    service = Service(ENDPOINT, api_key_secret=SECRET)
    key = key_for(service, credentials_for(service))
    secrets.put_secret_value(SecretId=SECRET, SecretString=text)
    assert key.renewed(KEY, may_ask=True) is False
    assert key.text == KEY


def test_the_store_that_settings_mean_can_fetch_its_key_anew(secrets):
    secrets.create_secret(Name=SECRET, SecretString=KEY)
    store = open_store(Cache(CACHE, Service(ENDPOINT, api_key_secret=SECRET)))
    fixed = open_store(Cache(CACHE, Service(ENDPOINT, KEY)))
    assert isinstance(store, MomentoStore)
    assert isinstance(fixed, MomentoStore)
    secrets.put_secret_value(SecretId=SECRET, SecretString=NEW_KEY)
    assert store._key.renewed(KEY, may_ask=True) is True
    assert store._key.text == NEW_KEY
    assert fixed._key.renewed(KEY, may_ask=True) is False
