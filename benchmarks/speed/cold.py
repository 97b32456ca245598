"""Cold start: our handler imported and built, against what any such handler has to import."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed.timing import interleaved

ROOT = Path(__file__).parents[2]

TIMING = "{}; import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"
"""What a fresh interpreter runs; its own start is not counted, since it is the same for all."""

OURS = "from consumer import handler, wiring; wiring.consumer()"
LIBRARIES = (
    "import momento; from aws_lambda_powertools import Logger, Metrics; "
    "from aws_lambda_powertools.utilities import batch"
)
ADAPTER = "import tally.stores.valkey.store"
BEFORE_ADAPTER = {
    "in the consumer": "import consumer.wiring",
    "in a program with a Reader alone": "import tally; tally.Reader",
}
"""What is imported before the adapter of Valkey, whatever holds the counters."""

CLIENT = "from tally.stores.dynamodb import calls; calls.connector(1.0, 20)()"
TABLES = {
    "our handler with a table alone, imported and built": (OURS, "pass"),
    "its client of DynamoDB, which its first batch makes": (CLIENT, "import consumer.wiring"),
    "boto3 and a client of DynamoDB, and nothing else": (
        "import boto3; boto3.client('dynamodb')",
        "pass",
    ),
}
"""What a cold start takes where a table decides, and what its process has done before."""

TABLE_VARIABLES = {
    "COUNTER_TABLE": "counters",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}
VARIABLES = {"MOMENTO_LOCAL": "127.0.0.1:1", "MOMENTO_CACHE_NAME": "tally"}


def starts(repeats: int) -> dict[str, list[float]]:
    """Seconds of each start, ours and the libraries' in turn, after one of each that is not told.

    All find their bytecode compiled, ours too, and beside nobody else's.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(folder)
        runs = {
            program: lambda _, program=program: start(program, environment)
            for program in (OURS, LIBRARIES)
        }
        interleaved(runs, range(1))
        return interleaved(runs, range(repeats))


def adapters(repeats: int) -> dict[str, list[float]]:
    """Seconds that the import of Valkey's adapter takes after each of BEFORE_ADAPTER, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(folder)
        runs = {
            name: lambda _, before=before: start(ADAPTER, environment, before)
            for name, before in BEFORE_ADAPTER.items()
        }
        interleaved(runs, range(1))
        return interleaved(runs, range(repeats))


def tables(repeats: int) -> dict[str, list[float]]:
    """Seconds of each of TABLES, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(folder, TABLE_VARIABLES)
        runs = {
            name: lambda _, told=told: start(told[0], environment, told[1])
            for name, told in TABLES.items()
        }
        interleaved(runs, range(1))
        return interleaved(runs, range(repeats))


def start(program: str, environment: Mapping[str, str], before: str = "pass") -> float:
    """Seconds that a program takes in a fresh interpreter, once what comes before it is done."""
    done = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-c", TIMING.format(before, program)],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def _environment(folder: str, variables: Mapping[str, str] = VARIABLES) -> dict[str, str]:
    environment = {**os.environ, **variables, "PYTHONPYCACHEPREFIX": folder}
    # `make` sets it, and then each of our starts would compile all our files again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
