"""A server in a process of its own: how it starts, and that it is gone after its end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from tally.local.child import EXIT_WITH_PARENT, Child, ChildError
from tally.local.momento.server import MomentoProcess
from tests.support.momento import CACHE, Raw
from tests.support.processes import WAIT_S, main_thread_is_in, wait_until

SERVER = "tests.local.server"
SHORT_S = 0.3


@pytest.fixture
def child(started):
    """Makes a server, and ends it at last."""
    made = []

    def child(how, **options):
        made.append(Child(SERVER, [how], **options))
        return made[-1]

    yield child
    for one in made:
        one.stop()
    assert started() == {}


def test_a_server_starts_with_its_line_and_ends_with_its_standard_input(child):
    server = child("well")
    assert not server.is_alive
    assert server.start() == "listening on 127.0.0.1:1"
    assert server.is_alive
    server.stop()
    assert not server.is_alive
    server.stop()


def test_a_server_that_was_killed_as_by_a_crash_has_not_died_and_starts_again(child):
    server = child("well")
    server.start()
    server.kill()
    server.kill()
    assert (server.is_alive, server.has_died) == (False, False)
    server.start()
    assert (server.is_alive, server.has_died) == (True, False)


def test_a_server_is_told_to_end_with_its_parent(child):
    assert child("with arguments").start() == str([EXIT_WITH_PARENT, "with arguments"])


def test_a_server_is_of_a_group_of_its_own(child, started):
    child("well").start()
    [pid] = started()
    assert os.getpgid(pid) == pid


def test_a_server_that_does_not_start_is_an_error(child, capfd):
    server = child("not at all")
    with pytest.raises(ChildError) as refused:
        server.start()
    assert str(refused.value) == f"{SERVER} did not start; its reason is on stderr"
    assert capfd.readouterr().err == "no port\n"
    assert not server.is_alive


def test_a_server_that_says_nothing_in_time_is_ended(child, started):
    server = child("silently", start_timeout_s=SHORT_S)
    with pytest.raises(ChildError):
        server.start()
    assert started() == {}


def test_a_server_that_ends_for_nobody_is_killed(child, started):
    server = child("stubbornly", stop_timeout_s=SHORT_S)
    server.start()
    server.stop()
    assert started() == {}


def test_a_server_that_died_is_not_alive(child, started):
    server = child("well")
    assert not server.has_died
    server.start()
    [pid] = started()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive)
    assert server.has_died


def test_ctrl_c_while_a_server_starts_ends_it(child, started):
    def press_while_waiting():
        wait_until(lambda: main_thread_is_in("_first_line") and started())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    presser = threading.Thread(target=press_while_waiting)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        child("silently").start()
    presser.join()
    assert started() == {}


def test_the_embedded_momento_tells_where_it_is(started):
    momento = MomentoProcess(["a", "b"])
    assert momento.endpoint == ""
    line = momento.start()
    assert line == f"momento: listening on {momento.endpoint}"
    assert momento.endpoint.startswith("127.0.0.1:")
    momento.stop()
    assert started() == {}


def test_the_embedded_momento_is_emptied_and_starts_again_where_it_was(started):
    momento = MomentoProcess([CACHE])
    momento.start()
    before = momento.variables
    with contextlib.closing(Raw(momento)) as raw:
        raw.set(b"c", b"1")
        momento.flush()
        assert raw.get(b"c") is None
    momento.kill()
    with pytest.raises(ChildError, match=r"^the embedded Momento server was not emptied$"):
        momento.flush()
    momento.start()
    momento.flush()
    assert momento.variables == before
    momento.stop()
    assert started() == {}


@pytest.mark.parametrize(
    "arguments", [["tally.local.sqs.queue"], ["tally.local.momento", "--port", "0"]]
)
def test_a_server_whose_parent_ended_meanwhile_ends_in_silence(arguments):
    command = [sys.executable, "-m", *arguments, EXIT_WITH_PARENT]
    pipe = subprocess.PIPE
    server: Any = subprocess.Popen(  # noqa: S603 - our own programs
        command, stdin=pipe, stdout=pipe, stderr=pipe
    )
    with server:
        server.stdout.close()
        server.stdin.close()
        assert (server.wait(WAIT_S), server.stderr.read()) == (0, b"")
