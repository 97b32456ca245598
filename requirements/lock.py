"""Resolves the pinned files: hashes of every platform's wheels, and no index or file address."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")
RESOLVE = (
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
)
# With an emptied environment: what one machine's pip is told must not reach a file for all.
CLEAN = ("--no-config", "--no-emit-index-url", "--no-emit-find-links", "--no-header")
OURS = "pyproject.toml"
FILES = {
    "lambda.txt": ("--group", f"{OURS}:consumer"),
    "api.txt": ("--group", f"{OURS}:api", "--constraint", "requirements/lambda.txt"),
    "dev.txt": (
        *(OURS, "--extra", "local", "--extra", "valkey", "--group", "dev"),
        *("--constraint", "requirements/api.txt"),
    ),
    "bench.txt": (OURS, "--group", "bench", "--constraint", "requirements/dev.txt"),
    # Tools with environments of their own, without anything of ours.
    "deploy.txt": ("--group", f"{OURS}:deploy"),
    "checkov.txt": ("--group", f"{OURS}:checkov"),
    "ministack.txt": ("--group", f"{OURS}:ministack"),
    "terraform.txt": ("--group", f"{OURS}:terraform"),
}


def main() -> None:
    """Write each file in order: the pins of a Lambda bind all that is developed against it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    for name, options in FILES.items():
        target = f"requirements/{name}"
        upgrade = sys.argv[1:]  # `--upgrade`, or `--upgrade-package NAME`
        command = [UV, *RESOLVE, *CLEAN, *options, *upgrade, "-o", target]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603 (our own words)


if __name__ == "__main__":
    main()
