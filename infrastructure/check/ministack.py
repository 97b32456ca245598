"""MiniStack, an AWS on this machine: one process on 127.0.0.1, gone with its block."""

import contextlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from infrastructure.check.checking import HOST, free_port, wait_until
from infrastructure.check.leash import leashed
from infrastructure.template import ROOT

BIN = ROOT / ".venv-ministack" / "bin"
REGION = "eu-central-1"
MAX_START_S = 60


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
def ministack(log: Path, *, enforces: bool = False) -> Iterator[MiniStack]:
    """Start MiniStack, and stop it at the end; what it says is in the log.

    Args:
        log: a file.
        enforces: whether it refuses what IAM's policies do not allow; the key `test` may do all.

    Raises:
        CheckFailedError: it does not answer in time.
    """
    port = free_port()
    variables = {
        "AUTH": str(enforces).lower(),
        "BIND_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",  # these two listen at ports of their own
        "SFTP_ENABLED": "0",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # its functions run with its Python
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment = {**os.environ, **variables}
    with leashed([str(BIN / "ministack")], log, variables=environment):
        started = MiniStack(port)
        wait_until(started.is_up, MAX_START_S, "MiniStack does not answer")
        yield started
