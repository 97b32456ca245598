"""The programs of examples/, run as their reader would: as processes, in a stack's environment."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tally.local.sqs.queue import Depth
from tests.support.consumers import read_counts
from tests.support.processes import wait_until
from tests.support.terminal import QUIET, Said

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 60
SERVING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
AT_REST = Depth(0, 0, 0, 0)


def environment(variables):
    """That of a user who has set nothing, and then pasted the lines of a stack."""
    merged = os.environ | QUIET | variables
    return {name: value for name, value in merged.items() if value is not None}


def run(*command, variables):
    """Run an example to its end."""
    done = subprocess.run(  # noqa: S603 (our own programs)
        [*map(str, command)],
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def python(name, *arguments, variables):
    """Run an example in Python."""
    return run(sys.executable, EXAMPLES / name, *arguments, variables=variables)


@contextlib.contextmanager
def flask(name, folder, variables):
    """Serve an example on a free port, and end it as Ctrl-C does; yields its address."""
    command = [sys.executable, "-m", "flask", "--app", EXAMPLES / name, "run", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 (our own program)
        command, env=environment(variables), cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            [address] = next(filter(None, map(SERVING.findall, process.stderr or ())))
            yield address
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()


def counts(stack, *names):
    """The counts when nothing is on its way any more, and so nothing can change them."""
    assert wait_until(lambda: stack.queue.depth() == AT_REST)
    return read_counts(names, stack.variables)
