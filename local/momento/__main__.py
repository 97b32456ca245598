"""The command: `python -m local.momento --port 8080`."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence

from local.momento.errors import RefusedError
from local.momento.server import HOST, MomentoServer, PortTakenError

STDIN_CHUNK_BYTES = 4_096
"""How much of standard input is read, and thrown away, at a time."""

MAX_PORT = 65_535

_ENDING = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    options = _parser().parse_args(arguments)
    # Blocked before any thread exists, so that only the sigwait below ever sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        server = MomentoServer(options.cache, port=options.port, api_keys=options.api_key)
        server.start()
    except (PortTakenError, RefusedError) as error:
        sys.stderr.write(f"momento: {error}\n")
        return 1
    sys.stdout.write(f"momento: listening on {server.endpoint}\n")
    sys.stdout.flush()
    if options.exit_with_parent:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.sigwait(_ENDING)
    server.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.momento", description=f"An embedded Momento server on {HOST}."
    )
    parser.add_argument("--port", type=_port, default=8080, help="0 for a free one (default: 8080)")
    parser.add_argument(
        "--cache", action="append", default=[], metavar="NAME", help="create it; may be repeated"
    )
    parser.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="accept it, and refuse every key that is not given so; may be repeated",
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="end when standard input ends: give it a pipe, and it ends with whoever holds it",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        reason = f"{text!r} is not a number from 0 to {MAX_PORT}"
        raise argparse.ArgumentTypeError(reason)
    return int(text)


def _end_with_stdin() -> None:
    # os.read, for a daemon thread that waits in sys.stdin holds a lock that the exit needs.
    while os.read(sys.stdin.fileno(), STDIN_CHUNK_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
