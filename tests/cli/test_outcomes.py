"""`tally outcome`, `reset`, `get --shards` and `watch` against the stack: from event to answer."""

import json
import re
import signal
from pathlib import Path

import pytest

from tally.cli.reading import STATUSES
from tally.counters.columns import Columns, encode
from tally.counters.event import EventName
from tally.counters.identity import identity_of
from tally.counters.outcome import Outcome
from tally.local.stack import Stack, StackSettings
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader
from tests.support.momento import Raw
from tests.support.processes import signalled_in, tally
from tests.support.sqs import sequence
from tests.support.terminal import QUIET, Said, Terminal

ROOT = Path(__file__).parents[2]
PROGRAM = re.compile("^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WAIT = ("--wait", "20")
SOURCE = "00000000000000ff"
AT_S = 1_790_000_000
NEVER = f"{SOURCE}:0:{AT_S * 1_000 + 123}"


@pytest.fixture(scope="module")
def stack():
    with Stack(StackSettings()) as stack:
        yield stack


@pytest.fixture
def terminal(stack):
    return Terminal(stack.variables)


@pytest.fixture
def reader(stack):
    with Reader.from_environment(stack.variables) as reader:
        yield reader


def sent(terminal, *arguments):
    """Send one increment; the name of its event, as it was printed."""
    said = terminal("send", *arguments)
    assert said.status == 0
    return said.stdout.removesuffix("\n")


def test_a_single_increment_is_named_and_its_outcome_told(terminal):
    first = sent(terminal, "coupon", "--max", "1")
    assert str(EventName.parse(first)) == first
    assert terminal("outcome", "coupon", first, *WAIT) == Said(0, "applied\n", "")
    second = sent(terminal, "coupon", "--max", "1")
    assert terminal("outcome", "coupon", second, *WAIT) == Said(3, "rejected\n", "")
    assert terminal("outcome", "coupon", first) == Said(0, "applied\n", "")
    assert terminal("outcome", "coupon", NEVER) == Said(4, "pending\n", "")
    said = terminal("outcome", "coupon", second, "--output", "json")
    assert said.status == 3
    assert json.loads(said.stdout) == {"counter": "coupon", "event": second, "outcome": "rejected"}


def test_the_summary_for_programs_names_a_single_event_and_no_other(terminal):
    said = terminal("send", "summed", "--output", "json")
    event = json.loads(said.stdout)["event"]
    assert terminal("outcome", "summed", event, *WAIT) == Said(0, "applied\n", "")
    said = terminal("send", "summed", "--count", "2", "--output", "json")
    assert "event" not in json.loads(said.stdout)
    assert terminal("send", "summed", "--count", "2").stdout == ""


def test_an_increment_with_an_id_is_asked_for_by_it(terminal):
    line = b'{"counter":"orders","id":"order-17","at":1790000000123}\n'
    assert terminal("send", "--file", "-", stdin=line).status == 0
    applied = Said(0, "applied\n", "")
    assert terminal("outcome", "orders", "--id", "order-17", *WAIT) == applied
    assert terminal("outcome", "orders", "--id", "order-17", "--at", "1790000000123") == applied
    assert terminal("outcome", "orders", "--id", "order-18") == Said(4, "pending\n", "")


def test_each_outcome_has_an_exit_status_of_its_own():
    assert {outcome.value: STATUSES[outcome] for outcome in Outcome} == {
        "applied": 0,
        "rejected": 3,
        "pending": 4,
        "forgotten": 5,
    }


@pytest.mark.parametrize("identity", ["a\udcff", ""])
def test_an_id_that_no_increment_can_have_is_a_usage_error(identity):
    said = Terminal()("outcome", "orders", "--id", identity, COLUMNS="1000")
    assert (said.status, said.stdout) == (2, "")
    assert "Invalid value: id: " in said.stderr


def test_what_the_ledger_has_forgotten_is_told_apart_from_what_is_pending(stack, terminal):
    raw = Raw(stack.store)
    raw.set(b"old", b"5\n" + encode(Columns(AT_S, [], [], [], {})))
    raw.close()
    old, new = f"{SOURCE}:0:{AT_S * 1_000}", f"{SOURCE}:0:{AT_S * 1_000 + 1}"
    assert terminal("outcome", "old", old) == Said(5, "forgotten\n", "")
    assert terminal("outcome", "old", new) == Said(4, "pending\n", "")
    assert terminal("outcome", "old", "--id", "x") == Said(4, "pending\n", "")


def test_a_reset_is_an_event_with_a_name(terminal):
    sent(terminal, "page", "--amount", "41")
    event = terminal("reset", "page", "--to", "7").stdout.removesuffix("\n")
    assert terminal("outcome", "page", event, *WAIT) == Said(0, "applied\n", "")
    assert terminal("get", "page") == Said(0, "7\n", "")
    event = terminal("reset", "page").stdout.removesuffix("\n")
    assert terminal("outcome", "page", event, *WAIT).status == 0
    assert terminal("get", "page") == Said(0, "0\n", "")


def test_a_program_waits_for_what_it_published(stack, reader):
    with Publisher(stack.queue.queue_url, client=stack.queue.client()) as publisher:
        seat, late = publisher.publish("hall", max=1), publisher.publish("hall", max=1)
        publisher.flush()
        assert reader.wait_for_outcome(seat, timeout_s=20) is Outcome.APPLIED
        assert reader.wait_for_outcome(late, timeout_s=20) is Outcome.REJECTED
        assert reader.outcome("hall", identity_of(late)) is Outcome.REJECTED


def test_shards_are_published_read_and_added_up(stack, terminal, reader):
    client = stack.queue.client()
    last = []
    for first in range(1, 9):
        identities = sequence(first)
        with Publisher(
            stack.queue.queue_url, client=client, shards=4, sequence=identities
        ) as publisher:
            last.append([publisher.publish("spread") for _ in range(10)][-1])
    assert [reader.wait_for_outcome(one, timeout_s=20) for one in last] == [Outcome.APPLIED] * 8
    assert terminal("get", "spread", "--shards", "4") == Said(0, "80\n", "")
    assert terminal("get", *(f"spread#{shard}" for shard in range(4))).stdout == "".join(
        f"spread#{shard}\t20\n" for shard in range(4)
    )
    missing = "tally: there is no counter 'cold'\n"
    assert terminal("get", "spread", "cold", "--shards", "4") == Said(1, "spread\t80\n", missing)


def test_a_watch_that_is_no_terminal_prints_lines_until_its_time_is_up(terminal):
    event = sent(terminal, "watched", "--amount", "5")
    assert terminal("outcome", "watched", event, *WAIT).status == 0
    said = terminal("watch", "watched", "none", "--interval", "0.1", "--for", "2")
    rows = [line.split("\t")[1:] for line in said.stdout.splitlines()]
    assert (said.status, said.stderr) == (0, "")
    assert rows[:2] == [["watched", "5", ""], ["none", "", ""]]
    later = [["watched", "5", "0.0"], ["none", "", ""]]
    assert rows[2:] == later * max(1, len(rows) // 2 - 1)
    said = terminal("watch", "watched", "--for", "0", "--output", "json")
    look = json.loads(said.stdout)
    assert look | {"at": ""} == {
        "at": "",
        "counts": {"watched": 5},
        "per_second": {"watched": None},
    }


def test_ctrl_c_is_how_a_watch_ends(stack):
    env = QUIET | stack.variables
    with tally("watch", "nothing", "--interval", "0.1", env=env) as process:
        assert process.stdout.readline().endswith("\tnothing\t\t\n")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (0, "")


def test_the_program_of_the_readme_prints_what_it_says(stack, monkeypatch, capsys):
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    [program] = PROGRAM.findall((ROOT / "README.md").read_text("utf-8"))
    exec(program, {})  # noqa: S102 (our own document)
    assert capsys.readouterr().out.splitlines() == ["Outcome.APPLIED", "1"]


def test_the_programs_of_the_document_print_what_it_says(stack, terminal, monkeypatch, capsys):
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    event = sent(terminal, "page:about", "--amount", "3")
    terminal("outcome", "page:about", event, *WAIT)
    counts, coupon, hot = PROGRAM.findall((ROOT / "docs" / "reading.md").read_text("utf-8"))
    for program in (counts, coupon, coupon, hot):
        exec(program, {})  # noqa: S102 (our own document)
    assert capsys.readouterr().out.splitlines() == [
        "3",
        "{'page:about': 3, 'seats': None}",
        "the coupon is yours",
        "somebody was faster",
    ]


def test_ctrl_c_ends_a_wait_for_an_outcome(terminal):
    with signalled_in("wait_for_outcome"):
        assert terminal("outcome", "c", NEVER, *WAIT) == Said(130, "", "")


def test_ctrl_c_ends_a_reset_that_waits_for_sqs(stack):
    nowhere = {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}
    with tally("reset", "c", env=QUIET | stack.variables | nowhere) as process:
        assert EventName.parse(process.stdout.readline().removesuffix("\n"))
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130
