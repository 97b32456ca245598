"""A fixed set of seeds keeps every promise, seeds repeat, and planted bugs are found."""

import dataclasses
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tally.counters.outcome import Outcome
from tests.simulation.campaign import Totals, play
from tests.simulation.faults import PRODUCERS, Fault
from tests.simulation.plan import MAX_THREADS, draw
from tests.simulation.profiles import GROUPS, PROFILES
from tests.simulation.run import run

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("tally", "consumer", "producer")
SEEDS = range(1_000, 1_020)
PROFILE_SEEDS = range(2_000, 2_004)
BUG_TIMEOUT_S = 100.0


def small(plan):
    """A plan of the same faults and limits, on fewer events."""
    return dataclasses.replace(
        plan,
        letters=min(plan.letters, 40),
        letter_events=min(plan.letter_events, 20),
        counters=min(plan.counters, 20),
    )


@pytest.fixture
def executor():
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        yield pool


def test_no_seed_breaks_a_promise_and_every_kind_of_fault_strikes():
    totals = Totals()
    for group in GROUPS:
        totals.add(play(SEEDS, group, small))
    assert totals.failures == []
    assert [kind for kind in Fault if not totals.faults[kind]] == []
    assert totals.counts["seeds"] == len(SEEDS) * len(GROUPS)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_seed_of_a_profile_breaks_a_promise(profile):
    totals = play(PROFILE_SEEDS, profile, small)
    assert totals.failures == []
    assert totals.faults.keys() <= set(PROFILES[profile].faults)


def test_a_counter_is_found_set_back_only_where_a_store_forgets():
    found = {
        profile: play(range(2_000, 2_006), profile, small).counts["counters found set back"] > 0
        for profile in ("swarm", "pipelines", "losses", "disasters")
    }
    assert found == {"swarm": False, "pipelines": False, "losses": True, "disasters": True}


@pytest.mark.parametrize("profile", ["cache", "valkey", "durable", "publisher"])
def test_a_seed_repeats_to_the_last_line_of_its_history(executor, profile):
    histories: list[list[str]] = [[], []]
    first, second = (run(small(draw(18, profile)), executor, history) for history in histories)
    assert first == second
    assert histories[0] == histories[1] != []


def test_a_reader_beside_a_table_is_told_counts_and_outcomes_from_table_and_cache():
    told = play(PROFILE_SEEDS, "durable").counts
    kinds = ("counts of the table", "counts of the cache", "copies set", "copies read")
    outcomes = [f"outcomes {each.value}" for each in Outcome]
    assert [kind for kind in (*kinds, *outcomes) if not told[kind]] == []


def test_after_a_change_of_the_guarantee_an_event_counts_again_only_on_the_way_to_exactly_once():
    found = {
        profile: play(PROFILE_SEEDS, profile).counts["events counted under both guarantees"] > 0
        for profile in ("at-least-once", "to-exactly-once", "to-at-least-once")
    }
    assert found == {"at-least-once": False, "to-exactly-once": True, "to-at-least-once": False}


def test_readers_of_each_store_are_told_outcomes_while_programs_publish():
    told = play(PROFILE_SEEDS, "publisher").counts
    assert [each for each in Outcome if not told[f"outcomes {each.value}"]] == []


def test_an_anonymous_event_counts_again_only_under_a_further_message_id(executor):
    """The exception that docs/guarantees.md names: it needs a repeated send or a redrive."""
    plans = [draw(seed, "producers") for seed in range(18)]
    again: dict[bool, int] = {False: 0, True: 0}
    for plan in plans:
        outcome = run(plan, executor)
        assert outcome.violation == ""
        sent_twice = bool(outcome.faults[Fault.SENT_TWICE])
        again[sent_twice] += outcome.totals["anonymous events decided again"]
    assert Fault.SENT_TWICE in PRODUCERS
    assert again[False] == 0 < again[True]


BUGS = {
    "the floor is not raised": (
        "tally/counters/columns.py",
        "max(self.floor, self.seen[dropped - 1])",
        "self.floor",
    ),
    "a write that may have failed is taken for stored": (
        "tally/settling/progress.py",
        "self.open[counter] = Unsettled(Reason.UNKNOWN_OUTCOME, failure.detail)",
        "self.close(counter, self._decisions.get(counter, []))",
    ),
    "a store's hash has 4 bits, which values share": (
        "tally/local/momento/data_calls.py",
        "hashlib.sha256(value).digest()",
        "bytes([hashlib.sha256(value).digest()[0] % 16])",
    ),
    "a connection that ended early is used again": (
        "tally/stores/valkey/pipelines.py",
        "spent.callback(connection.close)",
        "spent.callback(self._pool.give, connection)",
    ),
    "a race that was lost is taken for a swap": (
        "tally/stores/valkey/store.py",
        "if answer == 1:",
        "if answer is not None:",
    ),
    "answers before a cut are told of the commands behind it": (
        "tally/stores/valkey/pipelines.py",
        "answers + unknown, len",
        "unknown + answers, len",
    ),
    "the conditions of a put are joined": (
        "tally/stores/dynamodb/items.py",
        '"ExpressionAttributeNames": {"#token": TOKEN},',
        (
            '"ExpressionAttributeNames": {"#token": TOKEN, "#counter": COUNTER},\n'
            '            "ConditionExpression": "attribute_not_exists(#counter) OR #token = :seen",'
        ),
    ),
    "a copy is set before its put": (
        "tally/stores/durable.py",
        "put_at[swap.counter] = self._wall_clock()",
        (
            "put_at[swap.counter] = self._wall_clock()\n"
            "            self._mirroring.begin(swap.counter, swap.value, put_at[swap.counter])"
        ),
    ),
    "what a cache does not know is pending": (
        "tally/reading/reader.py",
        "if seen is not Outcome.PENDING or found.source is not Source.CACHE:",
        "if seen:",
    ),
    "at least once, an answer that was lost is taken for one": (
        "tally/settling/bare_writer.py",
        "progress.close(counter, Unsettled(Reason.UNKNOWN_OUTCOME, answer.detail))",
        "progress.added(counter, sums[counter].decisions)",
    ),
    "an increment is handed over and kept": (
        "tally/publishing/holding.py",
        "                self._given_up = NOTHING\n",
        "                pass\n",
    ),
    "of a request that failed one message is told": (
        "tally/publishing/sending.py",
        "for message in waiting.values()]",
        "for message in list(waiting.values())[:1]]",
    ),
    "two messages of a group go in one request": (
        "tally/publishing/packing.py",
        " or message.group in groups",
        "",
    ),
    "a forked child keeps its parent's source": (
        "tally/publishing/process.py",
        "self._by_pid.get(pid)",
        "next(iter(self._by_pid.values()), None)",
    ),
}


ONLY = {
    "at-least-once": ("tally/settling/bare_writer.py",),
    "publisher": (
        "tally/publishing/holding.py",
        "tally/publishing/packing.py",
        "tally/publishing/sending.py",
    ),
    "valkey": ("tally/stores/valkey/pipelines.py", "tally/stores/valkey/store.py"),
    "durable": (
        "tally/reading/reader.py",
        "tally/stores/durable.py",
        "tally/stores/dynamodb/items.py",
    ),
}
"""Where a bug is met only in some profile."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found_in_a_copy_of_the_repository(tmp_path, bug):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copytree(ROOT / "tests" / "simulation", tmp_path / "tests" / "simulation")
    path, right, wrong = BUGS[bug]
    text = (tmp_path / path).read_text("utf-8")
    assert text.count(right) == 1
    (tmp_path / path).write_text(text.replace(right, wrong), "utf-8")
    command = [sys.executable, "-m", "tests.simulation", "--quiet", "--seeds", "20"]
    only = next((["--profile", kind] for kind, paths in ONLY.items() if path in paths), [])
    done = subprocess.run(  # noqa: S603 # our own command
        [*command, *only, "--processes", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUG_TIMEOUT_S,
    )
    violation, replay, *rest = done.stdout.splitlines()
    assert (done.returncode, done.stderr, rest) == (1, "", [])
    seed = violation.removeprefix("seed ").partition(":")[0]
    assert replay == " ".join(["replay: .venv/bin/python -m tests.simulation --seed", seed, *only])
