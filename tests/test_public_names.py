"""What `import tally` gives: each public name on its first use, and nothing else."""

import runpy
import sys

import pytest

import tally


def test_every_public_name_is_imported_when_it_is_used():
    assert [name for name in tally.__all__ if not hasattr(tally, name)] == []
    assert set(tally.__all__) <= set(dir(tally))


def test_a_name_that_tally_has_not_is_an_error():
    with pytest.raises(AttributeError, match="module 'tally' has no attribute 'Publishr'"):
        vars(tally)["__getattr__"]("Publishr")


def test_a_name_whose_extra_is_not_installed_says_which_one_it_needs():
    missing = ModuleNotFoundError("No module named 'grpc'", name="grpc")

    def load(_):
        raise missing

    needs = r"tally.Reader needs tally-counters\[read\]: No module named 'grpc'"
    with pytest.raises(ImportError, match=needs) as caught:
        vars(tally)["__getattr__"]("Reader", load)
    assert caught.value.name == "grpc"


@pytest.fixture
def argv():
    """The command line of this process, which is put back."""
    before = list(sys.argv)
    yield sys.argv
    sys.argv[:] = before


@pytest.mark.parametrize(("module", "usage"), [("tally", "tally"), ("producer", "tally send")])
def test_a_package_is_a_command(module, usage, argv, capsys):
    argv[:] = [module, "--help"]
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    assert f"Usage: {usage} [OPTIONS]" in capsys.readouterr().out
