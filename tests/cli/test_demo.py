"""`tally demo` as a user runs it: faults, dead letters, exact counts; and what ends it early."""

import contextlib
import json
import os
import re
import signal

import pytest

from tally.cli.demo.command import demo
from tally.cli.demo.faults import MIN_AWAY_S
from tests.support.processes import children, is_running, signalled_in, tally, wait_until
from tests.support.terminal import NOWHERE, QUIET, Said, Terminal, users_aws
from tests.support.valkey import needed

SMALL = ("demo", "--events", "3000", "--counters", "20")
DURABLE = ("demo", "--events", "1500", "--counters", "10", "--durable")
FOR_PROGRAMS = ("--seed", "2", "--output", "json")
DEMO_S = 90
PROXY = dict.fromkeys(["grpc_proxy", "http_proxy", "https_proxy"], NOWHERE)
BAD = {
    "not JSON": (
        'body: is not JSON (Input data was truncated), found \'{"counter": "page:0", "amount": \''
    ),
    "a fraction": "amount: must be an integer, found 1.5",
    "an unknown field": "amout: is no field of an increment, found 2",
    "an id without at": "at: is missing, but the increment has an identity",
    "an hour ahead": "at: is over 300000 ms later than the SentTimestamp #, found #",
}


def without_times(text):
    return re.sub(r"\d{13}", "#", text)


@contextlib.contextmanager
def running():
    """A demo in the middle of its work, with the command lines of its children by pid."""
    with tally("demo", "--consumers", "2", env=QUIET) as process:
        assert wait_until(lambda: len(children(process.pid)) == 4)
        yield process, children(process.pid)


def end(process):
    """What a demo printed in the end, and its status."""
    stdout, stderr = process.communicate(timeout=DEMO_S)
    return stdout, stderr, process.returncode


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """How demos end, all at the same time: they wait much, for messages to come back.

    All but one are in the shell of a user of AWS, behind a proxy: they have no use for either.
    """
    user = QUIET | users_aws(tmp_path_factory.mktemp("aws")) | PROXY
    on_valkey = (*SMALL, "--store", "valkey")
    with (
        running() as (broken, parts),
        tally(*SMALL, *FOR_PROGRAMS, env=user) as process,
        tally(*on_valkey, env=user | {"MOMENTO_CACHE_NAME": "mine"}) as valkey,
        tally(*DURABLE, "--output", "json", env=user) as durable,
    ):
        [sqs] = [pid for pid, command in parts.items() if "tally.local.sqs.queue" in command]
        os.kill(sqs, signal.SIGKILL)
        said = Terminal()(*SMALL)
        return {
            "for people": said,
            "for programs": end(process),
            "on Valkey": end(valkey),
            "durable": end(durable),
            "broken": end(broken),
        }


def test_the_demo_for_programs_is_right_after_kills_and_lost_deletes(ends):
    stdout, _, status = ends["for programs"]
    verdict = json.loads(stdout)
    assert (status, verdict["is_right"], verdict["exact"]) == (0, True, 20)
    assert (verdict["events"], verdict["kills"], verdict["bad_messages"]) == (3_000, 2, 5)
    assert verdict["deletes_lost"] > 0
    assert verdict["metrics"]["EventsDuplicate"] > 0
    found = {one["what"]: without_times(one["reason"]) for one in verdict["dead_letters"]}
    assert found == BAD
    assert len(verdict["counters"]) == 20
    assert sum(counter["events"] for counter, _ in verdict["counters"]) == 3_000


def test_elsewhere_than_on_a_terminal_the_demo_prints_plain_lines(ends):
    _, stderr, _ = ends["for programs"]
    line = re.compile(
        r" *\d+\.\d s  published [\d,]+, counted [\d,]+, events/s [\d,]+, swaps lost [\d,]+, "
        r"duplicates absorbed [\d,]+, consumers killed \d, dead letters \d"
        r"(, all decided; waiting for \d dead letters?)?"
    )
    assert len(stderr.splitlines()) > 5
    assert "published 3,000, counted 3,000" in stderr
    assert all(line.fullmatch(text) for text in stderr.splitlines())


def test_the_demo_for_people_ends_in_its_verdict(ends):
    said = ends["for people"]
    lines = without_times(said.stdout).splitlines()
    assert said.status == 0
    letters = [line for line in lines if line.startswith("dead letter: ")]
    assert sorted(letters) == sorted(f"dead letter: {what}: {why}" for what, why in BAD.items())
    assert "2 consumers killed in mid-batch, so theirs came again" in lines
    assert lines[-1] == "20 of 20 counters exact"


def test_on_valkey_the_demo_is_as_exact(ends):
    needed()
    stdout, _, status = ends["on Valkey"]
    lines = stdout.splitlines()
    assert (status, lines[-1]) == (0, "20 of 20 counters exact")
    assert "2 consumers killed in mid-batch, so theirs came again" in lines
    assert re.fullmatch(r"[\d,]+ Valkey operations: \d\.\d{3} an event", lines[-2])


def test_a_table_is_as_exact_while_its_cache_is_emptied_and_away(ends):
    stdout, stderr, status = ends["durable"]
    verdict = json.loads(stdout)
    assert (status, verdict["is_right"], verdict["exact"], verdict["kills"]) == (0, True, 10, 2)
    table = verdict["durable"]
    assert (verdict["store"], table["flushes"]) == ("DynamoDB", 2)
    assert verdict["operations"] == table["write_units"] + table["read_units"]
    assert table["write_units"] >= verdict["metrics"]["SwapsStored"]
    assert table["away_s"] >= MIN_AWAY_S
    assert table["shown"].keys() == {counter["name"] for counter, _ in verdict["counters"]}
    assert ", cache there" in stderr


def test_a_server_that_dies_ends_the_demo_and_is_named(ends):
    stdout, stderr, status = ends["broken"]
    assert (status, stdout) == (1, "")
    assert stderr.splitlines()[-1] == "tally: the local SQS died"
    assert "Traceback" not in stderr


def test_ctrl_c_ends_the_demo_and_all_that_it_started():
    with running() as (process, parts):
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr, status = end(process)
    assert (status, stdout) == (130, "")
    assert stderr.splitlines()[-1] == "tally: interrupted; nothing is left running"
    assert wait_until(lambda: not any(is_running(pid) for pid in parts))


@pytest.fixture
def servers_do(monkeypatch, tmp_path):
    """Have each Python that a command starts do something, instead of what it is started for."""

    def do(what):
        tmp_path.joinpath("sitecustomize.py").write_text(f"import os\n{what}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return do


def test_ctrl_c_while_the_demo_starts_leaves_nothing(servers_do, started):
    servers_do("os.read(0, 1); os._exit(0)")  # none says that it listens
    with signalled_in("_first_line"):
        said = Terminal()("demo")
    assert said == Said(130, "", "tally: interrupted; nothing is left running\n")
    assert started() == {}


def test_a_demo_whose_server_does_not_start_says_so(servers_do, started):
    servers_do("os._exit(1)")
    said = Terminal()("demo")
    reason = "tally: tally.local.momento did not start; its reason is on stderr\n"
    assert said == Said(1, "", reason)
    assert started() == {}


def test_the_demo_is_as_large_as_its_help_says():
    assert demo.__defaults__ == (100_000, 100, 3, 1, "momento", False, "text")
