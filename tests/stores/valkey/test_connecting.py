"""How a server is reached: names, addresses, TLS; and which connections are used again."""

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tally.environment import Valkey
from tally.reading.reader import Reader
from tally.stores.port import ABSENT, Failed, Trouble
from tally.stores.secret import Key
from tally.stores.valkey.connection import Connection, connect, left_s
from tally.stores.valkey.pipelines import Pipelines, trusted
from tally.stores.valkey.pool import MAX_IDLE_S, MAX_KEPT, Pool
from tally.stores.valkey.troubles import LATE
from tests.support.certificates import Authority
from tests.support.clock import Clock
from tests.support.resp_peer import HOST, Peer
from tests.support.silent_proxy import SilentProxy
from tests.support.valkey import store_at

TIME_S = 20.0
SILENCE_S = 0.2
LONG_S = 1.0  # enough for an answer, also on a busy machine
NIL = b"$-1\r\n"
THREADS = 8
INET = socket.AF_INET
NO_FAMILY = (999, ("nowhere", 1))  # of addresses that no machine has


def absent(_number, _words):
    return NIL


def read(store, *counters):
    return [answer for _, answer in store.read(counters, time.monotonic() + TIME_S)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def over_tls(tls, host, *, trusts=None):
    """A server with this TLS, or without any, and a store that calls it by a name."""
    with Peer(absent, tls) as peer:
        address = Valkey(host, peer.port)
        options = {"tls": lambda: ssl.create_default_context(cafile=trusts)} if trusts else {}
        with contextlib.closing(store_at(address, deadline_s=TIME_S, **options)) as store:
            yield peer, store


@pytest.mark.parametrize("host", ["localhost", HOST])
def test_a_server_that_proves_its_name_is_spoken_to_in_tls(authority, host):
    with over_tls(authority.server(host), host, trusts=authority.path) as (peer, store):
        assert read(store, "a", "b") == [ABSENT, ABSENT]
        assert store.values(["c"] * 100, TIME_S) == ([None] * 100, None)
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("name", "trusts_it", "says"),
    [
        ("elsewhere.example.com", True, "Hostname mismatch, certificate is not valid for"),
        ("localhost", False, "unable to get local issuer certificate"),
    ],
    ids=["another name", "another authority"],
)
def test_a_server_that_does_not_prove_its_name_breaks_the_setup(authority, name, trusts_it, says):
    trusts = authority.path if trusts_it else None
    with over_tls(authority.server(name), "localhost", trusts=trusts) as (_, store):
        [failed] = read(store, "c")
        assert failed.trouble is Trouble.BROKEN_SETUP
        assert failed.detail.startswith(f"the server's certificate: {says}")


def test_a_server_without_tls_is_no_answer(authority):
    with over_tls(None, "localhost", trusts=authority.path) as (_, store):
        store.deadline_s = SILENCE_S
        [failed] = read(store, "c")
        assert failed.trouble is Trouble.UNKNOWN_OUTCOME


def test_what_is_trusted_checks_certificate_and_name():
    context = trusted()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def connected(peer, addresses, ends_in_s=TIME_S, clock=time.monotonic):
    """The socket that a name with these addresses leads to."""
    found = [
        (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
        for family, address in addresses
    ]
    return connect(
        Valkey("cache", peer.port, is_tls=False),
        clock() + ends_in_s,
        clock=clock,
        tls=trusted,
        resolve=lambda *_, **__: found,
    )


@pytest.fixture
def peer():
    with Peer(absent) as peer:
        yield peer


@pytest.fixture
def nowhere():
    """A port at which nothing listens."""
    with socket.create_server((HOST, 0)) as taken:
        return taken.getsockname()[1]


def test_of_several_addresses_the_first_that_answers_is_used(peer, nowhere):
    with connected(peer, [NO_FAMILY, (INET, (HOST, nowhere)), (INET, (HOST, peer.port))]) as found:
        assert found.getpeername() == (HOST, peer.port)
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.fixture
def silent():
    """An address at which nobody is refused, and nobody taken: there is no room in its queue."""
    with socket.create_server((HOST, 0), backlog=0) as full, socket.socket() as in_the_queue:
        in_the_queue.connect(full.getsockname())
        yield full.getsockname()


def test_an_address_that_is_silent_leaves_time_for_the_next(peer, silent):
    with connected(peer, [(INET, silent), (INET, (HOST, peer.port))], ends_in_s=LONG_S) as found:
        assert found.getpeername() == (HOST, peer.port)


@pytest.mark.parametrize("place", range(4))
def test_an_address_shares_what_is_left_with_those_behind_it_only(peer, place):
    addresses = [NO_FAMILY] * place + [(INET, (HOST, peer.port))] * (4 - place)
    with connected(peer, addresses, ends_in_s=TIME_S, clock=Clock()) as found:
        assert found.gettimeout() == pytest.approx(TIME_S / (4 - place))


def test_a_name_that_leads_nowhere_says_so(peer, nowhere):
    with pytest.raises(ConnectionRefusedError):
        connected(peer, [(INET, (HOST, nowhere))] * 2)
    with pytest.raises(OSError, match=r"^the name has no address$"):
        connected(peer, [])


def test_a_name_that_is_not_known_leaves_the_outcome_unknown():
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(socket.gaierror):
        connect(
            Valkey("cache", 1),
            time.monotonic() + TIME_S,
            clock=time.monotonic,
            tls=trusted,
            resolve=unknown,
        )


def test_a_resolver_that_is_silent_is_not_waited_for():
    asked = threading.Event()

    def resolve(*_, **__):
        asked.wait(TIME_S)
        return []

    with pytest.raises(TimeoutError, match=r"^the name was not looked up in time$"):
        connect(
            Valkey("cache", 1),
            time.monotonic() + SILENCE_S,
            clock=time.monotonic,
            tls=trusted,
            resolve=resolve,
        )
    asked.set()


def test_no_time_is_an_end_of_time():
    with pytest.raises(TimeoutError, match=r"^no answer in time$"):
        left_s(1.0, lambda: 1.0)


@pytest.mark.parametrize(
    ("idle_s", "opened"), [(MAX_IDLE_S, 1), (MAX_IDLE_S + 1, 2), (-MAX_IDLE_S - 1, 2)]
)
def test_a_connection_that_lay_idle_is_not_trusted(peer, idle_s, opened):
    wall_clock = Clock()
    address = Valkey(HOST, peer.port, is_tls=False)
    with contextlib.closing(store_at(address, wall_clock=wall_clock)) as store:
        read(store, "c")
        wall_clock.now_s += idle_s
        read(store, "c")
    assert peer.connections == opened


def test_a_connection_that_is_used_is_never_too_old(peer):
    wall_clock = Clock()
    address = Valkey(HOST, peer.port, is_tls=False)
    with contextlib.closing(store_at(address, wall_clock=wall_clock)) as store:
        for _ in range(3):
            read(store, "c")
            wall_clock.now_s += MAX_IDLE_S
    assert peer.connections == 1


def test_renewing_closes_the_connection_that_there_is(peer):
    address = Valkey(HOST, peer.port, is_tls=False)
    with contextlib.closing(store_at(address)) as store:
        read(store, "c")
        store.renew()
        read(store, "c")
    assert peer.connections == 2


def test_the_authorities_are_read_once_for_all_connections():
    at = Valkey(HOST, 1)
    pipelines = Pipelines(at, Key(""), clock=Clock(), wall_clock=Clock(), tls=object)  # type: ignore[arg-type] # never asked
    assert pipelines._tls() is pipelines._tls()


class Trickling:
    """A socket that takes one byte in a second; it notes how long each may take."""

    def __init__(self, clock):
        self.clock = clock
        self.timeouts_s = []

    def settimeout(self, seconds):
        self.timeouts_s.append(seconds)

    def send(self, _packet):
        self.clock.now_s += 1.0
        return 1


def test_a_server_that_takes_a_pipeline_byte_by_byte_has_one_deadline_for_all_of_it():
    clock = Clock()
    trickling: Any = Trickling(clock)
    with pytest.raises(TimeoutError, match=f"^{LATE}$"):
        Connection(trickling, (), clock).run([b"12345"], [], clock() + 3.5)
    assert trickling.timeouts_s == [3.5, 2.5, 1.5, 0.5]


def unused():
    """A connection on which nobody speaks."""
    return Connection(socket.socket(type=socket.SOCK_DGRAM), (), time.monotonic)


def is_closed(connection):
    return connection._socket.fileno() == -1


def test_a_fork_leaves_its_parents_connections_alone():
    pids = [1]
    pool = Pool(Clock(), getpid=lambda: pids[-1])
    parents, own = unused(), unused()
    pool.give(parents)
    pids.append(2)
    assert pool.take() is None
    assert is_closed(parents)  # the child's end of it
    pool.give(own)
    assert [pool.take()] == [own]
    own.close()


def test_only_so_many_idle_connections_are_kept():
    pool = Pool(Clock())
    connections = [unused() for _ in range(MAX_KEPT + 2)]
    for each in connections:
        pool.give(each)
    assert [is_closed(each) for each in connections] == [False] * MAX_KEPT + [True] * 2
    pool.close()
    assert all(is_closed(each) for each in connections)


FORKING = """
import os, sys, time
from tally.environment import Valkey
from tests.support.valkey import store_at
store = store_at(Valkey("127.0.0.1", int(sys.argv[1]), is_tls=False))
def values():
    return store.values(["a", "b"], 20.0)
values()
pid = os.fork()
for _ in range(50):
    assert values() == ([b"1", b"2"], None)
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os._exit(0)
"""


def test_a_forked_child_and_its_parent_read_at_once(valkey):
    valkey.command("MSET", "a", "1", "b", "2")
    command = [sys.executable, "-P", "-c", FORKING, str(valkey.port)]
    forked = subprocess.run(command, check=False, timeout=TIME_S, capture_output=True, text=True)  # noqa: S603 (our own words)
    assert (forked.returncode, forked.stderr) == (0, "")


def test_threads_read_at_once_each_its_own_answers(valkey):
    valkey.command("MSET", *[word for number in range(THREADS) for word in (f"c{number}", number)])
    with contextlib.closing(store_at(valkey.address)) as store:

        def ask(number):
            return [store.values([f"c{number}"], TIME_S) for _ in range(100)]

        with ThreadPoolExecutor(THREADS) as pool:
            told = list(pool.map(ask, range(THREADS)))
    assert told == [[([b"%d" % number], None)] * 100 for number in range(THREADS)]


def test_a_reader_reads_within_the_same_call_when_its_connection_is_silent(valkey):
    with SilentProxy(valkey.port) as proxy:
        store = store_at(Valkey(HOST, proxy.port, is_tls=False), deadline_s=LONG_S)
        with Reader(store, sleep=lambda _s: None) as reader:
            assert reader.count("c") is None
            proxy.silence()
            assert reader.count("c") is None
            assert proxy.connections == 2


def test_a_server_that_takes_nothing_more_is_left_in_time():
    with socket.create_server((HOST, 0)) as deaf:
        address = Valkey(HOST, deaf.getsockname()[1], is_tls=False)
        with contextlib.closing(store_at(address, deadline_s=SILENCE_S)) as store:
            names = ["x" * 500_000 + str(number) for number in range(40)]
            failed = Failed(Trouble.UNKNOWN_OUTCOME, LATE)
            assert read(store, *names)[:2] == [failed] * 2
