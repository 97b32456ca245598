"""What goes into a package, and what does not."""

import sys
from importlib.util import MAGIC_NUMBER

import pytest

from infrastructure import package, pins
from infrastructure.package import FUNCTIONS, MIB, NotLockedError, TooLargeError

KEPT = {
    "grpc/__init__.py": 30,
    "grpc/_cython/cygrpc.so": 10,
}
LEFT_OUT = {
    "bin/doesitcache": 1,
    "grpc/__init__.pyi": 1,
    "grpc/__pycache__/a.pyc": 1,
    "grpc/old.pyc": 1,
    "grpc/py.typed": 1,
    "grpc/tests/test_a.py": 1,
    "grpc/tests/__pycache__/b.pyc": 1,
    "pydantic-2.dist-info/RECORD": 1,
    "pydantic-2.dist-info/licenses/LICENSE": 1,
}
PINS = """\
pydantic-core==2.50.4 \\
    --hash=sha256:00
    # via pydantic
pydantic==2.14 ; python_full_version >= '3.14' and platform_machine == 'aarch64' \\
    --hash=sha256:00
pydantic==2.13 ; python_full_version < '3.14' or platform_machine != 'aarch64' \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
"""
UNCHECKED = b"\x01\x00\x00\x00"
"""The flags of bytecode that is never compared with its source (PEP 552)."""

LOCKED = {"Pydantic_Core": "2.50.4", "pydantic": "2.14.0"}
OURS = [
    "consumer/handler.py",
    "consumer/local/event.py",
    "tally/__init__.py",
    "tally/counters/event.py",
]
NOT_SHIPPED = [
    "tally/testing/fixtures.py",
    "consumer/__pycache__/a.pyc",
    "producer/handler.py",
    "tally/__main__.py",
    "tally/cli/main.py",
    "tally/counters/increment.schema.json",
    "tally/local/stack.py",
]


def write(folder, files):
    for name, size in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def metadata(versions):
    """The METADATA of distributions, by path."""
    return {
        f"{name}-{version}.dist-info/METADATA": f"Name: {name}\nVersion: {version}\n"
        for name, version in versions.items()
    }


METADATA_BYTES = {name: len(text) for name, text in metadata(LOCKED).items()}


@pytest.fixture
def root(tmp_path):
    """A repository with a file of each kind."""
    (tmp_path / "root" / "requirements").mkdir(parents=True)
    (tmp_path / "root" / "requirements" / "lambda.txt").write_text(PINS, "utf-8")
    write(tmp_path / "root", dict.fromkeys([*OURS, *NOT_SHIPPED], 5))
    return tmp_path / "root"


@pytest.fixture
def asked():
    """What the installer was asked for."""
    return []


def not_compiled(_target, _python):
    return False


@pytest.fixture
def make(root, tmp_path, asked):
    """Makes the consumer's package out of given files."""

    def make(files, target=tmp_path / "target", versions=LOCKED, compiled=not_compiled, **options):
        def install(requirements, folder, architecture, python):
            write(folder, files)
            for name, text in metadata(versions).items():
                write(folder, {name: 0})
                (folder / name).write_text(text, "utf-8")
            asked.append((requirements.relative_to(root).as_posix(), architecture, python))

        tools = package.Tools(install, compiled)
        return package.package("ConsumerFunction", target, root=root, tools=tools, **options)

    return make


def found(target):
    return {
        path.relative_to(target).as_posix(): path.stat().st_size
        for path in target.rglob("*")
        if path.is_file()
    }


def test_a_package_holds_what_the_lambda_runs_and_no_more(make, tmp_path):
    make({**KEPT, **LEFT_OUT})
    assert found(tmp_path / "target") == {**KEPT, **METADATA_BYTES, **dict.fromkeys(OURS, 5)}


def test_the_package_is_for_the_templates_processor_and_python(make, asked):
    make({})
    make({}, architecture="x86_64", python="3.11", versions={**LOCKED, "pydantic": "2.13"})
    assert asked == [
        ("requirements/lambda.txt", "arm64", package.PYTHON),
        ("requirements/lambda.txt", "x86_64", "3.11"),
    ]


def test_a_package_that_is_not_what_is_locked_is_refused(make):
    with pytest.raises(NotLockedError) as caught:
        make({}, versions={"pydantic": "999", "Rich": "15", "colorama": "0.4.6"})
    assert str(caught.value) == (
        "ConsumerFunction: what is installed is not what requirements/lambda.txt locks"
        "\n  colorama: nothing is locked, 0.4.6 is installed"
        "\n  pydantic: 2.14 is locked, 999 is installed"
        "\n  pydantic-core: 2.50.4 is locked, nothing is installed"
        "\n  rich: nothing is locked, 15 is installed"
    )


@pytest.mark.parametrize(
    ("architecture", "python", "version"),
    [("arm64", "3.14", "2.14"), ("x86_64", "3.14", "2.13"), ("arm64", "3.13", "2.13")],
)
def test_markers_are_those_of_the_lambda_and_not_of_this_machine(
    make, architecture, python, version
):
    versions = {**LOCKED, "pydantic": version}
    made = make({}, versions=versions, architecture=architecture, python=python)
    assert made.startswith(f"ConsumerFunction for {architecture}, Python {python}: ")


def test_what_was_in_the_folder_before_is_gone_and_the_folder_stays(make, tmp_path):
    target = tmp_path / "target"
    write(target, {"old/a.py": 1, "old.py": 1})
    (target / "link").symlink_to(tmp_path)
    inode = target.stat().st_ino
    make({})
    assert not [name for name in found(target) if "old" in name]
    assert tmp_path.exists()
    assert target.stat().st_ino == inode


def test_one_source_is_one_package(make, tmp_path):
    first = make(KEPT)
    second = make({**KEPT, **LEFT_OUT}, tmp_path / "other")
    assert first == second
    assert first.startswith(
        f"ConsumerFunction for arm64, Python {package.PYTHON}:"
        f" {60 + sum(METADATA_BYTES.values())} bytes in 8 files, without bytecode, sha256 "
    )
    assert first != make({**KEPT, "grpc/__init__.py": 31})
    times = {path.stat().st_mtime for path in (tmp_path / "other").rglob("*")}
    assert times == {package.EPOCH_S}


def test_a_package_that_grew_is_refused(make):
    most = FUNCTIONS["ConsumerFunction"].max_bytes
    left = most - 20 - sum(METADATA_BYTES.values())
    make({"grpc.so": left})
    with pytest.raises(TooLargeError) as caught:
        make({"grpc.so": left + 1})
    assert str(caught.value) == (
        f"ConsumerFunction: {most + 1:,} bytes unzipped,"
        f" more than max_bytes={most:,} (infrastructure/package.py)"
    )


def test_a_package_for_the_builders_python_holds_bytecode_that_is_not_compared(make, tmp_path):
    mine = "{}.{}".format(*sys.version_info)
    told = {"versions": {**LOCKED, "pydantic": "2.13"}, "python": mine}
    made = [
        make(KEPT, tmp_path / name, compiled=package.compile_all, **told) for name in ("a", "b")
    ]
    assert made[0] == made[1]  # whatever folder it was made in
    assert ", with bytecode, sha256 " in made[0]
    [handler] = (tmp_path / "a" / "consumer" / "__pycache__").glob("handler.*.pyc")
    content = handler.read_bytes()
    assert (content[:4], content[4:8]) == (MAGIC_NUMBER, UNCHECKED)
    assert b"/var/task/consumer/handler.py" in content
    assert bytes(tmp_path) not in content


def test_for_a_python_that_the_builder_lacks_there_is_no_bytecode(make, tmp_path):
    told = {"versions": {**LOCKED, "pydantic": "2.13"}, "python": "2.6"}
    made = make(KEPT, compiled=package.compile_all, **told)
    assert ", without bytecode, sha256 " in made
    assert not list((tmp_path / "target").rglob("*.pyc"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_package_holds_what_speaks_to_each_store(name):
    requirements = package.ROOT / "requirements" / FUNCTIONS[name].requirements
    environment = package.markers("arm64", package.PYTHON)
    locked = pins.locked(requirements.read_text("utf-8"), environment)
    assert {"momento", "hiredis"} <= locked.keys()


def test_the_bounds_are_far_from_lambdas_own():
    assert {name: each.max_bytes // MIB for name, each in FUNCTIONS.items()} == {
        "ConsumerFunction": 36,
        "ApiFunction": 46,
    }
