"""A server in a process of its own: it says in one line that it listens, and ends with this one."""

import os
import select
import subprocess
from collections.abc import Sequence

from tally.local.interpreter import python_command, python_path
from tally.local.variables import without_aws

START_TIMEOUT_S = 30.0
"""How long a server may take to listen; on an idle machine each takes below 1 s."""

STOP_TIMEOUT_S = 5.0
"""How long a server may take to end before it is killed."""

EXIT_WITH_PARENT = "--exit-with-parent"
"""Each server's option to end when its standard input does: also if this process is killed."""


class ChildError(RuntimeError):
    """A server of the local stack did not start, or has died."""


class Child:
    """One server. In a process of its own: it would fight for this one's interpreter lock.

    Args:
        module: what `python -m` runs.
        arguments: its options; EXIT_WITH_PARENT is added.
        start_timeout_s: how long it may take to listen.
        stop_timeout_s: how long it may take to end before it is killed.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        self._module = module
        self._arguments = arguments
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the server, and return the line that it prints once it listens.

        Raises:
            ChildError: it ended at once (a port that is taken), or is not there in time.
        """
        # A process group of its own: Ctrl-C goes to the whole group of a terminal, and the servers
        # have to outlive the consumers that are still finishing a batch.
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            python_command("-m", self._module, EXIT_WITH_PARENT, *self._arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=without_aws(os.environ) | python_path(),
            process_group=0,
        )
        line = ""
        try:
            line = _first_line(self._process, self._start_timeout_s)
        finally:  # also on Ctrl-C
            if not line:
                self.stop()
        if not line:
            message = f"{self._module} did not start; its reason is on stderr"
            raise ChildError(message)
        return line

    def stop(self) -> None:
        """End the server; a second call does nothing."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with process:
            try:
                process.communicate(timeout=self._stop_timeout_s)  # the end of its stdin ends it
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(process: "subprocess.Popen[bytes]", timeout_s: float) -> str:
    if process.stdout and select.select([process.stdout], [], [], timeout_s)[0]:
        return process.stdout.readline().decode().strip()
    return ""
