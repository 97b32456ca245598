"""Valkey and Redis themselves: what they answer in each state that they can be in."""

import contextlib
import signal
import time

import pytest

from tally.counters.counter import read_count
from tally.counters.event import Event
from tally.environment import Valkey
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.port import ABSENT, Copy, Failed, LostRace, Stored, Swap, Trouble
from tally.stores.valkey.troubles import LATE
from tests.support.consumers import Draws
from tests.support.processes import wait_until
from tests.support.valkey import HOST, any_kind, server, store_at

TIME_S = 20.0
SILENCE_S = 0.3
AT_MS = 1_790_000_000_000
KEY = "a-password-that-nobody-may-see"


@pytest.fixture
def store(each_server):
    with contextlib.closing(store_at(each_server.address, ttl_s=90, deadline_s=TIME_S)) as store:
        yield store


def read(store, *counters):
    return dict(store.read(counters, time.monotonic() + TIME_S))


def write(store, *swaps):
    return [answer for _, answer in store.write(swaps, time.monotonic() + TIME_S)]


def held(value):
    return Copy(value, value)


def troubles(answers):
    return [answer.trouble for answer in answers]


@contextlib.contextmanager
def configured(running, name, value):
    [_, before] = running.command("CONFIG", "GET", name)
    assert running.command("CONFIG", "SET", name, value) == b"OK"
    yield
    running.command("CONFIG", "SET", name, before)


def test_a_swap_tells_what_it_stored_or_who_won(store):
    assert write(store, Swap("a", ABSENT, b"1"), Swap("b", held(b"1"), b"2")) == [
        Stored(b"1"),
        LostRace(ABSENT),
    ]
    assert write(store, Swap("a", ABSENT, b"2"), Swap("a", held(b"1"), b"3")) == [
        LostRace(held(b"1")),
        Stored(b"3"),
    ]


def test_any_bytes_are_a_value_and_a_one_is_no_yes(store):
    values = [b"", b"1", b"\r\n$1\r\n", bytes(range(256)), b"x" * 3_000_000]
    for value in values:
        [answer] = write(store, Swap("c", read(store, "c")["c"], value))
        assert answer == Stored(value)
        assert write(store, Swap("c", held(b"other"), b"")) == [LostRace(held(value))]
    assert write(store, Swap("Zähler", ABSENT, b"1")) == [Stored(b"1")]
    assert store.values(["Zähler"], TIME_S) == ([b"1"], None)


def test_each_swap_sets_the_time_to_live_anew(each_server, store):
    write(store, Swap("c", ABSENT, b"1"))
    assert 80_000 < each_server.command("PTTL", "c") <= 90_000
    each_server.command("PEXPIRE", "c", "50000")
    write(store, Swap("c", held(b"1"), b"2"))
    assert 80_000 < each_server.command("PTTL", "c") <= 90_000


def test_a_script_is_sent_once_and_again_in_the_same_round_when_it_was_forgotten(
    each_server, store
):
    write(store, Swap("a", ABSENT, b"1"))
    each_server.command("SCRIPT", "FLUSH")
    each_server.command("CONFIG", "RESETSTAT")
    new = [Swap(f"c{number}", ABSENT, b"1") for number in range(3)]
    assert write(store, Swap("a", held(b"1"), b"2"), *new) == [Stored(b"2"), *[Stored(b"1")] * 3]
    assert (each_server.calls("evalsha"), each_server.calls("eval")) == (4, 4)
    assert write(store, Swap("a", held(b"2"), b"3")) == [Stored(b"3")]
    assert (each_server.calls("evalsha"), each_server.calls("eval")) == (5, 4)


def test_more_than_a_pipeline_holds_is_several_of_them(each_server, store):
    names = [f"c{number}" for number in range(600)]
    assert write(store, *[Swap(name, ABSENT, name.encode()) for name in names]) == [
        Stored(name.encode()) for name in names
    ]
    assert read(store, *names) == {name: held(name.encode()) for name in names}
    large = [Swap(name, held(name.encode()), b"x" * 400_000) for name in names[:7]]
    assert write(store, *large) == [Stored(b"x" * 400_000)] * 7
    assert each_server.command("DBSIZE") == 600


def test_what_is_no_string_is_one_counters_trouble(each_server, store):
    each_server.command("LPUSH", "list", "x")
    answers = write(store, Swap("a", ABSENT, b"1"), Swap("list", ABSENT, b"1"))
    assert answers[0] == Stored(b"1")
    assert troubles(answers[1:]) == [Trouble.REFUSED]
    found = read(store, "list", "a")
    assert found["list"] == Failed(
        Trouble.REFUSED, "WRONGTYPE Operation against a key holding the wrong kind of value"
    )
    assert found["a"] == held(b"1")
    assert store.values(["a", "list"], TIME_S) == ([b"1"], found["list"])


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_server_that_takes_no_write_throttles_and_is_read(each_server, store, setting, value):
    write(store, Swap("a", ABSENT, b"1"))
    with configured(each_server, setting, value):
        answers = write(store, Swap("a", held(b"1"), b"2"), Swap("b", ABSENT, b"1"))
        assert troubles(answers) == [Trouble.THROTTLED] * 2
        assert read(store, "a", "b") == {"a": held(b"1"), "b": ABSENT}
    assert write(store, Swap("a", held(b"1"), b"2")) == [Stored(b"2")]


def test_a_replica_is_no_place_to_write_until_it_is_promoted(store, each_server):
    write(store, Swap("a", ABSENT, b"1"))
    each_server.command("REPLICAOF", HOST, "1")
    try:
        assert troubles(write(store, Swap("a", held(b"1"), b"2"))) == [Trouble.UNKNOWN_OUTCOME]
        with configured(each_server, "replica-serve-stale-data", "no"):
            assert troubles(read(store, "a").values()) == [Trouble.UNKNOWN_OUTCOME]
    finally:
        each_server.command("REPLICAOF", "NO", "ONE")
    assert write(store, Swap("a", held(b"1"), b"2")) == [Stored(b"2")]


@pytest.mark.parametrize(
    ("rights", "reads", "writes"),
    [
        (["~*", "+get", "+set", "+eval", "+evalsha"], "fine", "fine"),
        (["~a*", "+get", "+set", "+eval", "+evalsha"], "refused", "refused"),
        (["~*", "+get", "+eval", "+evalsha"], "fine", "broken set-up"),
        (["~*", "+get"], "fine", "broken set-up"),
        (["~*", "+set", "+eval", "+evalsha"], "broken set-up", "broken set-up"),
    ],
    ids=["enough", "keys", "no set", "no script", "no get"],
)
def test_a_users_rights_are_of_a_counter_or_of_the_setup(each_server, rights, reads, writes):
    each_server.command("ACL", "SETUSER", "tally", "reset", "on", f">{KEY}", *rights)
    address = Valkey(HOST, each_server.port, is_tls=False, username="tally")
    with contextlib.closing(store_at(address, KEY)) as store:
        told = [*read(store, "c").values(), *write(store, Swap("c", ABSENT, b"1"))]
    each_server.command("ACL", "DELUSER", "tally")
    names = {Trouble.REFUSED: "refused", Trouble.BROKEN_SETUP: "broken set-up"}
    said = [names[each.trouble] if isinstance(each, Failed) else "fine" for each in told]
    assert said == [reads, writes]


def test_a_wrong_password_breaks_the_setup_and_is_told_nowhere(each_server):
    for username in ("", "nobody"):
        address = Valkey(HOST, each_server.port, is_tls=False, username=username)
        with contextlib.closing(store_at(address, KEY)) as store:
            [failed] = read(store, "c").values()
            assert failed.trouble is Trouble.BROKEN_SETUP
            assert KEY not in failed.detail


def test_a_server_that_is_stopped_in_the_middle_leaves_the_outcome_unknown(each_server):
    store = store_at(each_server.address, deadline_s=TIME_S)
    write(store, Swap("a", ABSENT, b"1"))
    store.deadline_s = SILENCE_S
    each_server.signal(signal.SIGSTOP)
    try:
        answers = write(store, Swap("a", held(b"1"), b"2"), Swap("b", ABSENT, b"1"))
    finally:
        each_server.signal(signal.SIGCONT)
    late = Failed(Trouble.UNKNOWN_OUTCOME, LATE)
    assert answers == [late, late]
    assert store.usage.unanswered == 2
    # It was in the server's socket, and happens now.
    assert wait_until(lambda: store.values(["a", "b"], TIME_S) == ([b"2", b"1"], None))
    store.deadline_s = TIME_S
    assert write(store, Swap("a", held(b"1"), b"3")) == [LostRace(held(b"2"))]
    store.close()


def test_a_server_that_has_gone_is_an_unknown_outcome():
    with server(any_kind()) as running:
        store = store_at(running.address)
        write(store, Swap("a", ABSENT, b"1"))
    read(store, "a")  # which may still meet the old connection
    [failed] = read(store, "a").values()
    assert failed == Failed(Trouble.UNKNOWN_OUTCOME, "ConnectionRefusedError: Connection refused")
    assert store.usage.unanswered == 0
    store.close()


def test_a_connection_that_the_server_has_closed_meanwhile_costs_nobody_an_answer(
    each_server, store
):
    write(store, Swap("a", ABSENT, b"1"))
    each_server.command("CLIENT", "KILL", "TYPE", "normal")
    [kept] = store._pipelines._pool._kept
    assert wait_until(lambda: not kept.connection.is_quiet())
    assert write(store, Swap("a", held(b"1"), b"2")) == [Stored(b"2")]


def test_a_full_house_throttles():
    with server(any_kind(), "--maxclients", "1") as running:
        kept = store_at(running.address)
        assert wait_until(lambda: read(kept, "a") == {"a": ABSENT})
        with contextlib.closing(store_at(running.address)) as other:
            [failed] = read(other, "a").values()
        assert failed.trouble in {Trouble.THROTTLED, Trouble.UNKNOWN_OUTCOME}
        kept.close()


def test_events_are_counted_once_whatever_becomes_of_the_scripts(each_server):
    stores = [store_at(each_server.address, deadline_s=TIME_S) for _ in range(2)]
    events = [Event("c", 1, seq, AT_MS) for seq in range(40)]
    for place in range(0, 40, 4):
        store = stores[place // 4 % 2]
        if place % 12 == 0:
            each_server.command("SCRIPT", "FLUSH")
        rounds = Rounds(store, clock=time.monotonic, sleep=lambda _s: None, uniform=Draws(0.0))
        group = {"c": events[max(0, place - 2) : place + 4]}
        ends_at = time.monotonic() + TIME_S
        assert Writer(rounds, Copies()).settle(group, ends_at, Activity()).open == {}
    assert read_count(each_server.command("GET", "c")) == 40
    for store in stores:
        store.close()
