"""The command: its one line, its port and keys, and that it ends with whoever started it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tally.local.momento import MomentoServer, read_stats
from tests.support.momento import CACHE, DEADLINE_S, Raw, RefusalError

COMMAND = [sys.executable, "-m", "tally.local.momento", "--port", "0", "--cache", CACHE]
LISTENING = re.compile(r"^momento: listening on (127\.0\.0\.1:\d+)$")
PARENT = f"""
import subprocess
subprocess.Popen({[*COMMAND, "--exit-with-parent"]!r}, stdin=subprocess.PIPE).wait()
"""


@pytest.fixture
def popen():
    """Starts a command whose ends are pipes, and kills it at last."""
    with contextlib.ExitStack() as stack:

        def popen(*command):
            pipe = subprocess.PIPE
            process = subprocess.Popen(  # noqa: S603 -- the command is ours
                command, stdin=pipe, stdout=pipe, stderr=pipe, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield popen


@pytest.fixture
def start(popen):
    """Starts a server, and returns its process with the endpoint from its one line."""

    def start(*command):
        process = popen(*command)
        [endpoint] = LISTENING.findall(process.stdout.readline())
        return process, endpoint

    return start


def answer(endpoint, key):
    raw = Raw(SimpleNamespace(endpoint=endpoint), authorization=key)
    try:
        return raw.increment(b"key")
    except RefusalError as error:
        return error
    finally:
        raw.close()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal_ends_it(start, ending):
    process, endpoint = start(*COMMAND)
    assert read_stats(endpoint).calls == {}
    process.send_signal(ending)
    assert process.communicate(timeout=DEADLINE_S) == ("", "")
    assert process.returncode == 0


def test_the_command_refuses_a_taken_port(popen):
    with MomentoServer() as server:
        process = popen(*COMMAND, "--port", str(server.port))
        answer = process.communicate(timeout=DEADLINE_S)
    reason = "Address already in use"
    text = f"momento: cannot listen on {server.endpoint}: {reason}\n"
    assert (process.returncode, answer) == (1, ("", text))


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (["--cache", CACHE], 1, f"momento: cache already exists: {CACHE}"),
        (["--cache", ""], 1, "momento: the name of a cache is missing or empty"),
        (["--port", "65536"], 2, "argument --port: '65536' is not a number from 0 to 65535"),
        (["--port", "http"], 2, "argument --port: 'http' is not a number from 0 to 65535"),
    ],
)
def test_the_command_refuses_what_cannot_be(popen, options, status, reason):
    process = popen(*COMMAND, *options)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, stdout) == (status, "")
    assert stderr.endswith(f"{reason}\n")


def test_the_command_ends_with_its_standard_input(start):
    process, _ = start(*COMMAND, "--exit-with-parent")
    assert process.communicate(timeout=DEADLINE_S) == ("", "")
    assert process.returncode == 0


def test_the_command_ends_with_a_parent_that_is_killed(start):
    parent, endpoint = start(sys.executable, "-c", PARENT)
    assert read_stats(endpoint).calls == {}
    os.kill(parent.pid, signal.SIGKILL)
    # Both ends of the pipe are closed only when the server, which inherited it, has ended too.
    assert parent.communicate(timeout=DEADLINE_S) == ("", "")


def test_the_command_accepts_the_keys_that_it_is_given(start):
    _, endpoint = start(*COMMAND, "--api-key", "right", "--api-key", "right too")
    answers = [answer(endpoint, key) for key in ("right", "right too", "wrong")]
    assert answers == [1, 2, RefusalError("UNAUTHENTICATED")]
