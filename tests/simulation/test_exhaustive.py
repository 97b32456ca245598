"""The real writer in every interleaving of two and three, each call failing in every way."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.counters.counter import read_count
from tally.counters.event import INT64_MAX, INT64_MIN
from tally.counters.ledger import Limits
from tests.simulation.exhaustive import PROMPT, Meeting, Path, every_path
from tests.simulation.facts import EPOCH_MS, Fact

HOSTILE = Limits(horizon_s=0, free_bytes=60, max_bytes=120, max_runs=4, max_rejected=2)


def fact(source, seq, amount=1, high=INT64_MAX, late_ms=0, reset=None):
    return Fact(0, "c", source, seq, EPOCH_MS + late_ms, amount, INT64_MIN, high, reset)


SHARED = fact(9, 7, late_ms=5)
TWO = [[fact(1, 0), SHARED], [SHARED, fact(2, 0), fact(2, 1)]]
SAME = [[fact(1, 0), fact(1, 1)]] * 2
THREE = [[fact(1, 0), SHARED], [SHARED, fact(2, 0)], [fact(3, 0), SHARED]]
RESET = fact(9, 0, late_ms=5, reset=10)
CLEARED = [[fact(1, 0), RESET], [fact(2, 0, 2), RESET, fact(2, 1, 4, late_ms=9)]]
RESETS = [[fact(1, 0), RESET], [RESET, fact(2, 0, 2)], [fact(3, 0, 4), RESET]]
BOUNDED = [[fact(1, 0, high=2), fact(1, 1, high=2)], [fact(2, 0, 2, high=2)]]


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(params=[False, True], ids=["momento", "valkey"])
def on_valkey(request):
    return request.param


def ends(meeting, executor):
    """The counts that the paths end in, and how many paths there are."""
    counts = set()
    paths = 0

    def walk(path):
        counts.add(read_count(meeting.walk(path, executor)))

    for _ in every_path(walk):
        paths += 1
    return counts, paths


def fewest(paths, on_valkey):
    """Of Valkey's there are fewer: it tells who lost a race the winner, which saves the read."""
    return paths // 3 if on_valkey else paths


@pytest.mark.parametrize(
    ("batches", "counts"),
    # After the reset come the 4, and the increment of whoever is stored second.
    [(TWO, {4}), (SAME, {2}), (BOUNDED, {2}), (CLEARED, {15, 16})],
)
def test_two_writers_are_exact_whatever_becomes_of_one_call(executor, batches, counts, on_valkey):
    found, paths = ends(Meeting(batches, on_valkey=on_valkey, faults=1), executor)
    assert found == counts
    assert paths > fewest(300, on_valkey)


@pytest.mark.parametrize("start", [None, b"40"], ids=["absent", "present"])
def test_two_writers_are_exact_if_any_two_calls_fail_before_or_after_the_effect(
    executor, start, on_valkey
):
    two = Meeting(TWO, on_valkey=on_valkey, start=start, faults=2, fates=PROMPT)
    found, paths = ends(two, executor)
    assert found == {int(start or b"0") + 4}
    assert paths > fewest(1_000, on_valkey)


def test_three_writers_are_exact_in_every_interleaving(executor, on_valkey):
    found, paths = ends(Meeting(THREE, on_valkey=on_valkey), executor)
    assert found == {4}
    assert paths > fewest(400, on_valkey)


def test_a_reset_among_three_writers_counts_what_is_stored_after_it(executor, on_valkey):
    found, paths = ends(Meeting(RESETS, on_valkey=on_valkey), executor)
    assert found == {16, 15, 13}  # all but what the first to write had before its reset
    assert paths > fewest(400, on_valkey)


def test_two_writers_that_forget_count_nothing_twice(executor, on_valkey):
    batches = [[fact(1, 0), fact(2, 0, late_ms=9_000)], [fact(3, 0, late_ms=5_000), fact(1, 0)]]
    found, paths = ends(Meeting(batches, on_valkey=on_valkey, limits=HOSTILE, faults=1), executor)
    assert found <= {2, 3}
    assert paths > fewest(300, on_valkey)


def test_a_path_can_be_walked_alone_and_every_choice_is_made():
    walked = []

    def walk(path):
        first = path.choose(2)
        walked.append((first, path.choose(3) if first else path.choose(1)))

    assert len(list(every_path(walk))) == 4
    assert walked == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert Path([1, 2]).choose(2) == 1
