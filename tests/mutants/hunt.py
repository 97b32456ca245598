"""Plants each mutation in a copy of its own, has it judged, and says who survived."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.mutants.judge import Judge, JudgeFailedError, Verdict
from tests.mutants.mutation import Mutation, plant

COPIED = ("tally", "consumer", "producer", "tests", "pyproject.toml")
"""What the simulation and the tests that judge need of the repository."""


class Judged(NamedTuple):
    """A mutation and what became of it."""

    mutation: Mutation
    verdict: Verdict

    @property
    def is_as_told(self) -> bool:
        """Killed, unless it is one of those that break no promise."""
        if self.mutation.equivalent:
            return not (self.verdict.by or self.verdict.what)
        return bool(self.verdict.by)


def hunt(
    mutations: Sequence[Mutation], root: Path, judge: Judge, processes: int
) -> Iterator[Judged]:
    """Judge mutations of the repository under `root`, so many at a time, in their order.

    Raises:
        JudgeFailedError: a judge fails by itself, or on the source as it is.
        StaleMutationError: a mutation does not apply.
    """
    with tempfile.TemporaryDirectory(prefix="tally-mutants-") as folder:
        # Others may edit the repository meanwhile: all are planted in what it was at the start.
        pristine = Path(folder, "pristine")
        _copy(root, pristine)
        pool = ThreadPoolExecutor(processes)
        try:
            _check_judges(pristine, mutations, judge, processes, pool)
            yield from pool.map(lambda mutation: _try(mutation, pristine, judge), mutations)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            judge.stop()
            pool.shutdown()


def _check_judges(
    pristine: Path,
    mutations: Sequence[Mutation],
    judge: Judge,
    processes: int,
    pool: ThreadPoolExecutor,
) -> None:
    """Who finds something in the source as it is, proves nothing by finding it again."""
    selections = sorted({each.tests for each in mutations} - {""})
    verdicts = [judge.simulate(pristine, processes)]
    verdicts += pool.map(lambda tests: judge.test(pristine, tests), selections)
    for verdict in verdicts:
        if verdict.by or verdict.what:
            msg = f"without any mutation: {verdict.by} {verdict.what}".rstrip()
            raise JudgeFailedError(msg)


def _try(mutation: Mutation, pristine: Path, judge: Judge) -> Judged:
    with tempfile.TemporaryDirectory(prefix="mutant-", dir=pristine.parent) as folder:
        root = Path(folder, "tally")
        shutil.copytree(pristine, root)
        plant(mutation, root)
        return Judged(mutation, judge.judge(mutation, root))


def _copy(root: Path, target: Path) -> None:
    target.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(root / name, target / name)
