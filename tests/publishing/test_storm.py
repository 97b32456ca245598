"""Storms that tear at publishers, a few seeds of each kind; `make prove` runs thousands."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = 12


def test_whatever_comes_out_of_signals_threads_and_forks_nothing_is_lost_nor_waits():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.publishing.storm"]
    done = subprocess.run(  # noqa: S603 (ours)
        [*command, "--seeds", str(SEEDS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, f"{SEEDS} seeds, no violation\n"), done.stderr
