"""What a release is made of, and that one source makes one release."""

import hashlib
import json
import os
import zipfile

import pytest

from infrastructure import release
from infrastructure.package import FUNCTIONS
from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED

PACKAGES = {"PackagesBucket": "packages", "PackagesPrefix": "tally/1.0/"}
INLINE_BYTES = 51_200
"""CloudFormation's most for a template that is not in S3."""


def fill(function, folder, when=0):
    """A package of two files, as if it was installed at some time, by somebody with their umask."""
    for name in ("tally/z.py", f"{FUNCTIONS[function].folder}/a.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n" * 50, "utf-8")
        path.chmod(0o600 if when else 0o664)
        os.utime(path, (when, when))
    return f"{function}: made"


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def template_of(folder):
    [path] = folder.glob("template-*.json")
    return path


@pytest.fixture
def released(tmp_path):
    release.release(tmp_path / "release", make=fill)
    return tmp_path / "release"


def test_two_builds_are_byte_identical(released, tmp_path):
    other = tmp_path / "elsewhere" / "again"
    release.release(other, make=lambda name, folder: fill(name, folder, when=1_790_000_000))
    assert content(other) == content(released)


def test_a_release_has_both_packages_the_template_and_their_sums(released):
    def digest(name):
        return hashlib.sha256((released / name).read_bytes()).hexdigest()

    [api] = released.glob("producer-*.zip")
    [consumer] = released.glob("consumer-*.zip")
    made = template_of(released)
    files = [consumer.name, api.name, made.name]
    assert sorted(content(released)) == ["SHA256SUMS", *sorted(files)]
    assert consumer.name == f"consumer-{digest(consumer.name)[:16]}.zip"
    assert made.name == f"template-{digest(made.name)[:16]}.json"
    assert (released / "SHA256SUMS").read_text("utf-8") == "".join(
        f"{digest(name)}  {name}\n" for name in sorted(files)
    )


def test_a_zip_has_the_files_of_its_package_in_order_and_readable_by_all(released):
    [path] = released.glob("consumer-*.zip")
    with zipfile.ZipFile(path) as zipped:
        assert [(each.filename, oct(each.external_attr >> 16)) for each in zipped.infolist()] == [
            ("consumer/a.py", "0o100644"),
            ("tally/z.py", "0o100644"),
        ]
        assert zipped.read("tally/z.py") == b"# tally/z.py\n" * 50


def test_the_template_differs_from_the_transformed_one_in_where_the_packages_are(
    released, template
):
    made = json.loads(template_of(released).read_text("utf-8"))
    stack = TemplateStack(made, {**REQUIRED, **PACKAGES})
    for function, told in FUNCTIONS.items():
        [name] = [path.name for path in released.glob(f"{told.folder}-*.zip")]
        code = {"S3Bucket": "packages", "S3Key": f"tally/1.0/{name}"}
        assert stack[function]["Code"] == code
        made["Resources"][function]["Properties"]["Code"] = {
            "S3Bucket": "bucket",
            "S3Key": "package.zip",
        }
    assert made["Resources"] == template["Resources"]
    assert list(made["Parameters"]) == [*PACKAGES, *template["Parameters"]]
    assert "Transform" not in made


def test_the_template_must_lie_in_a_bucket(released):
    assert template_of(released).stat().st_size > INLINE_BYTES


def test_a_template_that_was_not_transformed_again_is_not_released(tmp_path):
    changed = tmp_path / "template.yaml"
    changed.write_text("Resources: {}\n", "utf-8")
    with pytest.raises(release.OutOfDateError) as caught:
        release.release(tmp_path / "release", make=fill, source=changed)
    assert str(caught.value) == (
        "template.yaml has changed since it was transformed: run `make template`"
    )
    assert not (tmp_path / "release").exists()
