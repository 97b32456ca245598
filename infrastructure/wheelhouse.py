"""Fake wheels of releases that are not made yet, for pip to be tempted by."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

VERSION = "999"
"""Newer than whatever is locked."""

EXTRA = "toml"
"""pytest-cov asks for coverage[toml], so a release of coverage offers it; the others do no harm."""


def fill(folder: Path, names: Iterable[str]) -> None:
    """Make a folder of wheels, one of each name, for pip to look into."""
    folder.mkdir()
    for name in names:
        wheel(folder, name)


def wheel(folder: Path, name: str) -> Path:
    """Make a wheel that any Python installs: with its metadata, and without a module."""
    stem = f"{name.replace('-', '_')}-{VERSION}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\nProvides-Extra: {EXTRA}\n"
    files = {
        f"{stem}.dist-info/METADATA": metadata,
        f"{stem}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tally\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{path},{_hash(text)},{len(text.encode())}\n" for path, text in files.items()]
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, record: "".join([*lines, f"{record},,\n"])}.items():
            archive.writestr(inside, text)
    return path


def _hash(text: str) -> str:
    """As RECORD writes it: base64 without its padding."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
