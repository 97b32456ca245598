"""The file of what was not sent: whole increments, in the order of their telling, or on stderr."""

import errno
import json
import os
import shlex
import subprocess
import threading
from pathlib import Path

import pytest

from tally.cli.unsent import UnsentFile
from tally.counters.event import Increment, encode
from tests.cli.sending import WAIT_S, Try, line, refuse
from tests.support.processes import TALLY
from tests.support.terminal import QUIET

UNTIL_IT_WAITS_S = 0.1
NO_CREDENTIALS = QUIET | {"SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/a"}
INCREMENTS = [Increment(counter=name) for name in ("first", "second", "third")]
LINES = [encode(one) + b"\n" for one in INCREMENTS]


class Slow(tuple[Increment, ...]):
    """Increments whose writing takes until it is told to go on."""

    __slots__ = ()
    is_begun, may_go_on = threading.Event(), threading.Event()

    def __iter__(self):
        self.is_begun.set()
        assert self.may_go_on.wait(WAIT_S)
        return super().__iter__()


class Disk:
    """A disk that has room for so many bytes, of which it takes seven at a time."""

    def __init__(self, room):
        self.room = room

    def write(self, descriptor, data):
        taken = data[: min(self.room, 7)]
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(taken)
        return os.write(descriptor, taken)


def test_the_next_unsent_wait_for_those_that_are_being_written(tmp_path):
    path = tmp_path / "unsent.jsonl"
    file = UnsentFile(path)
    slow = threading.Thread(target=file.keep, args=(Slow([Increment(counter="first")]),))
    slow.start()
    assert Slow.is_begun.wait(WAIT_S)
    after = threading.Thread(target=file.keep, args=([Increment(counter="second")],))
    after.start()
    after.join(UNTIL_IT_WAITS_S)
    Slow.may_go_on.set()
    for thread in (slow, after):
        thread.join(WAIT_S)
    assert path.read_bytes() == b'{"counter":"first"}\n{"counter":"second"}\n'
    assert file.kept == 2


@pytest.mark.parametrize("room", range(sum(map(len, LINES)) + 1))
def test_wherever_a_disk_is_full_the_file_holds_whole_lines_and_the_rest_is_told(tmp_path, room):
    path = tmp_path / "unsent.jsonl"
    disk = Disk(room)
    file = UnsentFile(path, write=disk.write)
    rest = [*file.keep(INCREMENTS[:2]), *file.keep(INCREMENTS[2:])]
    kept = sum(sum(map(len, LINES[: count + 1])) <= room for count in range(3))
    assert path.read_bytes() == b"".join(LINES[:kept])
    assert file.kept == kept
    assert rest == INCREMENTS[kept:]
    assert file.problem == ("" if kept == 3 else f"{path}: No space left on device")


def test_what_a_file_does_not_take_is_on_standard_error():
    status, said = Try(refuse, unsent=Path("/dev/full")).send([line(1), line(2)])
    lines = [json.loads(one) for one in said if one.startswith("{")]
    assert [one["seq"] for one in lines] == [0, 1]
    printed = "not kept, but printed above, one a line: 2 increments"
    assert (status, [one for one in said if not one.startswith("{")]) == (
        1,
        [
            "not confirmed: AccessDenied (HTTP 403)",
            f"{printed} (/dev/full: No space left on device)",
            "0 increments confirmed in 0 messages, 2 not confirmed, 0 invalid",
        ],
    )


def test_a_disk_that_fills_up_under_the_unsent_loses_none_of_them(tmp_path):
    path = tmp_path / "unsent.jsonl"
    send = shlex.join([*TALLY, "send", "a", "--count", "200", "--unsent", str(path)])
    command = f"ulimit -f 8; exec {send}"
    env = {name: value for name, value in (os.environ | NO_CREDENTIALS).items() if value}
    answer = subprocess.run(  # noqa: S603 - our own command
        ["/bin/bash", "-c", command], env=env, capture_output=True, check=False, timeout=30
    )
    kept = path.read_bytes().splitlines()
    printed = [one for one in answer.stderr.splitlines() if one.startswith(b"{")]
    assert answer.returncode == 1
    assert [json.loads(one)["seq"] for one in kept + printed] == list(range(200))
    assert f"kept, to be sent again: {len(kept)} increments\n".encode() in answer.stderr
    assert f"one a line: {len(printed)} increments ({path}: File too large)\n".encode() in (
        answer.stderr
    )
