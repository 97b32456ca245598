"""What `import tally` gives: each public name on its first use, and nothing else."""

import pickle
import runpy
import sys

import pytest

import tally
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Increment


def test_every_public_name_is_imported_when_it_is_used():
    assert [name for name in tally.__all__ if not hasattr(tally, name)] == []
    assert set(tally.__all__) <= set(dir(tally))


def test_a_name_that_tally_has_not_is_an_error():
    with pytest.raises(AttributeError, match="module 'tally' has no attribute 'Publishr'"):
        vars(tally)["__getattr__"]("Publishr")


INCREMENT = Increment("c", source="9f86d081884c7d65", seq=1, at=1)
ERRORS = [
    tally.ArgumentError("shards", "1 to 100", 0),
    tally.BrokenSetupError("no", is_missing=True),
    InvalidIncrementError("amount", "is no integer", "1.5", "c").within("[3].", "c", "id"),
    tally.NoTableError(),
    tally.PublisherClosedError(),
    tally.ReadError("no", tally.Trouble.THROTTLED, counter="c"),
    tally.ReaderClosedError(),
    tally.SettingsError(["one", "two"]),
    tally.TallyError("no"),
    tally.UnreadableValueError("no"),
    tally.QueueUrlError("no"),
    tally.WaitsForItselfError(),
    tally.UnsentError([INCREMENT], ["no", "yes"]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_an_error_carries_it_carries_through_pickling(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert isinstance(copy, tally.TallyError)


def test_every_public_error_is_pickled_here():
    kinds = {getattr(tally, name) for name in tally.__all__ if name.endswith("Error")}
    assert {type(error) for error in ERRORS} == kinds


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
