"""`tally`: the first step of the command line, which imports next to nothing."""

import importlib.util
import signal
import sys

NEEDED = ("momento", "rich", "typer")
"""What tally-counters[cli] brings."""


def main() -> None:
    """Do what the command line says; a missing extra and an early Ctrl-C end in one line each."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            sys.exit(f"tally: needs tally-counters[cli]: no module named {name}")
    try:
        from tally.cli.commands import app  # noqa: PLC0415 (Ctrl-C may come while it is imported)

        app(prog_name="tally")
    except KeyboardInterrupt:
        sys.stderr.write("tally: interrupted\n")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
