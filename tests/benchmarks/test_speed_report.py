"""What `make bench` writes, from made-up results."""

from pathlib import Path

import pytest

from benchmarks.speed import report
from benchmarks.speed.contention import CONSUMERS
from benchmarks.speed.memory import Memory
from benchmarks.speed.report import Goal, goals
from tests.benchmarks.results import contest, curve, results

ROOT = Path(__file__).parents[2]
METHOD = "## How it is measured"


def unmet(told):
    return [goal.what for goal in goals(told) if goal.met is False]


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("at the least", [29.0, 30.0, 90.0], least=30), True),
        (Goal("just not", [29.0, 29.9, 90.0], least=30), False),
        (Goal("at the most", [2.0, 3.0, 9.0], most=3), True),
        (Goal("just over", [2.0, 3.1, 9.0], most=3), False),
        (Goal("only told", [1.0]), None),
        (Goal("not measured", [], least=1), None),
    ],
)
def test_a_goal_is_met_by_the_median(goal, met):
    assert goal.met is met


def test_the_goals_are_told_with_their_medians_and_their_range():
    told = [
        Goal("a ratio", [34.5, 31.25, 40.0], least=30, unit=" ×"),
        Goal("a cost", [3.5, 3.25, 4.0], most=3, unit=" µs"),
        Goal("always the same", [861, 861], most=1_024, unit=" bytes"),
        Goal("only told", [16.4]),
    ]
    assert report.goals_table(told).splitlines() == [
        "| measured | goal | median | least to greatest | met |",
        "| --- | --: | --: | --: | --: |",
        "| a ratio | ≥ 30 × | 34.5 × | 31.2 to 40 | yes |",
        "| a cost | ≤ 3 µs | 3.50 µs | 3.25 to 4 | **no** |",
        "| always the same | ≤ 1,024 bytes | 861 bytes |  | yes |",
        "| only told |  | 16.4 |  |  |",
    ]


def test_results_that_are_as_they_should_be_meet_every_goal():
    assert unmet(results()) == []


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"depth": 2.0}, "round trips that a warm batch is deep"),
        ({"value_bytes": 1_025}, "value of a counter with 60 live sources"),
        (
            {"memory": Memory(1_000, (1, 1), (1_000, 1_011))},
            "growth of the consumer's peak memory over 1,000 batches",
        ),
        (
            {"paused": [[contest(many, 110, given_up=1)] for many in CONSUMERS]},
            "messages given up in all of these",
        ),
        (
            {"busy": curve(dict.fromkeys(CONSUMERS, 801) | {8: 100})},
            "the same, 64 consumers, always busy",
        ),
    ],
)
def test_a_goal_that_is_missed_is_told(other, what):
    assert unmet(results(**other)) == [what]
    assert "**no**" in report.goals_table(goals(results(**other)))


def test_where_redis_is_missing_the_row_says_how_to_get_it():
    [line] = [
        line
        for line in report.goals_table(goals(results(redis=False))).splitlines()
        if "Redis" in line
    ]
    assert line.endswith("| ≥ 1 × | not measured: `apt-get install redis-server` |  |  |")
    assert "no Redis" in report.page(results(redis=False))


def test_the_documented_method_is_the_one_that_runs():
    documented = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert documented.partition(METHOD)[1:] == report.page(results()).partition(METHOD)[1:]


def test_a_page_has_every_table():
    told = results()
    page = report.page(told)
    for part in report.tables(told).values():
        assert f"\n\n{part}" in page
