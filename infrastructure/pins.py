"""What a pinned file locks, and how what is installed differs from it.

The reader of requirements is pip's own copy of `packaging`: who builds a Lambda's package has pip,
and may have nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

Locked = dict[str, Version]
"""The one version of each package, by its normalised name (PEP 503)."""

Installed = tuple[str, Version]
"""A distribution: its normalised name, and its version."""


def locked(pins: str, environment: Mapping[str, str]) -> Locked:
    """The version of each package that a pinned file locks, by normalised name.

    Args:
        pins: the text of the file, as `make lock` writes it.
        environment: the values of PEP 508's markers; those it lacks are of this Python.

    Raises:
        InvalidRequirement: a line is no requirement.
        ValueError: a requirement is not pinned to one version.
    """
    found: Locked = {}
    for pin in _requirements(pins):
        if pin.marker is None or pin.marker.evaluate(dict(environment)):
            found[canonicalize_name(pin.name)] = _version(pin)
    return found


def names(pins: str) -> set[str]:
    """The normalised names of all packages in a pinned file, whatever their markers say."""
    return {canonicalize_name(pin.name) for pin in _requirements(pins)}


def distribution(name: str, version: str) -> Installed:
    """A distribution as it names itself, made comparable with a pin."""
    return canonicalize_name(name), Version(version)


def installed(folder: Path) -> list[Installed]:
    """What was installed into a folder, as each distribution's METADATA tells it."""
    texts = (path.read_text("utf-8") for path in sorted(folder.glob("*.dist-info/METADATA")))
    told = (HeaderParser().parsestr(text) for text in texts)
    return [distribution(each["Name"], each["Version"]) for each in told]


def differences(pinned: Locked, found: Iterable[Installed]) -> list[str]:
    """A line for each package that is missing, not locked, or of another version; by name."""
    versions: dict[str, set[Version]] = {}
    for name, version in found:
        versions.setdefault(name, set()).add(version)
    lines = []
    for name in sorted(pinned.keys() | versions.keys()):
        want = {pinned[name]} if name in pinned else set()
        have = versions.get(name, set())
        if want != have:
            lines.append(f"{name}: {_said(want)} is locked, {_said(have)} is installed")
    return lines


def _requirements(pins: str) -> Iterator[Requirement]:
    """Hashes and comments stand in lines that are indented, or behind a backslash."""
    for line in pins.splitlines():
        if line.strip() and not line.startswith((" ", "#")):
            yield Requirement(line.partition("\\")[0])


def _version(pin: Requirement) -> Version:
    match [(each.operator, each.version) for each in pin.specifier]:
        case [("==", version)]:
            return Version(version)
    message = f"{pin} is not pinned to one version"
    raise ValueError(message)


def _said(versions: Iterable[Version]) -> str:
    return " and ".join(map(str, sorted(versions))) or "nothing"
