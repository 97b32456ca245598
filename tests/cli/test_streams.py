"""What a command says where it cannot be printed: a narrow encoding, a full disk, no reader."""

import json
import os

import pytest

from tally.local.momento.server import MomentoServer
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE
from tests.support.processes import tally
from tests.support.terminal import QUIET

FULL = "tally: No space left on device\n"
WAIT_S = 30


@pytest.fixture(scope="module")
def momento():
    """Variables with which `tally get é…😀` prints 5."""
    with MomentoServer([CACHE]) as server:
        raw = Raw(server)
        raw.set("é…😀".encode(), b"5")
        raw.set(b"a", b"5")
        raw.close()
        yield QUIET | {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE}


def run(*arguments, env, **streams):
    """The status of a command, and what it printed where that is read."""
    with tally(*arguments, env=env, **streams) as process:
        stdout, stderr = process.communicate(timeout=WAIT_S)
    return process.returncode, stdout, stderr


def test_a_sign_outside_the_encoding_is_escaped_as_json_escapes_it(momento):
    env, names = momento | {"PYTHONIOENCODING": "latin-1"}, ("é…😀", "a")
    said = run("get", *names, env=env, encoding="latin-1")
    assert said == (0, "é\\u2026\\ud83d\\ude00\t5\na\t5\n", "")
    said = run("get", *names, "--output", "json", env=env, encoding="latin-1")
    assert (said[0], json.loads(said[1])) == (0, {"é…😀": 5, "a": 5})


def test_a_report_with_signs_needs_no_encoding_that_has_them():
    env = QUIET | {"PYTHONIOENCODING": "latin-1"}
    status, stdout, stderr = run("doctor", env=env)
    assert status == 1
    assert r"\u2717 environment: " in stdout
    assert "Traceback" not in stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [("get", "a"), ("--help",), ("plan",)])
def test_a_full_disk_under_what_is_printed_is_one_line(momento, command, unbuffered):
    env = momento | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:  # noqa: PTH123 (a device)
        assert run(*command, env=env, stdout=full) == (1, None, FULL)


@pytest.mark.parametrize("command", [("get", "a"), ("--help",), ("plan",)])
def test_a_reader_that_is_gone_is_no_news(momento, command):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        assert run(*command, env=momento, stdout=pipe) == (1, None, "")


def test_a_full_disk_under_the_remarks_ends_with_the_status_of_a_failure(momento):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 (a device)
        assert run("get", "none", env=momento, stderr=full) == (1, "", None)
