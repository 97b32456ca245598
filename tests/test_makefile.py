"""`make` in a checkout that was moved: it says so, and what to do, in place of a strange error."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WAIT_S = 20
PYTHON = """\
#!/bin/sh
# A python3 that knows nothing but `-m venv --clear FOLDER`; like a real one's, its programs name
# the folder in which they were made.
[ "$2" = venv ] || exit 0
mkdir -p "$4/bin"
for program in python tally sam cfn-lint; do
    printf 'test -e "%s" && echo ran %s\\n' "$PWD/$4" "$program" > "$4/bin/$program"
    chmod +x "$4/bin/$program"
done
"""
SETTING_UP = "Setting up .venv: about a minute, this once\n"


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a folder with blanks in its name."""
    folder = tmp_path / "my  own" / "Tally's"
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def make(folder, *targets):
    """What `make` says in a folder, and its exit status."""
    said = subprocess.run(  # noqa: S603 (our own Makefile)
        ["make", "--no-print-directory", *targets],  # noqa: S607 (any make)
        cwd=folder,
        env={"PATH": f"{folder.parents[1] / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return said.returncode, said.stdout, said.stderr


def moved(folder):
    return folder.rename(folder.parent / "Tally, moved")


def test_a_checkout_that_stays_is_set_up_once(checkout):
    status, stdout, stderr = make(checkout, "demo")
    assert (status, stderr) == (0, "")
    assert stdout.startswith(SETTING_UP)
    assert make(checkout, "demo") == (0, ".venv/bin/tally demo\nran tally\n", "")


def test_setup_makes_the_environment_and_says_how_to_go_on(checkout):
    ready = ".venv is ready: type .venv/bin/tally, or what docs/tutorial.md says\n"
    status, stdout, stderr = make(checkout, "setup")
    assert (status, stderr) == (0, "")
    assert stdout.startswith(SETTING_UP)
    assert stdout.endswith(ready)
    assert make(checkout, "setup") == (0, ready, "")


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        (".venv/.ready", "demo"),
        (".venv/.ready", "lint"),
        (".venv/.ready", "bench"),
        (".venv/.ready", ".venv/.ready"),
        (".venv-deploy/bin/.ready", "template"),
        (".venv-deploy/bin/.ready", "template-check"),
    ],
)
def test_a_moved_checkout_says_make_clean(checkout, made, asked):
    assert make(checkout, made)[0] == 0
    status, stdout, stderr = make(moved(checkout), asked)
    environment = made.partition("/")[0]
    assert (status, stdout) == (2, "")
    assert stderr.splitlines()[:2] == [
        f"This checkout was moved or copied: its {environment} was made in {checkout}.",
        "Run `make clean`, and then make what you wanted.",
    ]


def test_after_make_clean_a_moved_checkout_is_set_up_anew(checkout):
    assert make(checkout, "demo")[0] == 0
    new = moved(checkout)
    assert make(new, "clean")[0] == 0
    status, stdout, stderr = make(new, "demo")
    assert (status, stderr) == (0, "")
    assert stdout.startswith(SETTING_UP)
    assert stdout.endswith("ran tally\n")


def test_a_copied_checkout_says_so_and_the_first_one_goes_on(checkout):
    assert make(checkout, "demo")[0] == 0
    copy = shutil.copytree(checkout, checkout.parent / "copy")
    assert make(copy, "demo")[0] == 2
    assert make(checkout, "demo") == (0, ".venv/bin/tally demo\nran tally\n", "")


def test_a_checkout_reached_by_a_link_was_not_moved(checkout, tmp_path):
    assert make(checkout, "demo")[0] == 0
    link = tmp_path / "link"
    link.symlink_to(checkout)
    assert make(link, "demo") == (0, ".venv/bin/tally demo\nran tally\n", "")
