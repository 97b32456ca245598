"""A failure is cut down, told and replayed; totals are told whole."""

import dataclasses
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.campaign import CHUNK_SEEDS, Failure, Totals, campaign, play
from tests.simulation.faults import Fault
from tests.simulation.plan import draw
from tests.simulation.profiles import PROFILES
from tests.simulation.report import Progress, story, summary
from tests.simulation.run import Outcome
from tests.simulation.shrink import MAX_TRIES, shrink

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 100.0


class FakeTerminal(io.StringIO):
    def isatty(self):
        return True


def outcome(plan, *, fails):
    return Outcome("broken" if fails else "", Counter(messages=20 - len(plan.dropped)), Counter())


def test_a_plan_is_cut_down_to_what_its_failure_needs():
    rates = {Fault.STALE: 0.5, Fault.LATE: 0.5, Fault.GHOST: 0.1}
    whole = dataclasses.replace(draw(0), rates=rates, consumers=4, letters=40)

    def needs(plan):
        fails = Fault.LATE in plan.rates and plan.consumers >= 2 and 13 not in plan.dropped
        return outcome(plan, fails=fails)

    plan, tries = shrink(whole, needs)
    assert plan.rates == {Fault.LATE: 0.5}
    assert (plan.consumers, plan.producers, plan.counters, plan.letters) == (2, 1, 1, 1)
    assert plan.dropped == set(range(20)) - {13}
    assert tries < MAX_TRIES


def test_the_search_for_a_shorter_history_is_bounded():
    tried = []

    def never(plan):
        tried.append(plan)
        return outcome(plan, fails=len(tried) == 1)

    whole = draw(0)
    assert shrink(whole, never).plan == whole
    assert len(tried) - 1 <= MAX_TRIES


def test_a_failure_is_told_with_its_replay_and_a_history_that_ends_in_it():
    text = story(Failure(5, "lost: it"), "queue")
    head, replay, _, found, *rest = text.splitlines()
    assert head == "seed 5: lost: it"
    assert replay == "replay: .venv/bin/python -m tests.simulation --seed 5 --profile queue"
    assert found.startswith("the shortest history found in ")
    assert any(" arrived " in line for line in rest)
    assert story(Failure(5, "lost: it"), "", shrinks=False) == (
        "seed 5: lost: it\nreplay: .venv/bin/python -m tests.simulation --seed 5\n"
    )


def test_totals_are_told_whole():
    totals = Totals()
    totals.counts.update({"events": 12_345, "seeds": 2})
    totals.faults[Fault.STALE] = 3
    totals.seconds = 61.2
    totals.failures.append(Failure(7, "lost"))
    lines = [line.split(maxsplit=1) for line in summary(totals).splitlines()]
    assert lines[:3] == [["12,345", "events"], ["2", "seeds"], ["61", "seconds"]]
    assert lines[3:5] == [["3", "faults, of these:"], ["3", "stale read"]]
    assert lines[-1] == ["1", "violations"]


@pytest.mark.parametrize(
    ("out", "silent", "shows"),
    [(FakeTerminal(), False, True), (FakeTerminal(), True, False), (io.StringIO(), False, False)],
)
def test_progress_is_for_terminals(out, silent, shows):
    progress = Progress(out, silent=silent)
    progress(Totals())
    assert ("0 seeds" in out.getvalue()) is shows


def test_processes_find_what_one_finds():
    ticks: list[Totals] = []
    apart = campaign(range(4), "calm", processes=2, seconds=TIMEOUT_S, tick=ticks.append)
    together = play(range(4), "calm")
    assert (apart.counts, apart.faults) == (together.counts, together.faults)
    assert apart.failures == together.failures == []
    assert ticks


def test_a_campaign_ends_after_so_many_events():
    told = campaign(range(40), "calm", processes=1, seconds=TIMEOUT_S, events=1, tick=id)
    assert told.counts["seeds"] == 2 * CHUNK_SEEDS  # one chunk waits while another is played


def test_a_group_takes_its_profiles_in_turn():
    assert [draw(seed, "durable").profile for seed in range(3)] == ["lasting", "mortal", "lasting"]


def test_every_profile_is_drawn():
    assert {draw(seed).profile for seed in range(200)} == set(PROFILES)


def test_the_command_tells_totals_and_succeeds():
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "              1  seeds\n" in done.stdout
    assert done.stdout.endswith("              0  violations\n")
