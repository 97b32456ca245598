"""Runs a command until its standard input ends, and then ends it with all that it has started.

So nothing outlives a check, however that one ends: whoever is killed lets go of its pipes. It runs
by itself, with the standard library alone; /proc, where it finds what was started, is Linux's.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

POLL_S = 0.2
MAX_STOP_S = 20.0
"""How long a command may take to end by itself."""

MAX_END_S = MAX_STOP_S + 10
"""How long the leash may take to end: a little more than what is on it."""


@contextlib.contextmanager
def leashed(
    command: Sequence[str], log: Path, *, variables: Mapping[str, str], folder: Path | None = None
) -> Iterator[int]:
    """Run a command in a session of its own, and end it with the block.

    Args:
        command: the program and its arguments.
        log: where its output goes.
        variables: the whole of its environment.
        folder: where it runs.

    Yields:
        The id of its session, in which all that it starts is as well.
    """
    with log.open("w") as output:
        leash = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-I", __file__, *command],
            env=variables,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield leash.pid
    finally:
        leash.communicate(timeout=MAX_END_S)  # the end of its input


def processes(session: int) -> list[int]:
    """The processes of a session, but for its leader, which is the leash."""
    found = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in found if pid != session and _session_of(pid) == session]


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def main() -> None:
    """Run the command of the command line."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 (leashed's words)
    while child.poll() is None and not select.select([sys.stdin], [], [], POLL_S)[0]:
        pass  # nothing is ever written to it, so it is readable at its end
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(MAX_STOP_S)
    for pid in processes(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
