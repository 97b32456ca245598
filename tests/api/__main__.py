"""Holds the API to its own OpenAPI document with schemathesis: `python -m tests.api`.

Every check, examples at the bounds, random ones good and bad, and sequences of calls along the
document's links; over the stack as `tally local up` has it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tally.local.http.server import serving
from tally.local.stack import Stack, StackSettings
from tally.local.watch import Watch

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 100


def main():
    """Run the stack and schemathesis on it; exit with its status."""
    options = argparse.ArgumentParser(prog="python -m tests.api", description=__doc__)
    options.add_argument("--examples", type=int, default=EXAMPLES, help="of each operation")
    options.add_argument("--seed", type=int, help="that a failed run has told")
    told = options.parse_args()
    watch, settings = Watch(), StackSettings()
    stack = Stack(settings, observe=watch.observe, wrap_function=watch.wrap)
    with stack, serving(stack, settings, watch) as url, tempfile.TemporaryDirectory() as folder:
        return subprocess.run(  # noqa: S603 - our own tools
            [SCHEMATHESIS, *_arguments(url, told)], cwd=folder, env=_environment(), check=False
        ).returncode


def _arguments(url, told):
    seed = [] if told.seed is None else ["--seed", str(told.seed)]
    return [
        *("run", f"{url}/openapi.json", "--max-examples", str(told.examples)),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--no-color", *seed),
    ]


def _environment():
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.hooks", "PYTHONPATH": str(ROOT)}
    return os.environ | hooks | {"no_proxy": "127.0.0.1"}


if __name__ == "__main__":
    sys.exit(main())
