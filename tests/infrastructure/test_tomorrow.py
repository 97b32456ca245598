"""What the check of the set-up offers pip, and what it takes for right."""

import csv
import os
import subprocess
import sys
import zipfile

import pytest
from pip._vendor.packaging.version import Version

from infrastructure import pins, tomorrow, wheelhouse

PROJECT = """\
[build-system]
requires = ["Hatchling>=1", "trove_classifiers"]
[project]
name = "Tally_Counters"
[tool.hatch.version]
path = "tally.py"
"""
DEV = """\
rich==15.0.0 \\
    --hash=sha256:00
numpy==2.4.6 ; python_full_version < '3.12'
numpy==2.5.5 ; python_full_version >= '3.12'
"""
MARKERS = {"python_full_version": "3.12.1"}
RIGHT = {"rich": "15.0.0", "NumPy": "2.5.5", "tally-counters": "0.1.0"}


@pytest.fixture
def root(tmp_path):
    """A repository with pinned files."""
    folder = tmp_path / "a repository"
    (folder / "requirements").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT, "utf-8")
    (folder / "tally.py").write_text('__version__ = "0.1.0"\n', "utf-8")
    (folder / "requirements" / "dev.txt").write_text(DEV, "utf-8")
    (folder / "requirements" / "bench.txt").write_text("redis==8.0\n", "utf-8")
    return folder


def inspected(versions):
    """As `pip inspect` says it."""
    told = [{"metadata": {"name": k, "version": v}} for k, v in versions.items()]
    return {"installed": told, "environment": MARKERS}


def test_pip_is_tempted_by_all_that_is_pinned_for_anybody_and_by_what_builds_ours(root):
    assert tomorrow.tempting(root) == {"hatchling", "trove-classifiers", "rich", "numpy", "redis"}


def test_what_is_locked_and_ours_is_expected(root):
    versions = {name.lower(): Version(version) for name, version in RIGHT.items()}
    assert tomorrow.expected(root, MARKERS) == versions


def test_what_venv_brings_along_is_no_difference(root):
    brought = {"pip": "23.2.1", "setuptools": "65.5"}
    assert tomorrow.differences(root, inspected({**RIGHT, **brought})) == []


def test_a_newer_release_a_missing_one_and_one_too_many_are_told(root):
    found = {"rich": "999", "numpy": "2.5.5", "wheel": "1"}
    assert tomorrow.differences(root, inspected(found)) == [
        "rich: 15.0.0 is locked, 999 is installed",
        "tally-counters: 0.1.0 is locked, nothing is installed",
        "wheel: nothing is locked, 1 is installed",
    ]


def test_setuptools_that_is_locked_must_be_as_it_is_locked(root):
    (root / "requirements" / "dev.txt").write_text(f"{DEV}setuptools==80.0\n", "utf-8")
    assert tomorrow.differences(root, inspected({**RIGHT, "setuptools": "65.5"})) == [
        "setuptools: 80.0 is locked, 65.5 is installed"
    ]


def test_pip_looks_where_it_was_told_to_and_into_the_folder(tmp_path):
    caller = {"PIP_FIND_LINKS": "/a  file:///b", "PIP_CERT": "/c", "MAKEFLAGS": "n", "PYTHON": "d"}
    links = tmp_path / "with blanks"
    address = f"{tmp_path.as_uri()}/with%20blanks"
    assert tomorrow.environment(caller, links) == {
        "PIP_FIND_LINKS": f"/a file:///b {address}",
        "PIP_CERT": "/c",
    }
    assert tomorrow.environment({}, links) == {"PIP_FIND_LINKS": address}


def test_pip_takes_the_newer_wheel_from_a_folder_with_blanks(tmp_path):
    links, target = tmp_path / "with blanks", tmp_path / "target"
    wheelhouse.fill(links, ["no-such-package"])
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target", target]
    environment = {**os.environ, "PIP_FIND_LINKS": links.as_uri()}
    asked = "no-such-package[toml]>=1"
    subprocess.run([*command, asked], env=environment, check=True)  # noqa: S603 (our own words)
    assert pins.installed(target) == [("no-such-package", Version("999"))]


def test_a_wheel_records_each_of_its_files(tmp_path):
    with zipfile.ZipFile(wheelhouse.wheel(tmp_path, "a-b")) as archive:
        record = archive.read("a_b-999.dist-info/RECORD").decode()
        rows = {name: size for name, _, size in csv.reader(record.splitlines())}
        sizes = {each.filename: str(each.file_size) for each in archive.infolist()}
    assert rows == {**sizes, "a_b-999.dist-info/RECORD": ""}


def test_a_command_that_fails_is_told_with_all_it_said():
    script = "print('half'); import sys; sys.exit('why')"
    with pytest.raises(tomorrow.CommandError) as caught:
        tomorrow.run(sys.executable, "-c", script, environment={})
    assert str(caught.value) == f"failed: {sys.executable} -c {script}\nhalf\nwhy"


def test_a_command_is_handed_its_input_and_environment():
    script = "import os, sys; print(sys.stdin.read() + os.environ['A'], end='')"
    said = tomorrow.run(sys.executable, "-c", script, environment={"A": "2"}, stdin=b"1")
    assert said == b"12"
