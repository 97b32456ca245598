"""Each wire gets a PutItem there and its answer back; who answers anything else is no wire."""

import pytest

from benchmarks.dynamodb.wires import THREADS, NoAnswerError, cpu_us, measure, wires


def test_every_wire_puts_from_one_thread_and_from_many():
    told = measure(puts=8, repeats=2)
    assert {name: tuple(took) for name, took in told.items()} == dict.fromkeys(wires(), THREADS)
    assert all(
        len(repeats) == 2 and min(repeats) > 0
        for took in told.values()
        for repeats in took.values()
    )


def test_an_answer_to_something_else_is_found():
    with pytest.raises(NoAnswerError):
        cpu_us(lambda: lambda _request: {"Responses": {}}, 1, 1)
