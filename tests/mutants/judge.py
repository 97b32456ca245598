"""Runs the simulation, or some tests, on a copy of the repository, and says what they found."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutation import Mutation

MAX_RUN_S = 600.0
"""What one run may take. A simulation that is still running then has found nothing. Tests have: on
the source as it is they end, so that a bug keeps one of them waiting."""

NEVER_ENDED = "never ended"
"""What tests have found that are still running when the time is up."""

_FOUND = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)
_FAILED = re.compile(r"^FAILED [^:]+::(\S+)", re.MULTILINE)


class JudgeFailedError(Exception):
    """A run ended neither well nor with a finding: it says nothing of the mutation."""


class Verdict(NamedTuple):
    """What a run found; `by` is empty if it found nothing, `what` too if it came to its end."""

    by: str
    what: str
    seconds: float


class Judge:
    """Runs one process for each copy; `stop` ends those that are running."""

    def __init__(self, seeds: int, run_s_max: float = MAX_RUN_S) -> None:
        self._seeds = seeds
        self._run_s_max = run_s_max
        self._running: set[subprocess.Popen[str]] = set()

    def judge(self, mutation: Mutation, root: Path) -> Verdict:
        """What the mutation's judge finds in the copy under `root`."""
        return self.test(root, mutation.tests) if mutation.tests else self.simulate(root)

    def simulate(self, root: Path, processes: int = 1) -> Verdict:
        """Look for a seed that breaks a promise.

        Raises:
            JudgeFailedError: the simulation itself fails.
        """
        run = ("tests.simulation", "--quiet", f"--seeds={self._seeds}", f"--processes={processes}")
        status, output, seconds = self._run(root, *run)
        found = _FOUND.search(output)
        if status == 1 and found:
            return Verdict(f"seed {found[1]}", found[2], seconds)
        return self._nothing_found(status, output, seconds)

    def test(self, root: Path, selection: str) -> Verdict:
        """Look for a test that fails, or never ends.

        Raises:
            JudgeFailedError: pytest itself fails.
        """
        run = ("pytest", "-q", "-x", "-p", "no:cacheprovider", selection)
        status, output, seconds = self._run(root, *run)
        if status is None:
            return Verdict("a test", NEVER_ENDED, seconds)
        failed = _FAILED.search(output)
        if status == 1 and failed:
            return Verdict("a test", failed[1], seconds)
        return self._nothing_found(status, output, seconds)

    def stop(self) -> None:
        """End what is running, with all that it started."""
        for process in tuple(self._running):
            _kill(process)

    def _nothing_found(self, status: int | None, output: str, seconds: float) -> Verdict:
        if status:
            msg = f"exit status {status} without a finding:\n{output[-2_000:]}"
            raise JudgeFailedError(msg)
        too_long = f"ended after {self._run_s_max:.0f} s" if status is None else ""
        return Verdict("", too_long, seconds)

    def _run(self, root: Path, module: str, *arguments: str) -> tuple[int | None, str, float]:
        """The exit status, None when the time is up, what was printed, and how long it took."""
        began_at = time.monotonic()
        with subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", module, *arguments],
            cwd=root,
            # The copy, not the repository that is installed in this environment.
            env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            self._running.add(process)
            try:
                output, _ = process.communicate(timeout=self._run_s_max)
            except subprocess.TimeoutExpired:
                output = ""
            finally:
                self._running.discard(process)
                status: int | None = process.returncode
                if status is None:
                    _kill(process)
        return status, output, time.monotonic() - began_at


def _kill(process: subprocess.Popen[str]) -> None:
    """End its whole group: the simulation has processes of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
