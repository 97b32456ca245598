"""Files of the user's named as modules are: no process of the local stack may execute them."""

import re
import shlex
import subprocess
import sys

import pytest

from tally.local.child import OUR_FOLDER, Child, search_path
from tally.local.lambda_.environment import LambdaEnvironment
from tests.support.processes import WAIT_S, tally, wait_until
from tests.support.terminal import QUIET, Terminal

OURS = OUR_FOLDER
EXPORT = re.compile(r"export ([A-Za-z_]+)=(.+)\n")
NAMES = (
    "queue",
    "local",
    "consumer",
    "counters",
    "store",
    "producer",
    "cli",
    "tally",
    "moto",
    "sitecustomize",
)
"""What people call files of their own, and the standard library or a package is called as well."""
UP = ("local", "up", "--momento-port", "0", "--sqs-port", "0", "--http-port", "0")

PROGRAM = """if True:
    from tally.local.sqs.queue import LocalQueue
    with LocalQueue():
        print("started")
"""


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """The file that appears if a file in the current folder is executed."""
    marker = tmp_path / "executed"
    for name in NAMES:
        code = f"open({str(marker)!r}, 'a').write(__file__ + '\\n')\n"
        tmp_path.joinpath(f"{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    return marker


def test_a_server_executes_no_file_of_the_current_folder(marker):
    child = Child("tally.local.sqs.queue", ["--port=0"])
    try:
        assert "queue_url" in child.start()
    finally:
        child.stop()
    assert not marker.exists()


def test_a_function_executes_no_file_of_the_current_folder(marker):
    function = LambdaEnvironment("tests.support.handlers.echo")
    assert function.invoke(b"17").response == b"17"
    function.close()
    assert not marker.exists()


def test_the_stack_counts_in_a_folder_with_files_named_like_modules(marker):
    with tally(*UP, env=QUIET) as process:
        lines = iter(process.stdout.readline, "")
        exported: dict[str, str] = {}
        while "TALLY_URL" not in exported:
            exported |= dict(EXPORT.findall(next(lines)))
        variables = {
            name: shlex.split(value)[0] for name, value in exported.items() if name != "PATH"
        }
        terminal = Terminal(variables)
        assert terminal("send", "page:home").status == 0
        assert wait_until(lambda: terminal("get", "page:home").stdout == "1\n")
        process.terminate()
        assert process.wait(WAIT_S) == 0
    assert not marker.exists()


@pytest.mark.parametrize(
    ("path", "started_as_module", "found"),
    [
        (["", "/lib", OURS], False, ["/lib", OURS]),  # python -c, and a prompt
        (["/here", "/lib", OURS], True, ["/lib", OURS]),  # python -m
        (["/here", "/lib", OURS], False, ["/here", "/lib", OURS]),  # python /here/program.py
        (["/here", "/lib", "/here", OURS], True, ["/lib", "/here", OURS]),  # installed there
        (["", "src", "/lib", OURS], False, ["/here/src", "/lib", OURS]),
        (["", "/lib"], False, [OURS, "/lib"]),  # python -c in a checkout, with nothing installed
    ],
)
def test_a_child_finds_what_its_parent_finds_but_nothing_by_where_it_starts(
    path, started_as_module, found
):
    assert search_path(path, cwd="/here", puts_folder_first=started_as_module) == found


def test_a_program_started_as_a_module_does_not_bring_the_current_folder(tmp_path):
    tmp_path.joinpath("program.py").write_text(PROGRAM)
    tmp_path.joinpath("moto.py").write_text("raise SystemExit('the moto.py of the user')\n")
    said = subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "started\n", "")
