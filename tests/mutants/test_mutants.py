"""The list of mutations: each still applies to the source, and survives only if it may."""

import ast
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTATIONS
from tests.mutants.hunt import Judged
from tests.mutants.judge import Verdict
from tests.mutants.mutation import Mutation, StaleMutationError, mutated

ROOT = Path(__file__).parent.parent.parent
CHANGE = Mutation("a", "b", "c.py", "one", "two")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_applies_once_and_changes_what_the_program_does(mutation):
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    before, after = ast.parse(source), ast.parse(mutated(mutation, source))
    assert ast.dump(before) != ast.dump(after)


def test_no_two_mutations_have_one_name_or_are_the_same():
    changes = {(mutation.file, mutation.old, mutation.new) for mutation in MUTATIONS}
    assert len({mutation.name for mutation in MUTATIONS}) == len(changes) == len(MUTATIONS)


@pytest.mark.parametrize("source", ["", "one one", "zwei"])
def test_a_mutation_that_no_longer_applies_is_refused(source):
    with pytest.raises(StaleMutationError, match=r"^a: found \d times in c.py: one$"):
        mutated(CHANGE, source)


def test_a_mutation_is_refused_that_changes_nothing():
    with pytest.raises(StaleMutationError):
        mutated(CHANGE._replace(new="one"), "one")


def test_a_mutation_replaces_what_it_names_and_nothing_else():
    assert mutated(CHANGE, "zero one three") == "zero two three"


@pytest.mark.parametrize(
    ("verdict", "equivalent", "is_as_told"),
    [
        (Verdict("seed 1", "lost", 0), "", True),
        (Verdict("seed 1", "lost", 0), "why", False),
        (Verdict("", "", 0), "", False),
        (Verdict("", "", 0), "why", True),
        (Verdict("", "ended after 600 s", 0), "", False),
        (Verdict("", "ended after 600 s", 0), "why", False),
    ],
)
def test_only_what_is_listed_as_equivalent_survives_and_all_of_it(verdict, equivalent, is_as_told):
    assert Judged(CHANGE._replace(equivalent=equivalent), verdict).is_as_told is is_as_told


def test_the_tests_that_judge_are_there():
    judges = {path for mutation in MUTATIONS for path in mutation.tests.split()}
    assert [path for path in sorted(judges) if not (ROOT / path).exists()] == []
