"""Makes what a stack needs of Tally, for Terraform, CDK and CI: two zips and a template.

The template is what SAM makes of template.yaml, so that no transform is left for AWS: it asks for
no CAPABILITY_AUTO_EXPAND, and CDK can include it. It finds the zips in the bucket and below the
prefix that its two parameters name, so one release serves every account and region.
"""

import argparse
import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure.package import FUNCTIONS, NotLockedError, TooLargeError, package
from infrastructure.template import DIGEST, ROOT, TEMPLATE, TRANSFORMED, digest

TARGET = ROOT / "build" / "release"

DATED = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can hold: an entry's own would make each build another zip."""

FILE_MODE = 0o100644
"""A plain file that everybody may read: Lambda runs a function as a user of its own."""

UNIX = 3
"""How a zip calls the system that FILE_MODE is of."""

COMPRESS_LEVEL = 9

NAME_DIGITS = 16
"""How much of its SHA-256 is in a file's name: CloudFormation sees new code, and Terraform a new
template, only by a new name."""

SUMS = "SHA256SUMS"

PARAMETERS = {
    "PackagesBucket": {
        "Type": "String",
        "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "ConstraintDescription": "the name of a bucket",
        "Description": "The bucket, in the stack's region, that holds both functions' zips.",
    },
    "PackagesPrefix": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "|[A-Za-z0-9/_.-]+/",
        "ConstraintDescription": "a prefix that ends with a slash, or nothing",
        "Description": "What stands before the zips' names in the bucket, with a slash at its end.",
    },
}
"""What the template takes besides the parameters of template.yaml."""


class OutOfDateError(Exception):
    """The transformed template is not what template.yaml becomes now."""

    def __init__(self) -> None:
        super().__init__("template.yaml has changed since it was transformed: run `make template`")


def release(
    target: Path, *, make: Callable[[str, Path], str] = package, source: Path = TEMPLATE
) -> list[str]:
    """Make a release anew.

    Args:
        target: the directory; what was in it is gone.
        make: fills a directory with a function's package, and says what it came to.
        source: of which the transformed template was made.

    Returns:
        What was said of each package, and a line for each file, as in SHA256SUMS.

    Raises:
        OutOfDateError: the source has changed since then.
        NotLockedError, TooLargeError: a package must not be used (`infrastructure.package`).
    """
    transformed = json.loads(TRANSFORMED.read_text("utf-8"))
    if transformed["Metadata"][DIGEST] != digest(source.read_text("utf-8")):
        raise OutOfDateError
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    said, names = [], {}
    for function in FUNCTIONS:
        unpacked = target / function
        said.append(make(function, unpacked))
        names[function] = archive(unpacked, target, FUNCTIONS[function].folder).name
        shutil.rmtree(unpacked)
    template = target / "template.json"
    template.write_text(json.dumps(packaged(transformed, names), indent=1) + "\n", "utf-8")
    _call_by_digest(template)
    sums = [f"{_sha256(path)}  {path.name}" for path in sorted(target.iterdir())]
    (target / SUMS).write_text("\n".join(sums) + "\n", "utf-8")
    return [*said, *sums]


def archive(folder: Path, target: Path, name: str) -> Path:
    """Zip a folder: the same content is the same bytes, wherever and whenever it was made.

    Returns:
        The zip, in the target's directory: its name ends with its digest.
    """
    path = target / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), DATED)
            entry.create_system = UNIX
            entry.external_attr = FILE_MODE << 16
            zipped.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, COMPRESS_LEVEL)
    return _call_by_digest(path)


def packaged(transformed: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The template whose functions are in zips of these names, in a bucket that it is told."""
    template: dict[str, Any] = json.loads(json.dumps(transformed))
    template["Parameters"] = {**PARAMETERS, **template["Parameters"]}
    group = {"Label": {"default": "Packages"}, "Parameters": [*PARAMETERS]}
    template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].insert(0, group)
    for function, name in names.items():
        template["Resources"][function]["Properties"]["Code"] = {
            "S3Bucket": {"Ref": "PackagesBucket"},
            "S3Key": {"Fn::Sub": f"${{PackagesPrefix}}{name}"},
        }
    return template


def _call_by_digest(path: Path) -> Path:
    return path.rename(path.with_stem(f"{path.stem}-{_sha256(path)[:NAME_DIGITS]}"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a release in the directory that the command line names; exit status 1 if it fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path, nargs="?", default=TARGET)
    told = parser.parse_args(arguments)
    try:
        sys.stdout.write("\n".join(release(told.target)) + "\n")
    except (NotLockedError, OutOfDateError, TooLargeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
