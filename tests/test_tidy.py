"""Style is a test: every Python file keeps every rule, and every rule can fail."""

from functools import cache
from pathlib import Path

import pytest

from tests.support.tidy import PACKAGES, RULES, SourceFile
from tests.support.tidy_rules import addresses

ROOT = Path(__file__).parent.parent
FOLDERS = (*PACKAGES, "benchmarks", "examples", "infrastructure", "requirements", "tests")
INSTALLED = "node_modules"  # what npm put below examples/: others' files
FILES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in ROOT.glob(f"{folder}/**/*.py")
    if INSTALLED not in path.parts
)
REQUIREMENTS = sorted(ROOT.glob("requirements/*.txt"))
SNIPPETS = [(name, bad) for name, rule in RULES.items() for bad in rule.bad]


@cache
def sources():
    """Every file, read and parsed once for all rules."""
    return [SourceFile(path, (ROOT / path).read_text(encoding="utf-8")) for path in FILES]


@pytest.mark.parametrize("name", RULES)
def test_every_file_keeps_the_rule(name):
    assert [line for each in sources() for line in RULES[name].complaints(each)] == []


@pytest.mark.parametrize(("name", "bad"), SNIPPETS, ids=lambda part: getattr(part, "path", part))
def test_a_rule_finds_what_breaks_it(name, bad):
    [complaint] = RULES[name].complaints(bad)
    assert complaint.startswith(f"{bad.path}:")


def test_every_package_and_the_tests_are_looked_at():
    assert {path.parts[0] for path in FILES} >= {*PACKAGES, "tests", "requirements"}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_pinned_files_hold_no_address_of_an_index_or_a_file(path):
    assert addresses(path.read_text(encoding="utf-8")) == []


# Written in parts, so that a search for such lines in the repository finds none.
INDEX, LINKS = "index" + "-url", "find" + "-links"


@pytest.mark.parametrize(
    "line",
    [
        f"--{INDEX} https://pypi.example/simple",
        f"--extra-{INDEX}=https://pypi.example/simple",
        "-i pypi",
        f"--{LINKS} wheels",
        "-f wheels",
        "--trusted-host pypi.example",
        "-e .",
        "./wheels/a.whl",
        "/srv/a.whl",
        "a @ file:///srv/a.whl",
        "a @ https://example/a.whl",
        "a==1 --hash=sha256:00 # from https://example",
    ],
)
def test_an_address_in_a_pinned_file_is_found(line):
    assert addresses(f"# via momento\nmomento==1.29.1 \\\n    --hash=sha256:00\n{line}\n") == [line]
