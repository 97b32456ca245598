"""Makes the package of a Lambda: what it runs with, for its processor, and the library.

`sam build` calls it through infrastructure/Makefile. It needs pip and a package index, and nothing
that is built: every dependency comes as a wheel, so the builder's own processor does not matter.
Nor can `pip check` look at what is for another one: its METADATA is compared with the pinned file.
"""

import argparse
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from infrastructure import pins

ROOT = Path(__file__).parent.parent
PYTHON = "3.14"
"""The runtime of template.yaml."""

MIB = 1 << 20

PLATFORMS = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")
"""Whose wheels run there: Lambda's Amazon Linux 2023 has glibc 2.34."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""How wheels call what Lambda calls its architectures."""

UNUSED = ("__pycache__", "tests", "testing", "testdata", "*.pyc", "*.pyi", "py.typed")
"""What no Lambda runs: tests, types, and bytecode, which holds the time of its making."""

METADATA = "METADATA"
"""All that is kept of a *.dist-info: pydantic and scanners for advisories read versions in it."""

EPOCH_S = 315_532_800
"""1980, the first year a zip can hold: the time of each file, so that one source is one package."""


@dataclasses.dataclass(frozen=True)
class Function:
    """A Lambda function of template.yaml."""

    folder: str
    """Its code, at the top of the repository and of its package."""
    requirements: str
    max_bytes: int
    """Unzipped. Lambda takes 250 MiB; this is what we have and a fifth more, since it is read at
    each cold start, and since a new dependency should be noticed."""


FUNCTIONS = {
    "ConsumerFunction": Function("consumer", "lambda.txt", 28 * MIB),
    "ApiFunction": Function("producer", "api.txt", 36 * MIB),
}
"""By their names in template.yaml."""

UNSHIPPED = (
    "tally/cli",
    "tally/local",
    "tally/testing",
    "tally/__main__.py",
    "producer/__main__.py",
)
"""What is for a person, for tests, and for one machine: no function runs it."""


class TooLargeError(Exception):
    """The package is longer than it may be.

    Args:
        name: of the function.
        size: of its package, in bytes.
    """

    def __init__(self, name: str, size: int) -> None:
        most = f"more than max_bytes={FUNCTIONS[name].max_bytes:,} (infrastructure/package.py)"
        super().__init__(f"{name}: {size:,} bytes unzipped, {most}")


class NotLockedError(Exception):
    """What was installed is not what the pinned file locks.

    Args:
        name: of the function.
        requirements: the pinned file's name.
        differences: a line for each package that is missing, not locked, or of another version.
    """

    def __init__(self, name: str, requirements: str, differences: Sequence[str]) -> None:
        what = f"{name}: what is installed is not what requirements/{requirements} locks"
        super().__init__("\n  ".join([what, *differences]))


def pip_install(requirements: Path, target: Path, architecture: str, python: str) -> None:
    """Install the pinned wheels of an architecture, and nothing that pip resolves.

    pip refuses what differs from its hash; and reads markers for the builder, not for the target.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-warn-conflicts", "--root-user-action=ignore"]  # the builder's own packages
    command += ["--target", str(target), "--no-compile", "--only-binary=:all:"]
    command += ["--no-deps", "--require-hashes"]
    command += ["--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        command += ["--platform", f"{platform}_{MACHINES[architecture]}"]
    subprocess.run([*command, "-r", str(requirements)], check=True)  # noqa: S603 (our own words)


def package(
    name: str,
    target: Path,
    *,
    architecture: str = "arm64",
    python: str = PYTHON,
    root: Path = ROOT,
    install: Callable[[Path, Path, str, str], None] = pip_install,
) -> str:
    """Make the package of a function anew, and say what it came to.

    Args:
        name: the function's name in template.yaml.
        target: the directory; what was in it is gone.
        architecture: as Lambda calls it.
        python: the version that it runs with.
        root: of the repository.
        install: puts requirements into a directory.

    Returns:
        A line with its size, and a digest of all it holds.

    Raises:
        NotLockedError: what is installed is not what is locked.
        TooLargeError: it is longer than it may be.
    """
    function = FUNCTIONS[name]
    requirements = root / "requirements" / function.requirements
    empty(target)
    install(requirements, target, architecture, python)
    verify(name, target, requirements.read_text("utf-8"), markers(architecture, python))
    for each in (function.folder, "tally"):
        shutil.copytree(root / each, target / each, ignore=partial(_all_but_code, root))
    prune(target)
    files = list(_files(target))
    size = sum(path.stat().st_size for path in files)
    if size > function.max_bytes:
        raise TooLargeError(name, size)
    what = f"{name} for {architecture}, Python {python}"
    return f"{what}: {size:,} bytes in {len(files):,} files, sha256 {_digest(target, files)}"


def verify(name: str, target: Path, requirements: str, environment: Mapping[str, str]) -> None:
    """Compare what was installed for a function with the text of its pinned file.

    Raises:
        NotLockedError: they differ.
    """
    pinned = pins.locked(requirements, environment)
    if differences := pins.differences(pinned, pins.installed(target)):
        raise NotLockedError(name, FUNCTIONS[name].requirements, differences)


def markers(architecture: str, python: str) -> dict[str, str]:
    """The values of PEP 508's markers in a Lambda; of its Python's patch nobody is told: 0."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def empty(target: Path) -> None:
    """Make a directory empty, and keep it: SAM made it, and looks for it."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def prune(target: Path) -> None:
    """Take out what no Lambda runs, and what differs from one making to the next."""
    commands = target / "bin"
    for path in [commands, *(path for pattern in UNUSED for path in target.rglob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have gone with its directory
    for path in target.glob("*.dist-info/*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != METADATA:
            path.unlink()
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (EPOCH_S, EPOCH_S))


def _all_but_code(root: Path, folder: str, names: Sequence[str]) -> list[str]:
    """What of our own packages no function runs: the published schema is for people."""

    def is_run(path: Path) -> bool:
        is_code = path.suffix == ".py" or path.is_dir()
        return is_code and path.relative_to(root).as_posix() not in UNSHIPPED

    return [name for name in names if not is_run(Path(folder, name))]


def _files(target: Path) -> Iterator[Path]:
    return (path for path in sorted(target.rglob("*")) if path.is_file())


def _digest(target: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        name, content = path.relative_to(target).as_posix(), path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def main() -> None:
    """Make the package that the command line names; exit status 1 if it must not be used."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("function", choices=FUNCTIONS)
    parser.add_argument("target", type=Path)
    parser.add_argument("--architecture", choices=MACHINES, default="arm64")
    parser.add_argument("--python", default=PYTHON, help=f"by default {PYTHON}, as the template's")
    told = parser.parse_args()
    try:
        made = package(
            told.function, told.target, architecture=told.architecture, python=told.python
        )
    except (NotLockedError, TooLargeError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
