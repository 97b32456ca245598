"""A `tally send` in this process, whose SQS follows a script and whose stderr can be waited for."""

import io
import threading

import pytest
import typer
from rich.console import Console

from tally.cli.lines import Line
from tally.cli.output import Output
from tally.cli.send import PATIENCE, Sending
from tests.support.sqs import FakeSqs, client_error, publisher

REFUSED = client_error("AccessDenied", 403)
WAIT_S = 10


class Screen(io.StringIO):
    """A stderr that tells when Ctrl-C was answered."""

    def __init__(self):
        super().__init__()
        self.asks_for_patience = threading.Event()

    def write(self, text):
        written = super().write(text)
        if PATIENCE in self.getvalue():
            self.asks_for_patience.set()
        return written


class Try:
    """One run of the command."""

    def __init__(self, *script, unsent=None):
        self.sqs = FakeSqs(*script)
        self.screen = Screen()
        console = Console(file=self.screen, markup=False, emoji=False, highlight=False)
        self.publisher = publisher(self.sqs)
        self.sending = Sending(self.publisher, unsent, console)

    def send(self, source, output=Output.TEXT):
        """Send lines, and return the exit status with the lines of stderr."""
        self.sending.run(source)
        with pytest.raises(typer.Exit) as ended:
            self.sending.report(output)
        return ended.value.exit_code, self.screen.getvalue().splitlines()


def line(number, **fields):
    """One that was read; of counter `a`, if not told otherwise."""
    return Line(number, {"counter": "a", **fields})


def refuse(_sqs, _entries):
    """A step of the script: nothing is stored, and that is final."""
    raise REFUSED
