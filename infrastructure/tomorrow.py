"""Whether a fresh clone installs what is locked, whatever is released tomorrow.

`make setup-check` offers pip a version 999 of every package that is pinned or builds ours. Then it
sets up a commit in a folder whose name holds blanks, and looks at what is installed there.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure import pins, wheelhouse

ROOT = Path(__file__).parent.parent
LOCK = "requirements/dev.txt"

CLONE = "a fresh clone"
"""With blanks: a path that the Makefile does not quote breaks here."""

BROUGHT = {"pip", "setuptools"}
"""What `python -m venv` installs by itself, setuptools only up to Python 3.11."""

TIMEOUT_S = 600
"""Of each command; the longest takes about a minute, more with a slow index."""

OF_THE_CALLER = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEFILES", "PYTHON")
"""What the make that calls us tells those below it, such as -n, its job server, or a Python whose
environment would not be the one that is looked at here."""


class CommandError(Exception):
    """A command failed, or took too long.

    Args:
        command: its words.
        output: what it said.
    """

    def __init__(self, command: Sequence[str | Path], output: str) -> None:
        super().__init__(f"failed: {' '.join(map(str, command))}\n{output.strip()}")


def tempting(root: Path) -> set[str]:
    """The names of all packages that a pinned file of a repository holds, or its build asks for."""
    texts = [path.read_text("utf-8") for path in root.glob("requirements/*.txt")]
    build = _project(root)["build-system"]["requires"]
    return set[str]().union(*map(pins.names, [*texts, "\n".join(build)]))


def environment(caller: Mapping[str, str], links: Path) -> dict[str, str]:
    """The caller's environment, in which pip finds the wheels of a folder too."""
    kept = {name: value for name, value in caller.items() if name not in OF_THE_CALLER}
    # An address and no path, since pip splits the variable at blanks.
    found = [*kept.get("PIP_FIND_LINKS", "").split(), links.resolve().as_uri()]
    return {**kept, "PIP_FIND_LINKS": " ".join(found)}


def expected(root: Path, markers: Mapping[str, str]) -> pins.Locked:
    """What `make` installs in a repository: what is locked for the tests, and our own package."""
    told = _project(root)
    source = (root / told["tool"]["hatch"]["version"]["path"]).read_text("utf-8")
    [number] = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    name, version = pins.distribution(told["project"]["name"], number)
    return {**pins.locked((root / LOCK).read_text("utf-8"), markers), name: version}


def differences(root: Path, inspected: Mapping[str, Any]) -> list[str]:
    """How a repository's environment, as `pip inspect` tells it, differs from what is locked."""
    wanted = expected(root, inspected["environment"])
    told = [each["metadata"] for each in inspected["installed"]]
    found = [pins.distribution(each["name"], each["version"]) for each in told]
    ours = [each for each in found if each[0] in wanted or each[0] not in BROUGHT]
    return pins.differences(wanted, ours)


def run(*command: str | Path, environment: Mapping[str, str], stdin: bytes = b"") -> bytes:
    """What a command says.

    Raises:
        CommandError: it failed, or took longer than TIMEOUT_S.
    """
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            command,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stdout or b"") + (error.stderr or b"")
        raise CommandError(command, said.decode(errors="replace")) from error
    return done.stdout


def check(commit: str, folder: Path) -> tuple[list[str], str]:
    """Set up a commit in a folder, and compare.

    Returns:
        The differences from what is locked, and a line for when there are none.

    Raises:
        CommandError: it cannot be set up.
    """
    clone, links = folder / CLONE, folder / "links"
    clone.mkdir()
    # Not `git clone`, which refuses a repository that is another user's, as a container's often is.
    trusted = f"safe.directory={ROOT}"
    told = environment(os.environ, links)
    files = run("git", "-c", trusted, "-C", ROOT, "archive", commit, environment=told)
    run("tar", "-x", "-C", clone, stdin=files, environment=told)
    offered = tempting(clone)
    wheelhouse.fill(links, offered)
    run("make", "-C", clone, ".venv/.ready", environment=told)
    inspected = json.loads(
        run(clone / ".venv/bin/python", "-m", "pip", "inspect", environment=told)
    )
    locked = len(expected(clone, inspected["environment"]))
    good = f"a fresh clone installs exactly the {locked} packages that are locked"
    newer = f"pip was offered version {wheelhouse.VERSION} of {len(offered)}"
    return differences(clone, inspected), f"setup-check: {good}, though {newer}"


def main() -> None:
    """Exit status 1, with what differs, if a commit is not set up as it is locked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--commit", default="HEAD", help="what to set up, by default HEAD")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tally-") as folder:
        try:
            found, line = check(told.commit, Path(folder))
        except CommandError as error:
            sys.exit(f"setup-check: {error}")
    if found:
        sys.exit("\n  ".join([f"setup-check: what is installed is not what {LOCK} locks", *found]))
    sys.stdout.write(f"{line}\n")


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


if __name__ == "__main__":
    main()
