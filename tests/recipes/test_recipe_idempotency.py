"""Powertools' Idempotency utility on our persistence layer, case by case."""

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from benchmarks.recipes.idempotency import MomentoPersistence
from tests.recipes.here import Here
from tests.simulation.network import KilledError

TIMEOUT_S = 30.0


class Context(LambdaContext):
    """Lambda's, as far as the utility looks at it."""

    @staticmethod
    def get_remaining_time_in_millis():
        return int(TIMEOUT_S * 1_000)


class Counted(Here):
    """A function that the utility guards, and how often it ran."""

    def __init__(self, *ends):
        super().__init__()
        self.ran = 0
        self._ends = list(ends)
        timeline = self.world.timeline
        self.layer = MomentoPersistence(self.cache, timeline, lambda: timeline.now_s + TIMEOUT_S)
        config = IdempotencyConfig(event_key_jmespath="id", lambda_context=Context())
        guarded = idempotent_function(
            self._run, data_keyword_argument="data", persistence_store=self.layer, config=config
        )
        self.once = lambda name="a": self.do(lambda: guarded(data={"id": name}))

    def _run(self, *, data):
        self.ran += 1
        if self._ends:
            raise self._ends.pop(0)
        return f"{data['id']} was counted"


def test_the_second_time_the_first_result_is_told():
    here = Counted()
    assert [here.once(), here.once()] == ["a was counted", "a was counted"]
    assert here.ran == 1


def test_another_key_runs():
    here = Counted()
    assert [here.once("a"), here.once("b")] == ["a was counted", "b was counted"]
    assert here.ran == 2


def test_what_failed_runs_again():
    here = Counted(OSError("lost"))
    with pytest.raises(OSError, match="lost"):
        here.once()
    assert here.once() == "a was counted"
    assert here.ran == 2


class Dead(Counted):
    """Its first execution was killed."""

    def __init__(self):
        super().__init__(KilledError())
        with pytest.raises(KilledError):
            self.once()


def test_what_was_killed_counts_as_in_progress_until_its_time_is_over():
    here = Dead()
    with pytest.raises(IdempotencyAlreadyInProgressError):
        here.once()
    assert here.ran == 1


def test_what_was_killed_is_taken_over_once_it_must_have_ended():
    here = Dead()
    here.do(lambda: here.sleep_until(here.world.timeline.now_s + TIMEOUT_S + 1))
    assert [here.once(), here.once()] == ["a was counted", "a was counted"]
    assert here.ran == 2


def test_a_record_that_is_not_there_is_not_found():
    here = Counted()
    with pytest.raises(IdempotencyItemNotFoundError):
        here.do(lambda: here.layer._get_record("nothing"))
