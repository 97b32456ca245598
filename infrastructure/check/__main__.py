"""Runs and deploys what was built: `make deploy-check` calls it, `python -m infrastructure.check`.

Exit status 1, a reason and the end of the log if anything is not as it should be.
"""

import sys
import tempfile
from pathlib import Path

from infrastructure.check import consuming, deploy, deployer, senders, serving
from infrastructure.check.checking import CheckFailedError
from infrastructure.check.deployment import build, zipped

LOG_LINES = 20


def main() -> None:
    """Build the packages, run them as Lambda would, and deploy them in each kind of deployment."""
    with tempfile.TemporaryDirectory(prefix="tally-deploy-") as made:
        folder = Path(made)
        packages = build(folder)
        try:
            consuming.check(packages, folder)
            serving.check(packages, folder)
            zips = {name: zipped(package) for name, package in packages.items()}
            for kind in deploy.KINDS:
                deploy.check(kind, zips, folder / f"ministack-{kind}.log")
            for kind in senders.KINDS:
                senders.check(kind, zips, folder / f"ministack-senders-{kind}.log")
            deployer.check(folder)
        except CheckFailedError as error:
            last = max(folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
            lines = last.read_text("utf-8", errors="replace").splitlines()
            sys.stderr.write("\n".join(lines[-LOG_LINES:]) + "\n")
            sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
