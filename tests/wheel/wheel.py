"""The built wheel, and environments that hold it and what one of its extras asks for."""

import importlib.metadata
import os
import subprocess
import sys
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).with_name("uv")
BUILD_TIMEOUT_S = 60
INSTALL_TIMEOUT_S = 60
NAME = "tally-counters"


def build(folder):
    """Build the wheel, as `pip wheel` would, and nothing is downloaded for it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(  # noqa: S603 (our own command)
        command, cwd=ROOT, check=True, capture_output=True, timeout=BUILD_TIMEOUT_S
    )
    [wheel] = folder.glob("*.whl")
    return wheel


def metadata(wheel):
    """The METADATA of a wheel: fields, and the long description as its payload."""
    with zipfile.ZipFile(wheel) as archive:
        [path] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(path).decode())


class WheelEnvironment:
    """A virtual environment that has the wheel, and of others only what an extra asks for.

    The others are links to what this environment has, which is what is locked; nothing is
    downloaded.
    """

    def __init__(self, folder, wheel, *extras, others=()):
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        [self.packages] = folder.glob("lib/python*/site-packages")
        self.install(wheel)
        for name in closure(wheel, extras, others):
            self._link(importlib.metadata.distribution(name))

    def install(self, wheel):
        """Install a wheel, and nothing that it asks for."""
        self._uv("install", "--offline", "--no-deps", str(wheel))

    def uninstall(self, name):
        """Uninstall a distribution."""
        self._uv("uninstall", name)

    def run(self, *command, cwd, timeout_s, **variables):
        """Run a Python of the environment."""
        return subprocess.run(  # noqa: S603 (our own command)
            [self.python, *command],
            cwd=cwd,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @property
    def variables(self):
        """This process's environment, without what leads a Python to this process's packages."""
        return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}

    @property
    def tally(self):
        """The console script."""
        return str(self.python.with_name("tally"))

    def _link(self, distribution):
        for top in {Path(file).parts[0] for file in distribution.files or ()} - {".."}:
            found, link = Path(distribution.locate_file(top)), self.packages / top
            if not link.exists() and found.exists():
                link.symlink_to(found)

    def _uv(self, verb, *arguments):
        command = [UV, "pip", verb, "--python", self.python, "--quiet", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)  # noqa: S603 (ours)


def closure(wheel, extras, others):
    """The names of all distributions that the wheel with these extras leads to, and `others`."""
    ours = metadata(wheel).get_all("Requires-Dist")
    found: dict[str, set[str]] = {}
    waiting = [Requirement(f"{NAME}[{','.join(extras)}]"), *map(Requirement, others)]
    while waiting:
        asked = waiting.pop()
        extras_of = {"", *asked.extras}
        if extras_of <= found.get(asked.name, set()):
            continue
        found[asked.name] = extras_of | found.get(asked.name, set())
        texts = ours if asked.name == NAME else importlib.metadata.requires(asked.name) or ()
        waiting += [each for each in map(Requirement, texts) if _applies(each, extras_of)]
    return sorted(found.keys() - {NAME})


def _applies(requirement, extras):
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
