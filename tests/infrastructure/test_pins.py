"""What a pinned file locks, and how what is installed differs from it."""

import re

import pytest
from pip._vendor.packaging.requirements import InvalidRequirement
from pip._vendor.packaging.version import Version

from infrastructure import pins

TEXT = """\
# made by hand
typing_extensions==4.16.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via momento

numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
"""


def test_a_marker_says_for_whom_a_version_is_locked():
    for_old = pins.locked(TEXT, {"python_full_version": "3.11.9", "sys_platform": "linux"})
    for_new = pins.locked(TEXT, {"python_full_version": "3.12.0", "sys_platform": "win32"})
    assert for_old == {"typing-extensions": Version("4.16.0"), "numpy": Version("2.4.6")}
    assert for_new == {
        "typing-extensions": Version("4.16.0"),
        "numpy": Version("2.5.5"),
        "colorama": Version("0.4.6"),
    }


def test_the_names_are_all_that_are_pinned_for_anybody():
    assert pins.names(TEXT) == {"typing-extensions", "numpy", "colorama"}


@pytest.mark.parametrize("line", ["rich", "rich>=15", "rich==15,!=16", "rich===15"])
def test_what_is_not_pinned_to_one_version_is_refused(line):
    with pytest.raises(ValueError, match=rf"^{re.escape('rich')}.* is not pinned to one version$"):
        pins.locked(line, {})


def test_a_line_that_is_no_requirement_is_refused():
    with pytest.raises(InvalidRequirement):
        pins.names("--no-binary :all:")


def test_each_distribution_in_a_folder_names_itself(tmp_path):
    for folder in ("Flask-3.1.3", "other-1"):
        (tmp_path / f"{folder}.dist-info").mkdir()
    text = "Metadata-Version: 2.1\nName: Flask_Cors\nVersion: 3.01\n\nName: none\n"
    (tmp_path / "Flask-3.1.3.dist-info" / "METADATA").write_text(text, "utf-8")
    assert pins.installed(tmp_path) == [("flask-cors", Version("3.1"))]


def test_one_version_in_two_spellings_is_no_difference():
    pinned = {"flask-cors": Version("6.0.0")}
    assert pins.differences(pinned, [pins.distribution("Flask.Cors", "6.0")]) == []


def test_each_difference_is_named_once_and_in_order():
    pinned = {"a": Version("1"), "b": Version("1"), "c": Version("1"), "e": Version("1")}
    found = [
        pins.distribution(*each)
        for each in [("d", "1"), ("c", "10"), ("c", "9"), ("b", "2"), ("e", "1")]
    ]
    assert pins.differences(pinned, found) == [
        "a: 1 is locked, nothing is installed",
        "b: 1 is locked, 2 is installed",
        "c: 1 is locked, 9 and 10 is installed",
        "d: nothing is locked, 1 is installed",
    ]
