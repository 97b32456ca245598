"""What `make bench` writes, from made-up results."""

from pathlib import Path

import pytest

from benchmarks.speed import arena, report
from benchmarks.speed.contention import CONSUMERS
from benchmarks.speed.durable import PLACES
from benchmarks.speed.goals import Goal, goals
from benchmarks.speed.memory import Memory
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
            {"adapters": {"anywhere": [0.004, 0.006, 0.007]}},
            "import of the adapter anywhere",
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


def test_where_valkey_is_missing_its_rows_say_how_to_get_it():
    told = results(valkey=False)
    missing = [goal for goal in goals(told) if not goal.values]
    assert [(goal.least, goal.most) for goal in missing] == [
        *((None, 1.1), (None, 1.08), (None, 1.2)),  # against memory
        *((1.35, None), (2.1, None), (4, None)),  # against a script
        *((None, 4.2), (None, 2.8), (None, 1.4)),  # CPU an event
        (1, None),  # Momento against a script
    ]
    assert unmet(told) == []
    lines = report.goals_table(missing).splitlines()[2:]
    assert all(
        line.endswith("| not measured: `apt-get install redis-server` |  |  |") for line in lines
    )
    assert "Valkey beyond memory" not in report.tables(told)["swapped"]
    assert "neither Valkey nor Redis" in report.page(told)


def test_the_tables_of_batches_say_who_counts_a_redelivered_event_twice():
    lines = report.tables(results())["rates"].splitlines()
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ")[1] for line in lines}
    assert cells["events/s in batches of"] == "a redelivered event counts"
    assert (cells[arena.OURS], cells[arena.SEED]) == ("once", "**twice**")
    assert cells[arena.MSGSPEC] == ""  # it counts nothing


def test_a_swap_is_told_on_each_store_and_beyond_memory():
    head, _, line, *_ = report.tables(results())["swapped"].splitlines()
    assert dict(zip(head.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True)) == {
        "counters": "1,000",
        "value, bytes": "69",
        "Tally in memory, µs": "1.20 (0.96 to 1.68)",
        "Tally on Valkey, µs": "1.80 (1.44 to 2.52)",
        "Tally on Momento, µs": "48 (38.4 to 67.2)",
        "Valkey beyond memory, µs": "0.60 (0.48 to 0.84)",
        "Tally in memory, swaps/s": "500,000",
        "Tally on Valkey, swaps/s": "333,000",
        "Tally on Momento, swaps/s": "12,500",
    }


def test_who_counts_in_a_table_is_told_with_calls_units_and_records():
    lines = report.tables(results())["on_tables"].splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert dict(zip(cells[0], cells[4], strict=True)) == {
        "on 100 counters": "`TransactWriteItems` an event, with its record",
        "a redelivered event counts": "once",
        "calls an event": "1",
        "units an event": "4",
        "records an event": "1",
        "µs of CPU an event": "2,000 (1,600 to 2,800)",
    }
    assert [(row[0], row[1], row[3]) for row in cells[2:4]] == [
        ("Tally on DynamoDB", "once", "0.10"),
        ("`UpdateItem` with `ADD` an event", "**twice**", "1"),
    ]


def test_the_cost_of_a_table_is_told_by_event_and_by_call():
    lines = report.tables(results())["grown"].splitlines()
    assert lines[5] == "| 1,000 | 100 | 100 | 0.1000 | 50 (40.0 to 70) | 500 |"
    assert len(lines) == 2 + len(PLACES)


def test_memory_is_told_of_both_stores():
    assert report.tables(results())["held"].splitlines()[2:] == [
        "| Momento: Python's objects | 100.0 | 100.0 | 200, 1,000 |",
        "| Momento: the process at its peak | 80.0 | 80.0 | 200, 1,000 |",
        "| DynamoDB: Python's objects | 100.0 | 100.0 | 40, 200 |",
        "| DynamoDB: the process at its peak | 80.0 | 80.0 | 40, 200 |",
    ]


def test_the_documented_method_is_the_one_that_runs():
    documented = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert documented.partition(METHOD)[1:] == report.page(results()).partition(METHOD)[1:]


def test_a_page_has_every_table():
    told = results()
    page = report.page(told)
    for part in report.tables(told).values():
        assert f"\n\n{part}" in page
