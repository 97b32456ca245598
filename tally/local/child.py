"""Processes of our own: the Python and the environment that each gets, its start and its end."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

OUR_FOLDER = str(Path(__file__).resolve().parents[2])
"""Where the package `tally` is: a checkout, or site-packages."""

NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Without them an SDK would read those of the home directory."""

START_TIMEOUT_S = 30.0
"""How long a server may take to listen; on an idle machine each takes below 1 s."""

STOP_TIMEOUT_S = 5.0
"""How long a server may take to end before it is killed."""

EXIT_WITH_PARENT = "--exit-with-parent"
"""Each server's option to end with its standard input, and so also if this process is killed."""

STDIN_CHUNK_BYTES = 4_096
"""How much of standard input is read, and thrown away, at a time."""

_ENDING = (signal.SIGINT, signal.SIGTERM)


class ChildError(RuntimeError):
    """A server of the local stack did not start, or has died."""


class Child:
    """One server, in a process of its own: here it would compete for the interpreter lock.

    `python -m` runs the module with the arguments and EXIT_WITH_PARENT.
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

    @property
    def has_died(self) -> bool:
        """Whether the server has ended though nobody stopped it; asked from any thread."""
        process = self._process
        return process is not None and process.poll() is not None

    def start(self) -> str:
        """Start the server; returns the line with which it listens. ChildError if it does not."""
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

    def kill(self) -> None:
        """End the server as a crash does; it may be started again."""
        if self._process is not None:
            process, self._process = self._process, None
            with process:
                process.kill()


def _first_line(process: "subprocess.Popen[bytes]", timeout_s: float) -> str:
    if process.stdout and select.select([process.stdout], [], [], timeout_s)[0]:
        return process.stdout.readline().decode().strip()
    return ""


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without AWS configuration: no profile, no credentials, no endpoints.

    All of `AWS_*` is removed: a list of harmful ones would be out of date with the next SDK.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return kept | NO_FILES


def python_command(*arguments: str) -> list[str]:
    """The command of a child Python.

    With -P: else Python would look for modules in the current folder first, and run a user's
    `queue.py` instead of the standard library's, or a `consumer.py` instead of our function.
    """
    return [sys.executable, "-P", *arguments]


def python_path(code: str = "") -> dict[str, str]:
    """The variable with which a child Python finds the modules that this process finds.

    The modules of the folder `code` come before all others, as a function's own do in Lambda.
    """
    started_as_module = sys.modules["__main__"].__spec__ is not None
    puts_folder_first = started_as_module and not sys.flags.safe_path
    path = search_path(sys.path, cwd=str(Path.cwd()), puts_folder_first=puts_folder_first)
    return {"PYTHONPATH": os.pathsep.join([code, *path] if code else path)}


def search_path(path: Sequence[str], *, cwd: str, puts_folder_first: bool) -> list[str]:
    """Where a child looks for modules: where this process does, except in the current folder.

    If `python -m` put that folder first, it is removed, unless something else names it too, such as
    an editable install. Our own packages are found in any case.
    """
    # `python -c` and a prompt add an empty item: the current folder, in PYTHONPATH as well.
    found = [str(Path(cwd, item)) for item in path if item]
    if puts_folder_first and cwd in found:
        found.remove(cwd)
    return found if OUR_FOLDER in found else [OUR_FOLDER, *found]


def hold_signals() -> None:
    """In the child, before any thread starts: block the signals that end it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def announce(line: str) -> None:
    """In the child: print a line for the parent, which may be gone already."""
    try:
        print(line, flush=True)  # noqa: T201 - the program's output
    except BrokenPipeError:
        # The exit would flush it again; as the documentation of Python's `signal` advises.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wait_for_end(*, with_parent: bool) -> None:
    """In the child: wait for a signal held, or, `with_parent`, for the end of standard input."""
    if with_parent:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.sigwait(_ENDING)


def _end_with_stdin() -> None:
    # os.read, because a daemon thread that waits in sys.stdin holds a lock that the exit needs.
    while os.read(sys.stdin.fileno(), STDIN_CHUNK_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
