"""What `make recipes` writes, from made-up results and from one real run."""

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.recipes.campaign import CHUNK_SEEDS, Task, play, tasks
from benchmarks.recipes.lineup import DURABLE, OURS, RECIPES, TRANSACTION
from benchmarks.recipes.report import details, headline, is_exact, page
from benchmarks.recipes.run import Outcome, run, total
from benchmarks.recipes.scenario import CONSUMERS, RATES, Scenario, rates
from tests.simulation.faults import Fault

ROOT = Path(__file__).parents[2]
METHOD = "## How it is measured"
FIRST = next(iter(RECIPES))
COLUMNS = ("recipe", "double", "lost", "wrong counters", "oversold bounds", "dead", "calls")
RIGHT = {"events": 2_000, "counters": 40, "bounds": 10, "calls": 2_500}


def outcome(**wrong):
    return Outcome(Counter(RIGHT | wrong), Counter())


def results(name=OURS, **wrong):
    """Nothing wrong, but with one recipe at 1 %."""
    cells = {(recipe, rate): outcome() for recipe in RECIPES for rate in RATES}
    return cells | {(name, 0.01): outcome(**wrong)}


def test_the_headline_tells_the_share_of_wrong_counters():
    assert headline(results(wrong=5)).splitlines() == [
        "| at a fault rate of | 0 % | 0.1 % | 1 % | 10 % |",
        "| --- | --: | --: | --: | --: |",
        *(
            f"| {recipe} | none | none | {'12.5 %' if recipe == OURS else 'none'} | none |"
            for recipe in RECIPES
        ),
    ]


def test_a_rate_has_its_faults_and_a_line_for_each_recipe():
    struck = dict.fromkeys(Fault, 0) | {Fault.ECHO: 1_000, Fault.GHOST: 7, Fault.ANSWER_LOST: 3}
    told = results(double=1_234, lost=3, oversold=2, dead=1) | {
        (FIRST, 0.01): Outcome(Counter(RIGHT), Counter(struck)),
        (TRANSACTION, 0.01): outcome(units=8_100, records=1_900),
    }
    lines = dict.fromkeys(RECIPES, "0 | 0 | 0 of 40 | 0 of 10 | 0 | 1.25 |  | 0.00 |")
    lines[TRANSACTION] = "0 | 0 | 0 of 40 | 0 of 10 | 0 | 1.25 | 4.05 | 0.95 |"
    lines[OURS] = "1,234 | 3 | 0 of 40 | 2 of 10 | 1 | 1.25 |  | 0.00 |"
    assert details(told, 0.01).splitlines() == [
        "## Fault rate 1 %",
        "",
        "For each recipe: 0 to 1,007 messages delivered again by SQS, 0 deletes lost;",
        "0 requests and 0 to 3 answers lost; 0 invocations killed.",
        "",
        f"| {' | '.join([*COLUMNS, 'units', 'records'])} |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(f"| {recipe} | {line}" for recipe, line in lines.items()),
    ]


def test_without_faults_the_page_says_so():
    third_line = details(results(), 0.0).splitlines()[2]
    assert third_line == (
        "No fault and no message twice: only consumers that work at the same time."
    )


@pytest.mark.parametrize("ours", [OURS, DURABLE])
@pytest.mark.parametrize("name", ["double", "lost", "wrong", "oversold"])
def test_ours_is_exact_or_is_not(name, ours):
    assert is_exact(results())
    assert not is_exact(results(ours, **{name: 1}))


def test_others_may_be_wrong():
    assert is_exact(results(TRANSACTION, wrong=1))


def test_dead_letters_are_exact():
    assert is_exact(results(dead=1))


def test_the_documented_method_is_the_one_that_runs():
    documented = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert documented.partition(METHOD)[2] == page(results(), range(1)).partition(METHOD)[2]
    assert METHOD in documented


def test_the_tasks_are_every_seed_of_every_recipe_at_every_rate():
    seeds = range(5, 6 + CHUNK_SEEDS)
    played = Counter((recipe, rate, seed) for recipe, rate, part in tasks(seeds) for seed in part)
    wanted = {(recipe, rate, seed) for recipe in RECIPES for rate in RATES for seed in seeds}
    assert played == Counter(wanted)


def test_a_task_is_the_sum_of_its_runs():
    with ThreadPoolExecutor(CONSUMERS) as executor:
        runs = [run(RECIPES[FIRST], Scenario(seed, rates(0.1)), executor) for seed in (3, 4)]
    assert play(Task(FIRST, 0.1, range(3, 5))) == total(runs)
    assert total(runs).totals["events"] == 2_000


def test_the_command_writes_what_it_prints_and_any_process_gets_the_same(tmp_path):
    written = tmp_path / "recipes.md"
    command = [sys.executable, "-m", "benchmarks.recipes", "--runs=1", "--seed=7", "--processes=1"]
    done = subprocess.run(  # noqa: S603 (our own command)
        [*command, "--write", written], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == written.read_text(encoding="utf-8")
    cells = {(recipe, 0.1): play(Task(recipe, 0.1, range(7, 8))) for recipe in RECIPES}
    assert details(cells, 0.1) in done.stdout
