"""Consumers in virtual time: what is stated of their pace comes out, on any machine."""

import pytest

from benchmarks.speed.contention import CONSUMERS, PACE, Contest, contend, curve, depth


@pytest.mark.parametrize("counters", [1, 100])
def test_a_warm_batch_is_one_round_trip_deep(counters):
    assert depth(counters) == 1.0


def test_one_consumer_never_loses_a_race_and_takes_a_fold_and_a_round_trip_a_batch():
    told = contend(1, 7, duration_s=1.0)
    assert (told.tries, told.given_up) == (1.0, 0)
    assert told.stored_per_s == pytest.approx(1 / (PACE.round_trip_s + PACE.fold_s), rel=0.05)


def test_consumers_that_meet_lose_races_and_give_nothing_up():
    told = contend(4, 7, duration_s=1.0)
    assert told.tried > told.stored > 100
    assert told.given_up == 0


def test_a_seed_repeats_its_contest_and_another_is_another():
    assert contend(3, 1, duration_s=0.5) == contend(3, 1, duration_s=0.5)
    assert contend(3, 1, duration_s=0.5) != contend(3, 2, duration_s=0.5)


def test_who_pauses_meets_others_less():
    busy, paused = contend(4, 1, duration_s=2.0), contend(4, 1, duration_s=20.0, pause_s=1.0)
    assert paused.stored < busy.stored
    assert paused.longest_s < busy.longest_s


def test_a_curve_has_all_numbers_of_consumers_and_all_seeds():
    told = curve(range(2), duration_s=0.05)
    assert [[each.consumers for each in repeats] for repeats in told] == [
        [many, many] for many in CONSUMERS
    ]


def test_a_contest_is_told_in_ratios():
    told = Contest(8, tried=150, stored=100, given_up=0, longest_s=1.0, lasted_s=50.0)
    assert (told.tries, told.stored_per_s) == (1.5, 2.0)
