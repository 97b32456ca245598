"""The command: `python -m tally.local.momento --port 8080`."""

import argparse
import sys
from collections.abc import Sequence

from tally.environment import MAX_PORT
from tally.local.child import EXIT_WITH_PARENT, announce, hold_signals, wait_for_end
from tally.local.momento.errors import RefusedError
from tally.local.momento.server import HOST, MomentoServer, PortTakenError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    options = _parser().parse_args(arguments)
    hold_signals()
    try:
        server = MomentoServer(options.cache, port=options.port, api_keys=options.api_key)
        server.start()
    except (PortTakenError, RefusedError) as error:
        sys.stderr.write(f"momento: {error}\n")
        return 1
    announce(f"momento: listening on {server.endpoint}")
    wait_for_end(with_parent=options.exit_with_parent)
    server.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tally.local.momento", description=f"An embedded Momento server on {HOST}."
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
        help="accept this key, and refuse all others; may be repeated",
    )
    parser.add_argument(
        EXIT_WITH_PARENT,
        action="store_true",
        help="end when standard input ends: give it a pipe, and it ends with whoever holds it",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        reason = f"{text!r} is not a number from 0 to {MAX_PORT}"
        raise argparse.ArgumentTypeError(reason)
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
