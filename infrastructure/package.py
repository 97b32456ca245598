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
from typing import NamedTuple

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
"""What no Lambda runs: tests, types, and bytecode that somebody else made."""

TASK = "/var/task"
"""Where Lambda puts a package, and may write nothing: without bytecode each cold start compiles."""

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
    "ConsumerFunction": Function("consumer", "lambda.txt", 36 * MIB),
    "ApiFunction": Function("producer", "api.txt", 46 * MIB),
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


def compile_all(target: Path, python: str) -> bool:
    """Compile what a package holds, if this machine has the Python that it is for.

    It is not to be compared with its source (PEP 552, unchecked), holds no time and no path of this
    machine, and sets are in one order: so one source is one package.

    Returns:
        Whether it was compiled.

    Raises:
        subprocess.CalledProcessError: a file does not compile.
    """
    mine = "{}.{}".format(*sys.version_info)
    found = sys.executable if mine == python else shutil.which(f"python{python}")
    if not found:
        return False
    command = [found, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(target), "-p", TASK, str(target)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(command, check=True, env=environment)  # noqa: S603 (our own words)
    return True


class Tools(NamedTuple):
    """What fills a package.

    Attributes:
        install: puts requirements into a directory, for an architecture and a Python.
        compiled: compiles a directory for a Python, and says whether it could.
    """

    install: Callable[[Path, Path, str, str], None] = pip_install
    compiled: Callable[[Path, str], bool] = compile_all


OURS = Tools()


def package(
    name: str,
    target: Path,
    *,
    architecture: str = "arm64",
    python: str = PYTHON,
    root: Path = ROOT,
    tools: Tools = OURS,
) -> str:
    """Make the package of a function anew, and say what it came to.

    Args:
        name: the function's name in template.yaml.
        target: the directory; what was in it is gone.
        architecture: as Lambda calls it.
        python: the version that it runs with.
        root: of the repository.
        tools: what fills it.

    Returns:
        A line with its size, whether it holds bytecode, and a digest of all it holds.

    Raises:
        NotLockedError: what is installed is not what is locked.
        TooLargeError: it is longer than it may be.
    """
    function = FUNCTIONS[name]
    requirements = root / "requirements" / function.requirements
    empty(target)
    tools.install(requirements, target, architecture, python)
    verify(name, target, requirements.read_text("utf-8"), markers(architecture, python))
    for each in (function.folder, "tally"):
        shutil.copytree(root / each, target / each, ignore=partial(_all_but_code, root))
    prune(target)
    with_bytecode = "with" if tools.compiled(target, python) else "without"
    date(target)
    files = list(_files(target))
    held = f"{_size(name, files):,} bytes in {len(files):,} files, {with_bytecode} bytecode"
    return f"{name} for {architecture}, Python {python}: {held}, sha256 {_digest(target, files)}"


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
    """Take out what no Lambda runs."""
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


def date(target: Path) -> None:
    """Give all that a package holds the same time, and the modes that Lambda needs."""
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


def _size(name: str, files: Sequence[Path]) -> int:
    size = sum(path.stat().st_size for path in files)
    if size > FUNCTIONS[name].max_bytes:
        raise TooLargeError(name, size)
    return size


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
