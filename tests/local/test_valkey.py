"""The embedded stack's Valkey: a real server, on loopback, that leaves nothing behind."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from tally.local.child import ChildError
from tally.local.stack import Stack, StackSettings, StoreKind
from tally.local.valkey import NO_PROGRAM, ValkeyProcess, server_program
from tally.publishing.publisher import Publisher
from tests.support.consumers import read_counts
from tests.support.processes import WAIT_S, children, is_running, listening, wait_until
from tests.support.valkey import Server, needed


@pytest.fixture(autouse=True)
def _server_needed():
    needed()


@pytest.fixture
def running(started):
    """A server that runs, and its process."""
    process = ValkeyProcess()
    process.start()
    [pid] = started()
    yield process, Server(process.address.port, pid)
    process.stop()


def folder_of(server):
    return Path(server.command("CONFIG", "GET", "dir")[1].decode())


def all_is_over(*pids):
    return wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_it_is_a_server_found_on_this_machine_and_listens_on_loopback_only(running):
    process, server = running
    port = process.address.port
    assert children(os.getpid())[server.pid].startswith(str(server_program()))
    assert listening([server.pid]) == [f"127.0.0.1:{port}"]
    assert process.variables == {"VALKEY_URL": f"redis://127.0.0.1:{port}"}


def test_it_keeps_counters_and_nothing_on_disk(running):
    _, server = running
    settings = server.command("CONFIG", "GET", "save", "appendonly", "maxmemory-policy")
    found = dict(zip(settings[::2], settings[1::2], strict=True))
    assert found == {b"save": b"", b"appendonly": b"no", b"maxmemory-policy": b"noeviction"}


def test_each_read_and_each_swap_is_an_operation(running):
    process, server = running
    assert process.operations() == 0
    for _ in range(3):
        server.command("GET", "c")
    server.command("EVAL", "return redis.call('GET', KEYS[1])", "1", "c")
    assert process.operations() == 4


def test_it_is_emptied_and_starts_again_where_it_was(running):
    process, server = running
    server.command("SET", "c", "1")
    process.flush()
    assert server.command("EXISTS", "c") == 0
    before = process.variables
    process.kill()
    with pytest.raises(ChildError, match=r"^the Valkey server was not emptied$"):
        process.flush()
    process.start()
    assert (process.variables, server.command("PING")) == (before, b"PONG")


def test_a_page_in_a_browser_cannot_write_there(running):
    _, server = running
    with socket.create_connection(("127.0.0.1", server.port)) as page:
        page.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET c 1\r\n")
        page.settimeout(WAIT_S)
        with contextlib.suppress(ConnectionResetError):
            while page.recv(1_024):
                pass
    assert server.command("EXISTS", "c") == 0


def test_it_ends_with_its_folder_and_its_keeper_and_a_second_stop_does_nothing(running):
    process, server = running
    folder, keepers = folder_of(server), children(server.pid)
    assert (folder.is_dir(), len(keepers)) == (True, 1)
    process.stop()
    process.stop()
    assert (process.is_alive, folder.exists()) == (False, False)
    assert all_is_over(server.pid, *keepers)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_dies_is_missed_and_its_keeper_clears_up(running, number):
    process, server = running
    folder, keepers = folder_of(server), children(server.pid)
    server.signal(number)
    assert wait_until(lambda: not process.is_alive)
    assert all_is_over(*keepers)
    assert not folder.exists()


def test_where_there_is_no_server_it_says_what_to_install(started):
    assert server_program(["no-such-server"]) is None
    with pytest.raises(ChildError) as caught:
        ValkeyProcess(programs=["no-such-server"]).start()
    assert (str(caught.value), started()) == (NO_PROGRAM, {})


def test_a_port_that_is_taken_is_the_servers_own_reason(started, capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = ValkeyProcess(port=taken.getsockname()[1])
        with pytest.raises(ChildError, match=r"^tally\.local\.valkey did not start; "):
            process.start()
    assert wait_until(lambda: started() == {})
    assert "Address already in use" in capfd.readouterr().err


def test_operations_of_a_server_that_has_ended_cannot_be_told(running):
    process, _ = running
    process.stop()
    with pytest.raises(ChildError, match=r"^ConnectionRefusedError: Connection refused$"):
        process.operations()


def test_a_stack_counts_in_it_whatever_the_shell_says_of_momento(monkeypatch, started):
    monkeypatch.setenv("MOMENTO_LOCAL", "127.0.0.1:1")
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "mine")
    with Stack(StackSettings(store=StoreKind.VALKEY)) as stack:
        with Publisher(stack.queue.queue_url, client=stack.queue.client()) as publisher:
            publisher.publish("page:home", 41)
        counted = {"page:home": 41}
        assert wait_until(lambda: read_counts(["page:home"], stack.variables) == counted)
        [pid] = [pid for pid, command in started().items() if "-server" in command]
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not stack.store.is_alive)
        with pytest.raises(ChildError, match=r"^the Valkey server died$"):
            stack.check()
    assert started() == {}
