"""Processes as Linux shows them in /proc: whose children they are, and where they listen."""

import contextlib
import ipaddress
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

WAIT_S = 20.0
POLL_S = 0.02
LISTENING = "0A"
TALLY = [sys.executable, "-P", "-m", "tally"]
"""-P, since the console script of the name looks for no module in the current folder either."""


def wait_until(is_so, wait_s=WAIT_S):
    """Wait until something is true, and tell whether it is in the end."""
    ends_at_s = time.monotonic() + wait_s
    while not (answer := is_so()) and time.monotonic() < ends_at_s:
        threading.Event().wait(POLL_S)
    return answer


@contextlib.contextmanager
def tally(*arguments, env, **options):
    """A `tally` command in a process of its own, whose group is killed in the end."""
    pipe = subprocess.PIPE
    environment = {name: value for name, value in (os.environ | env).items() if value is not None}
    options = {"text": True, "stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe} | options
    with subprocess.Popen(  # noqa: S603 - our own command
        [*TALLY, *arguments], env=environment, start_new_session=True, **options
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def children(pid):
    """The living children of a process: its pid and its command line, by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            _, parent = _state(folder)
            if parent == pid and is_running(folder.name):
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
    return found


def is_running(pid):
    """Whether any thread of a process lives.

    Its first thread may be a zombie while another still ends, and until then its sockets are open.
    """
    threads = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    for thread in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if _state(thread)[0] != "Z":
                return True
    return False


def is_stopped(pid):
    """Whether a signal has stopped every thread of a process."""
    return {_state(thread)[0] for thread in Path(f"/proc/{pid}/task").iterdir()} == {"T"}


def _state(folder):
    state, parent = folder.joinpath("stat").read_text().rpartition(") ")[2].split()[:2]
    return state, int(parent)


def main_thread_is_in(function):
    """Whether this process's main thread runs a function of this name."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def ctrl_c(number=signal.SIGINT):
    """Send this process's main thread a signal."""
    signal.pthread_kill(threading.main_thread().ident or 0, number)


@contextlib.contextmanager
def signalled_in(function, number=signal.SIGINT):
    """Inside, the main thread gets a signal as soon as it runs a function of this name."""

    def send():
        if wait_until(lambda: main_thread_is_in(function)):
            ctrl_c(number)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def listening(pids):
    """The addresses, as host:port, at which any of these processes listens."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENING and rest[5] in inodes:
                found.append(_address(local))
    return sorted(found)


def _address(local):
    host, port = local.split(":")
    words = [bytes.fromhex(host)[at : at + 4][::-1] for at in range(0, len(host) // 2, 4)]
    address = ipaddress.ip_address(b"".join(words))
    return f"{getattr(address, 'ipv4_mapped', None) or address}:{int(port, 16)}"


def _sockets(pid):
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if inode := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                yield inode[1]
