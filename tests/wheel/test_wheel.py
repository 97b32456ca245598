"""The wheel in a stranger's project: one name, its extras, and nothing in anybody's way."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import tally
from tests.wheel.conftest import THEIRS
from tests.wheel.wheel import ROOT, WheelEnvironment, metadata

RUN_S = 60
LINK = re.compile(r"\]\((?!https?://|#)([^)]+)\)")
USES = f"""
import {", ".join(THEIRS)}
from tally import Increment, Publisher, UnsentError, __version__

assert {{each.OWNER for each in ({", ".join(THEIRS)})}} == {{"stranger"}}
Publisher("http://127.0.0.1:9/queue").abandon()
print(__version__)
"""
FOREIGN = """import sys
from tally import Publisher, UnsentError
print(sorted({"grpc", "momento", "typer", "pydantic", "werkzeug"} & set(sys.modules)))
"""


def top_levels(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name.split("/")[0] for name in archive.namelist()}


def test_the_one_top_level_name_is_tally(wheel):
    assert top_levels(wheel) == {"tally", f"tally_counters-{tally.__version__}.dist-info"}


def test_the_wheel_says_what_it_is_and_its_description_leads_nowhere_that_is_not_there(wheel):
    told = metadata(wheel)
    assert told["Version"] == tally.__version__
    assert LINK.findall(told.get_payload()) == []
    assert told.get_payload().startswith("# Tally in a program of your own")


def test_each_public_name_is_there_and_no_other(environment):
    script = "import json, tally; print(json.dumps({n: n in dir(tally) for n in tally.__all__}))"
    said = environment("read").run("-c", f"from tally import *; {script}", cwd="/", timeout_s=RUN_S)
    assert (said.returncode, said.stderr) == (0, "")
    assert json.loads(said.stdout) == dict.fromkeys(tally.__all__, True)


def test_a_program_with_packages_of_our_former_names_has_its_own_and_tally(environment, project):
    (project / "program.py").write_text(USES)
    said = environment().run("program.py", cwd=project, timeout_s=RUN_S)
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{tally.__version__}\n", "")


def test_so_does_a_program_under_pytest(wheel, project):
    (project / "test_program.py").write_text(
        "def test_program():\n" + re.sub("(?m)^", "    ", USES)
    )
    pytests = WheelEnvironment(project / ".venv", wheel, others=["pytest"])
    said = pytests.run("-m", "pytest", "-q", "test_program.py", cwd=project, timeout_s=RUN_S)
    assert (said.returncode, said.stdout.splitlines()[-1][:8]) == (0, "1 passed")


def test_its_tests_have_counters_and_momento_as_fixtures(wheel, tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tally.testing.fixtures"]\n')
    (tmp_path / "test_program.py").write_text(
        "def test_program(tally_counters, tally_momento):\n"
        "    with tally_counters.publisher() as publisher: publisher.publish('c')\n"
        "    assert tally_counters.reader().count('c') == 1\n"
        "    assert tally_momento.endpoint\n"
    )
    pytests = WheelEnvironment(tmp_path / ".venv", wheel, "read", others=["pytest"])
    said = pytests.run("-m", "pytest", "-q", "test_program.py", cwd=tmp_path, timeout_s=RUN_S)
    assert (said.returncode, said.stdout.splitlines()[-1][:8]) == (0, "1 passed")


@pytest.mark.parametrize("extra", ["", "local"])
def test_who_publishes_imports_no_sdk_but_boto3(environment, project, extra):
    said = environment(*filter(None, [extra])).run("-c", FOREIGN, cwd=project, timeout_s=RUN_S)
    assert (said.returncode, said.stdout, said.stderr) == (0, "[]\n", "")


def test_the_base_has_every_name_and_says_what_momento_needs(environment, project):
    variables = {"MOMENTO_LOCAL": "h:1", "MOMENTO_CACHE_NAME": "c"}
    read = f"from tally import *; Reader.from_environment({variables})"
    said = environment().run("-c", read, cwd=project, timeout_s=RUN_S)
    needs = "ImportError: counters in Momento need tally-counters[read]: No module named 'grpc'"
    assert said.stderr.splitlines()[-1] == needs
    serve = "from tally.testing import MomentoServer"
    said = environment().run("-c", serve, cwd=project, timeout_s=RUN_S)
    needs = "ImportError: MomentoServer needs tally-counters[read]: No module named 'grpc'"
    assert said.stderr.splitlines()[-1] == needs


@pytest.mark.parametrize(
    ("extras", "arguments", "said"),
    [
        ([], ["--help"], "tally: needs tally-counters[cli]: no module named "),
        (["read"], ["get", "c"], "tally: needs tally-counters[cli]: no module named "),
        (["cli"], ["demo"], "tally: demo needs tally-counters[local]: no module named "),
        (["cli"], ["local", "up"], "tally: local needs tally-counters[local]: no module named "),
    ],
)
def test_a_command_names_the_extra_that_it_lacks(environment, project, extras, arguments, said):
    told = environment(*extras).run("-m", "tally", *arguments, cwd=project, timeout_s=RUN_S)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(said)
    assert len(told.stderr.splitlines()) == 1


def test_a_shell_that_completes_a_command_is_not_told_what_that_lacks(environment, project):
    asked = {"_TALLY_COMPLETE": "complete_bash", "COMP_CWORD": "2", "COMP_WORDS": "tally demo --e"}
    told = environment("cli").run("-m", "tally", cwd=project, timeout_s=RUN_S, **asked)
    assert (told.returncode, told.stdout.split()) == (0, [])
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "command",
    [[], ["send"], ["get"], ["outcome"], ["watch"], ["reset"], ["doctor"], ["plan"], ["dlq"]],
    ids=" ".join,
)
def test_cli_is_all_that_a_command_against_aws_needs(environment, project, command):
    told = environment("cli").run("-m", "tally", *command, "-h", cwd=project, timeout_s=RUN_S)
    assert (told.returncode, told.stderr) == (0, "")


def test_distributions_of_our_former_names_come_and_go_beside_it(wheel, tmp_path):
    theirs = WheelEnvironment(tmp_path / "env", wheel)
    for name in ("store", "local"):
        theirs.install(other(tmp_path, name))
    (tmp_path / "program.py").write_text("from tally import Publisher; import local, store")
    assert theirs.run("program.py", cwd=tmp_path, timeout_s=RUN_S).stderr == ""
    for name in ("store", "local"):
        theirs.uninstall(name)
    said = theirs.run("-c", "from tally import Publisher", cwd=tmp_path, timeout_s=RUN_S)
    assert (said.returncode, said.stderr) == (0, "")


def other(folder, name):
    """The wheel of somebody else's distribution, with a package of its name."""
    path, inside = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": "",
        f"{inside}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{inside}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{inside}/RECORD"] = "".join(f"{each},,\n" for each in [*files, f"{inside}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)
    return path


def test_a_strictly_typed_program_is_clean(environment, project):
    shutil.copy(ROOT / "tests" / "typing" / "api.py", project / "program.py")
    python = str(environment("read").python)
    command = ["-m", "mypy", "--strict", "--warn-unused-ignores", "--python-executable", python]
    said = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, *command, "program.py"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert said.stdout == "Success: no issues found in 1 source file\n"
