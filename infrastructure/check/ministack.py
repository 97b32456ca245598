"""MiniStack, an AWS on this machine: one process on 127.0.0.1, gone with its block."""

import contextlib
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from infrastructure.check.checking import wait_until
from infrastructure.template import ROOT

BIN = ROOT / ".venv-ministack" / "bin"
HOST = "127.0.0.1"
REGION = "eu-central-1"
MAX_START_S = 60
MAX_STOP_S = 20


class MiniStack:
    """A running MiniStack.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"

    def client(self, service: str) -> Any:  # noqa: ANN401 (boto3 makes its clients as it runs)
        """A client of one of its services."""
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 (it opens nothing)
        )

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1) as answer:  # noqa: S310 (our own address)
                return bool(answer.status == 200)  # noqa: PLR2004 (HTTP's own)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextlib.contextmanager
def ministack(log: Path) -> Iterator[MiniStack]:
    """Start MiniStack, and stop it at the end; what it says is in the log.

    Raises:
        CheckFailedError: it does not answer in time.
    """
    port = _free_port()
    variables = {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # its functions run with its Python
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 (our own words)
            [BIN / "ministack"],
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        started = MiniStack(port)
        wait_until(started.is_up, MAX_START_S, "MiniStack does not answer")
        yield started
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop it and the environments of its functions, which are in its session."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(MAX_STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(MAX_STOP_S)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port
