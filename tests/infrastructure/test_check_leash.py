"""What a check starts ends with it, with all that this has started, however the check ends."""

import subprocess
import sys

import pytest

from infrastructure.check.leash import leashed, processes
from tests.support.processes import is_running, wait_until

STUBBORN = (
    "import signal, sys; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
)
PARENT = f"""
import subprocess, sys
pipe = subprocess.PIPE
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=pipe, process_group=0)
child.stdout.readline()
print("both run", flush=True)
child.wait()
"""
"""Has a child, in a group of its own, that no request ends: as the emulator has the function."""

OWNER = f"""
import sys
from pathlib import Path
from infrastructure.check.leash import leashed
with leashed([sys.executable, "-c", {PARENT!r}], Path(sys.argv[1]), variables={{}}) as session:
    print(session, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def both_run(log):
    return wait_until(lambda: log.exists() and log.read_text() == "both run\n")


def all_ended(session):
    """A killed orphan is in its session until the system's first process has seen its end."""
    return wait_until(lambda: not any(map(is_running, processes(session))))


def test_what_was_started_runs_in_the_session_and_ends_with_the_block(log):
    with leashed([sys.executable, "-c", PARENT], log, variables={}) as session:
        assert both_run(log)
        assert len(processes(session)) == 2
    assert all_ended(session)


def test_it_ends_when_its_owner_is_killed(log):
    command = [sys.executable, "-c", OWNER, str(log)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as owner:  # noqa: S603 (our own words)
        assert owner.stdout
        session = int(owner.stdout.readline())
        assert both_run(log)
        owner.kill()
    assert all_ended(session)


def test_a_command_that_ends_by_itself_leaves_its_output(log, tmp_path):
    show = "import os; print(os.getcwd(), os.environ['A'])"
    command = [sys.executable, "-c", show]
    with leashed(command, log, variables={"A": "b"}, folder=tmp_path):
        assert wait_until(lambda: log.read_text() == f"{tmp_path} b\n")


def test_a_process_that_is_gone_is_in_no_session():
    assert processes(2**22 + 1) == []
