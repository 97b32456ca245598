"""The server itself: its port, its keys, its connections, and what it forgets."""

import ipaddress
import re
import socket

import pytest
from momento import Configurations

from tally.local.momento import HOST, MomentoServer, PortTakenError
from tally.local.momento.store import MIN_SWEEP_ITEMS, LocalCache
from tests.local.sdk import AsyncSdk, Sdk
from tests.support.momento import CACHE, DEADLINE_S, HandClock, Raw, RefusalError

NEIGHBOUR = str(ipaddress.ip_address(HOST) + 1)  # loopback too, where the system has all of it
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1
PINGS = 20
CONFIGURATIONS = {
    "Laptop": Configurations.Laptop.latest(),
    "InRegion": Configurations.InRegion.Default.latest(),
    "Lambda": Configurations.Lambda.latest(),
}


@pytest.fixture
def server():
    with MomentoServer([CACHE]) as server:
        yield server


@pytest.mark.parametrize("sdk", [Sdk, AsyncSdk])
@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_configuration_of_the_sdk_is_served(server, sdk, configuration):
    client = sdk(server, configuration)
    assert client.increment(b"key") == 1
    client.close()


def test_a_second_server_on_a_port_is_an_error(server):
    with pytest.raises(PortTakenError) as caught:
        MomentoServer(port=server.port).start()
    reason = "Address already in use"
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{server.port}: {reason}"


def test_no_other_listener_can_share_the_port(server):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind((HOST, server.port))


def test_a_port_is_free_again_once_its_server_has_ended():
    with MomentoServer() as first:
        pass
    with MomentoServer([CACHE], port=first.port) as second:
        raw = Raw(second)
        assert (second.port, raw.get(b"key")) == (first.port, None)
        raw.close()


def test_nothing_listens_but_on_its_own_address(server):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((NEIGHBOUR, server.port), DEADLINE_S)


def test_an_accepted_key_is_accepted_and_any_other_refused(caplog):
    caplog.set_level("DEBUG")
    with MomentoServer([CACHE], api_keys=["right", "right too"]) as server:
        answers = []
        for sdk, key in [(Sdk, "right too"), (AsyncSdk, "right"), (Sdk, "wrong"), (Sdk, "")]:
            client = sdk(server, key=key)
            try:
                answers.append(client.increment(b"key"))
            except RefusalError as error:
                answers.append(error.status)
            client.close()
    assert answers == [1, 2, "UNAUTHENTICATED", "UNAUTHENTICATED"]
    assert not re.search("right|wrong", caplog.text)


def test_a_control_call_needs_an_accepted_key_too():
    with MomentoServer(api_keys=["right"]) as server:
        raw = Raw(server, authorization="wrong")
        with pytest.raises(RefusalError) as caught:
            raw.list_caches()
        raw.close()
    assert (caught.value, caught.value.details) == (
        RefusalError("UNAUTHENTICATED"),
        "the key is not accepted",
    )


def frame(kind, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, 0, 0, 0, 0, 0]) + payload


def frames(stream):
    """The frames of HTTP/2 that arrive, as (kind, flags); gRPC hides pings from its callers."""
    for header in iter(lambda: stream.read(9), b""):
        stream.read(int.from_bytes(header[:3], "big"))
        yield header[3], header[4]


def test_pings_on_an_idle_connection_are_answered_and_never_too_many(server):
    with (
        socket.create_connection((HOST, server.port), DEADLINE_S) as connection,
        connection.makefile("rb") as stream,
    ):
        arriving = frames(stream)
        connection.sendall(PREFACE + frame(SETTINGS))
        for n in range(PINGS):
            connection.sendall(frame(PING, n.to_bytes(8, "big")))
            answer = next(one for one in arriving if one == (PING, ACK) or one[0] == GOAWAY)
            assert answer == (PING, ACK)


def test_expired_items_that_nobody_asks_for_are_dropped():
    clock = HandClock()
    cache = LocalCache(clock)
    for n in range(MIN_SWEEP_ITEMS - 1):
        cache.put(b"%d" % n, b"value", 1_000)
    clock.advance_ms(1_000)
    cache.put(b"new", b"value", 1_000)
    assert list(cache._items) == [b"new"]


def test_a_cache_whose_items_live_is_looked_through_only_as_often_as_it_doubles():
    cache = LocalCache(HandClock())
    for n in range(MIN_SWEEP_ITEMS):
        cache.put(b"%d" % n, b"value", 1_000)
    assert len(cache._items) == MIN_SWEEP_ITEMS
    assert cache._sweep_at_items == 2 * MIN_SWEEP_ITEMS
