"""`tally`: the first step of the command line, which imports next to nothing."""

import codecs
import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from typing import TextIO

NEEDED = ("momento", "rich", "typer")
"""What tally-counters[cli] brings."""

ESCAPED = "tally-escaped"
"""The name of what codecs does with a character that an encoding lacks: see `escaped`."""


def main() -> None:
    """Do what the command line says; a missing extra and an early Ctrl-C end in one line each."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            sys.exit(f"tally: needs tally-counters[cli]: no module named {name}")
    try:
        with _printing():
            from tally.cli.commands import app  # noqa: PLC0415 (Ctrl-C may come meanwhile)

            app(prog_name="tally")
    except KeyboardInterrupt:
        sys.stderr.write("tally: interrupted\n")
        sys.exit(128 + signal.SIGINT)


@contextlib.contextmanager
def _printing() -> Iterator[None]:
    """Inside, any command may print anything; what cannot be written ends it with status 1.

    One rule here and none in the commands: those would forget it at the next sign. An OSError that
    comes so far is a fault of the machine, such as a full disk, and a traceback tells no more.
    """
    codecs.register_error(ESCAPED, escaped)
    for stream in (sys.stdout, sys.stderr):
        # Also a stream of another kind, or none at all, as pythonw has it.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=ESCAPED)
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # at Python's own end it would be too late for a status
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # nobody reads any more, and nobody wants to
            with contextlib.suppress(OSError):
                sys.stderr.write(f"tally: {_reason(error)}\n")
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)
        sys.exit(1)


def escaped(error: UnicodeError) -> tuple[str, int]:
    r"""What codecs writes for characters that an encoding lacks: `\u2713`.

    Written as JSON escapes it, so that `--output json` stays JSON; `backslashreplace` writes
    `\U0001f600` and `\xe9`, which JSON does not know.
    """
    import json  # noqa: PLC0415 (hardly ever needed)

    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _reason(error: OSError) -> str:
    why = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {why}" if error.filename else why


def _let_go(stream: TextIO | None) -> None:
    """Have what a stream could not write go nowhere.

    A failed flush keeps it, and Python would try once more at its end and print a traceback.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
