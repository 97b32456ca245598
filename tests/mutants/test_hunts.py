"""A hunt in a small repository: who killed each bug, and what is no verdict."""

import pytest

from tests.mutants.hunt import COPIED, Judged, hunt
from tests.mutants.judge import Judge, JudgeFailedError, Verdict
from tests.mutants.mutation import Mutation

SIMULATION = """
import sys, threading
from tally.rule import found
if found == "hangs":
    threading.Event().wait()
print(found)
sys.exit(found != "nothing")
"""
TEST = """
import threading
from tally.rule import found

def test_a_rule():
    if found == "hangs":
        threading.Event().wait()
    assert found == "nothing"
"""


@pytest.fixture
def root(tmp_path):
    """A repository whose simulation finds what one line says."""
    for name in COPIED:
        if not name.endswith(".toml"):
            (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "tally" / "__init__.py").write_text("")
    (tmp_path / "tally" / "rule.py").write_text("found = 'nothing'\n")
    (tmp_path / "tests" / "simulation").mkdir()
    (tmp_path / "tests" / "simulation" / "__main__.py").write_text(SIMULATION)
    (tmp_path / "tests" / "test_rule.py").write_text(TEST)
    return tmp_path


def finding(found, **fields):
    return Mutation(found, "", "tally/rule.py", "'nothing'", repr(found), **fields)


def hunted(root, *mutations, run_s_max=60.0):
    """What became of each, without the seconds that it took."""
    all_judged = list(hunt(mutations, root, Judge(1, run_s_max), processes=2))
    return [judged._replace(verdict=judged.verdict._replace(seconds=0)) for judged in all_judged]


def test_a_hunt_says_who_killed_each_mutation_and_who_survived(root):
    killed, missed = finding("seed 7: lost"), finding("nothing")._replace(new="str('nothing')")
    judged_by_test = finding("seed 8: lost", tests="tests/test_rule.py")
    assert hunted(root, killed, missed, judged_by_test) == [
        Judged(killed, Verdict("seed 7", "lost", 0)),
        Judged(missed, Verdict("", "", 0)),
        Judged(judged_by_test, Verdict("a test", "test_a_rule", 0)),
    ]
    assert (root / "tally" / "rule.py").read_text() == "found = 'nothing'\n"


def test_a_simulation_that_does_not_end_is_ended_and_has_found_nothing(root):
    (root / "tally" / "rule.py").write_text("found = 'hangs'\n")
    verdict = Judge(1, run_s_max=1.0).simulate(root, processes=1)
    assert verdict[:2] == ("", "ended after 1 s")
    assert not Judged(finding("hangs"), verdict).is_as_told


def test_a_test_that_does_not_end_is_ended_and_has_found_the_mutation(root):
    (root / "tally" / "rule.py").write_text("found = 'hangs'\n")
    hanging = finding("hangs", tests="tests/test_rule.py")
    verdict = Judge(1, run_s_max=1.0).judge(hanging, root)
    assert verdict[:2] == ("a test", "never ended")
    assert Judged(hanging, verdict).is_as_told


def test_a_simulation_that_fails_by_itself_is_no_kill(root):
    with pytest.raises(JudgeFailedError, match=r"^exit status 1 without a finding:\nwords"):
        hunted(root, finding("words"))


def test_a_simulation_that_finds_something_in_the_source_as_it_is_judges_nothing(root):
    (root / "tally" / "rule.py").write_text("found = 'seed 0: lost'\n")
    with pytest.raises(JudgeFailedError, match=r"^without any mutation: seed 0 lost$"):
        hunted(root, finding("seed 7: lost"))


def test_a_test_that_fails_on_the_source_as_it_is_judges_nothing(root):
    (root / "tests" / "test_rule.py").write_text("def test_a_rule():\n    assert False\n")
    with pytest.raises(JudgeFailedError, match=r"^without any mutation: a test test_a_rule$"):
        hunted(root, finding("seed 7: lost", tests="tests/test_rule.py"))
