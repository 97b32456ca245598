"""A package under AWS's own runtime interface emulator: Lambda's runtime API, with its timeout.

The emulator comes with SAM, and Lambda's side of Python (awslambdaric) from PyPI; both are in
.venv-deploy. The package stays as it was built: what Lambda has beside it is put beside it here.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from infrastructure.check.checking import HOST, CheckFailedError, expect, free_port, wait_until
from infrastructure.check.deployment import architecture
from infrastructure.check.function import TIMEOUT_S, Function
from infrastructure.check.leash import leashed, processes
from infrastructure.template import ROOT
from tally.local.sqs.aws import sqs_variables

LIBRARIES = ROOT / ".venv-deploy" / "lib"
BINARY = "samcli/local/rapid/aws-lambda-rie-{}"
INVOCATIONS = "/2015-03-31/functions/function/invocations"
"""The emulator has one function, and this is its name."""

RUNTIME = (
    *("awslambdaric", "simplejson", "snapshot-restore-py"),
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
)
"""What Lambda's Python has beside a package: its own client, and boto3. Nothing else may be found
there, or a package that lacks something would run here and not in Lambda."""

MAX_START_S = 20
MAX_ANSWER_S = 60
"""Longer than an init and a timeout: the emulator answers in each case."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an invocation came to: a response, or an error as Lambda tells of it."""

    body: Any
    duration_s: float


class Emulator:
    """A function that runs.

    Args:
        port: where the emulator listens.
        session: of its processes.
    """

    def __init__(self, port: int, session: int) -> None:
        self._port = port
        self._session = session

    def invoke(self, event: Mapping[str, Any]) -> Answer:
        """Hand it an event, and wait for what it answers.

        Raises:
            CheckFailedError: it did not answer within its timeout, or could not even start.
        """
        caller = http.client.HTTPConnection(HOST, self._port, timeout=MAX_ANSWER_S)
        started = time.monotonic()
        with contextlib.closing(caller):
            caller.request("POST", INVOCATIONS, json.dumps(event))
            response = caller.getresponse()
            text = response.read().decode()
        duration_s = time.monotonic() - started
        expect(response.status == http.HTTPStatus.OK, f"the function cannot run: {text}")
        try:
            return Answer(json.loads(text), duration_s)
        except ValueError:
            raise CheckFailedError(text) from None  # the emulator's own words: timed out

    def is_listening(self) -> bool:
        """Whether it takes invocations. The function itself starts with the first."""
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self._port)) == 0

    def processes(self) -> list[int]:
        """The emulator, and the function once it has started: other ones after each restart."""
        return processes(self._session)

    def peak_mib(self) -> float:
        """The most memory that its largest process, the function, has had so far."""
        return max(map(_peak_kib, self.processes())) / 1024


@contextlib.contextmanager
def emulator(function: Function, folder: Path) -> Iterator[Emulator]:
    """Start a function, and end it with the block.

    Args:
        function: what to run.
        folder: for its log, and for what Lambda has beside a package.

    Raises:
        CheckFailedError: the emulator does not start.
    """
    [libraries] = LIBRARIES.glob("python3*/site-packages")
    runtime = folder / "runtime"
    if not runtime.exists():
        lay_runtime(libraries, runtime)
    port = free_port()
    # Its own default for the first of them is all interfaces.
    places = ["--runtime-interface-emulator-address", f"{HOST}:{port}"]
    places += ["--runtime-api-address", f"{HOST}:{free_port()}"]
    binary = libraries / BINARY.format(architecture())
    python = [sys.executable, "-S", "-m", "awslambdaric"]  # -S: nothing from its own site-packages
    command = [str(binary), *places, *python, function.handler]
    log = folder / f"{function.name}.log"
    variables = environment(function, runtime)
    with leashed(command, log, variables=variables, folder=function.package) as session:
        started = Emulator(port, session)
        wait_until(started.is_listening, MAX_START_S, "the emulator does not listen")
        yield started


def lay_runtime(libraries: Path, target: Path) -> None:
    """Link what Lambda has beside a package, and nothing else, into a folder."""
    target.mkdir()
    for name in RUNTIME:
        [distribution] = metadata.distributions(name=name, path=[str(libraries)])
        tops = {file.parts[0] for file in distribution.files or ()}
        for top in tops - {"..", "__pycache__"}:
            (target / top).symlink_to(libraries / top)


def environment(function: Function, runtime: Path) -> dict[str, str]:
    """A function's environment: what Lambda sets, and what the template does."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    nothing = f"http://{HOST}:9"
    return {
        **sqs_variables(nothing),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (function.package, runtime))),
        "PYTHONDONTWRITEBYTECODE": "1",  # in Lambda a package cannot be written to
        "LAMBDA_TASK_ROOT": str(function.package),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_S),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        **function.variables,
    }


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) if found else 0
