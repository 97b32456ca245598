"""How a server process of the local stack tells that it listens, and how it ends."""

import os
import signal
import sys
import threading

STDIN_CHUNK_BYTES = 4_096
"""How much of standard input is read, and thrown away, at a time."""

_ENDING = (signal.SIGINT, signal.SIGTERM)


def hold_signals() -> None:
    """Block the signals that end the process; before any thread starts, so that none gets them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def announce(line: str) -> None:
    """Print a line for whoever started this process, and may be gone already."""
    try:
        print(line, flush=True)  # noqa: T201 - the program's output
    except BrokenPipeError:
        # The exit would flush it again; so has the documentation of Python's `signal` it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wait_for_end(*, with_parent: bool) -> None:
    """Wait for one of the signals held, or, `with_parent`, for the end of standard input."""
    if with_parent:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.sigwait(_ENDING)


def _end_with_stdin() -> None:
    # os.read, for a daemon thread that waits in sys.stdin holds a lock that the exit needs.
    while os.read(sys.stdin.fileno(), STDIN_CHUNK_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
