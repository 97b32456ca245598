"""What of a benchmark runs as a program: cold starts, publishing, and the command itself."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.speed import cold, publishing
from benchmarks.speed.goals import goals
from benchmarks.speed.publishing import publish
from benchmarks.speed.report import goals_table
from tests.benchmarks.results import results

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("program", [cold.OURS, cold.LIBRARIES], ids=["ours", "libraries"])
def test_a_program_starts_in_a_fresh_interpreter_and_tells_its_time(program):
    assert cold.start(program, {**os.environ, **cold.VARIABLES}) > 0


@pytest.mark.parametrize("before", cold.BEFORE_ADAPTER.values(), ids=cold.BEFORE_ADAPTER)
def test_the_adapter_is_imported_after_what_its_process_has_imported_anyway(before):
    missing = "import sys; assert 'tally.stores.valkey.store' not in sys.modules"
    assert cold.start(cold.ADAPTER, os.environ, f"{before}; {missing}") > 0
    there = "import sys; assert 'tally.stores.valkey.store' in sys.modules"
    assert cold.start(there, os.environ, cold.ADAPTER) > 0


@pytest.mark.parametrize(("program", "before"), cold.TABLES.values(), ids=cold.TABLES)
def test_what_a_table_adds_to_a_cold_start_runs_in_a_fresh_interpreter(program, before):
    assert cold.start(program, {**os.environ, **cold.TABLE_VARIABLES}, before) > 0


def test_the_handler_begins_without_a_client_of_dynamodb():
    there = "import sys; assert 'tally.stores.dynamodb.store' in sys.modules"
    missing = "assert 'botocore.client' not in sys.modules"
    environment = {**os.environ, **cold.TABLE_VARIABLES}
    assert cold.start(f"{there}; {missing}", environment, cold.OURS) > 0


def test_every_way_publishes_all_of_its_increments():
    told = publish(1, share=0.01)
    assert {name: len(times) for name, times in told.times.items()} == {
        publishing.OURS: 1,
        publishing.ONE_EACH: 1,
        publishing.TEN_EACH: 1,
    }
    [took] = told.times[publishing.OURS]
    assert told.rates(publishing.OURS) == [500 / took.wall_s]


def test_the_command_tells_the_goals_of_what_was_kept(tmp_path):
    kept = tmp_path / "results.json"
    kept.write_bytes(msgspec.json.encode(results()))
    done = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "benchmarks.speed", "--read", kept],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == goals_table(goals(results()))
