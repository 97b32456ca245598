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
"""The packages of tally-counters[cli]."""

ESCAPED = "tally-escaped"
"""The name of the error handler for characters that an encoding lacks: see `escaped`."""


def main() -> None:
    """Run the command line; a missing extra or an early Ctrl-C ends it with one line."""
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
    """Inside, a command may print any character; if that cannot be written, it ends with status 1.

    The rule is here and not in the commands, which would forget it. An OSError that reaches this
    point is a fault of the machine, such as a full disk, and a traceback would say no more.
    """
    codecs.register_error(ESCAPED, escaped)
    for stream in (sys.stdout, sys.stderr):
        # A stream may be of another kind, or None, as under pythonw.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=ESCAPED)
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # at Python's own end it would be too late for a status
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # the reader has gone, on purpose
            with contextlib.suppress(OSError):
                sys.stderr.write(f"tally: {_reason(error)}\n")
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)
        sys.exit(1)


def escaped(error: UnicodeError) -> tuple[str, int]:
    r"""The escape of a character that an encoding lacks: `\u2713`.

    It is JSON's escape, so that `--output json` stays JSON; `backslashreplace` writes
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
    """Discard what a stream could not write.

    A failed flush keeps it; Python would try again at its end, and print a traceback.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
