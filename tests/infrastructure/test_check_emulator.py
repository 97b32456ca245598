"""How the emulator is asked and what a package finds beside it, without the emulator."""

import os
from urllib.parse import urlsplit

import pytest

from infrastructure.check.checking import CheckFailedError, free_port
from infrastructure.check.emulator import INVOCATIONS, RUNTIME, Emulator, environment, lay_runtime
from infrastructure.check.function import Function
from tests.support.http_servers import served


@pytest.fixture(scope="module")
def emulator():
    """It answers as the event says: with a status and a text."""

    def answer(request):
        event = request.get_json(force=True)
        return event["status"] if request.path == INVOCATIONS else 404, event["text"]

    with served(answer) as url:
        yield Emulator(urlsplit(url).port, os.getsid(0))


@pytest.fixture
def libraries(tmp_path):
    """A site-packages folder with what Lambda has, and with something else."""
    for name in (*RUNTIME, "pydantic"):
        module = name.replace("-", "_")
        about = tmp_path / "libraries" / f"{module}-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        files = (f"{module}/__init__.py", f"{module}/a/b.py", f"{about.name}/METADATA")
        rest = ("__pycache__/c.pyc", "../../bin/d")
        for path in files[:-1]:  # Python 3.12 leaves out of a record what does not exist
            (about.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (about.parent / path).touch()
        (about / "RECORD").write_text("".join(f"{path},,\n" for path in (*files, *rest)))
    return tmp_path / "libraries"


def test_a_response_is_read_and_timed(emulator):
    answer = emulator.invoke({"status": 200, "text": '{"batchItemFailures": []}'})
    assert answer.body == {"batchItemFailures": []}
    assert 0 < answer.duration_s < 60


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"status": 200, "text": "Task timed out"}, "^Task timed out$"),
        ({"status": 502, "text": "{}"}, r"^the function cannot run: \{\}$"),
    ],
)
def test_what_is_no_response_fails(emulator, event, reason):
    with pytest.raises(CheckFailedError, match=reason):
        emulator.invoke(event)


def test_whether_it_listens_is_seen_without_an_invocation(emulator):
    assert emulator.is_listening()
    assert not Emulator(free_port(), 0).is_listening()


def test_its_memory_is_that_of_its_largest_process(emulator):
    assert os.getpid() in emulator.processes()
    assert emulator.peak_mib() > 10


def test_beside_a_package_is_what_lambda_has_and_nothing_else(libraries, tmp_path):
    lay_runtime(libraries, tmp_path / "runtime")
    modules = {name.replace("-", "_") for name in RUNTIME}
    expected = modules | {f"{module}-1.dist-info" for module in modules}
    found = {path.name: path.readlink() for path in (tmp_path / "runtime").iterdir()}
    assert found == {name: libraries / name for name in expected}


def test_a_function_finds_its_package_first_and_no_secret_of_the_machine(tmp_path):
    told = Function("C", tmp_path / "c", "a.b", 256, 256, {"MOMENTO_CACHE_NAME": "tally"})
    found = environment(told, tmp_path / "runtime")
    assert found["PYTHONPATH"] == f"{tmp_path}/c{os.pathsep}{tmp_path}/runtime"
    assert found["MOMENTO_CACHE_NAME"] == "tally"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert found["AWS_LAMBDA_FUNCTION_TIMEOUT"] == "5"
    assert found["AWS_ACCESS_KEY_ID"] == "testing"
    kept = {name for name, value in found.items() if os.environ.get(name) == value}
    assert kept <= {"PATH", "PYTHONDONTWRITEBYTECODE"}
