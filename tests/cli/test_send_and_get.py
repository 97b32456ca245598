"""`tally send` and `tally get` against the stack: from what was typed to the exact count."""

import dataclasses
import json
import os
import pty
import re

import pytest

from tally.local.stack import Stack, StackSettings
from tests.support.momento import Raw
from tests.support.processes import tally, wait_until
from tests.support.terminal import QUIET, Said, Terminal

CONFIRMED = "{0} increments confirmed in # messages, 0 not confirmed, {1} invalid\n"


@pytest.fixture(scope="module")
def stack():
    with Stack(StackSettings()) as stack:
        yield stack


@pytest.fixture
def terminal(stack):
    return Terminal(stack.variables)


@pytest.fixture
def counts(stack, terminal):
    """What `tally get` prints for counters, once all that was sent is counted."""

    def counts(*names):
        assert wait_until(lambda: (depth := stack.queue.depth()).visible + depth.in_flight == 0)
        said = terminal("get", *names, "--output", "json")
        return [json.loads(said.stdout)[name] for name in names]

    return counts


def whole(said):
    """What was said, but for the number of messages: a slow machine fills them less."""
    return dataclasses.replace(said, stderr=hidden(said.stderr))


def hidden(text):
    return re.sub(r"in \d+ messages?", "in # messages", text)


def test_a_thousand_increments_of_two_make_two_thousand(stack, terminal):
    assert whole(terminal("send", "page:home", "--amount", "2", "--count", "1000")) == Said(
        0, "", CONFIRMED.format(1000, 0)
    )
    assert wait_until(lambda: stack.queue.depth().visible + stack.queue.depth().in_flight == 0)
    assert terminal("get", "page:home") == Said(0, "2000\n", "")


def test_bounds_and_names_arrive_as_they_are_typed(terminal, counts):
    assert terminal("send", "a:key:é", "--count", "7", "--max", "5").status == 0
    assert terminal("send", "stock", "--amount", "-2", "--count", "3", "--min", "-4").status == 0
    assert terminal("send", "--amount", "3", "--", "-x").status == 0
    assert counts("a:key:é", "stock") == [5, -4]
    assert terminal("get", "--", "-x", "a:key:é") == Said(0, "-x\t3\na:key:é\t5\n", "")


def test_a_json_lines_file_is_sent_but_for_its_bad_lines(terminal, counts, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(
        b'{"counter":"j:1","amount":2}\n\n{"counter":"j:1","amount":2.5}\n{"counter":"\xff"}\n'
        b'{"counter":"j:2","id":"order-1"}\n{"counter":"j:2","id":"order-1"}\n'
        b'{"counter":"j:1","amount":40,"max":42}\n{"counter":"j:1","amount":1,"max":42}'
    )
    assert whole(terminal("send", "--file", str(path))) == Said(
        1,
        "",
        "line 3: amount: must be an integer, found 2.5\n"
        "line 4: is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte\n" + CONFIRMED.format(5, 2),
    )
    assert counts("j:1", "j:2") == [42, 1]


def test_a_csv_file_is_known_by_its_name(terminal, counts, tmp_path):
    path = tmp_path / "EVENTS.CSV"
    content = (
        '\ufeffcounter,amount,max\r\n"c,""1""",2,\r\nc2,1_0,\r\nc2,7,6\r\nc2,"5\r\n",\r\nc2,6\r\n'
    )
    path.write_text(content, encoding="utf-8", newline="")
    assert whole(terminal("send", "--file", str(path))) == Said(
        1,
        "",
        "line 3: amount: must be an integer, found '1_0'\n"
        "line 5: is not CSV: a quote is not closed in its line\n"
        "line 6: is not CSV: a quote is not closed in its line\n"
        "line 7: has 2 cells, the first line has 3\n" + CONFIRMED.format(2, 4),
    )
    assert counts('c,"1"', "c2") == [2, 0]


def test_standard_input_is_sent_with_a_summary_for_programs(terminal, counts):
    said = terminal("send", "--file", "-", "--output", "json", stdin=b'{"counter":"stdin"}\n' * 300)
    summary = json.loads(said.stdout)
    assert summary.pop("seconds") >= 0
    assert (said.status, hidden(said.stderr)) == (0, CONFIRMED.format(300, 0))
    assert 0 < summary.pop("requests") <= summary.pop("messages") <= 300
    assert summary == {"confirmed": 300, "unsent": 0, "invalid": 0, "retries": 0}
    csv = b"counter,amount\nstdin,-100\n"
    assert terminal("send", "--file", "-", "--format", "csv", stdin=csv).status == 0
    assert counts("stdin") == [200]


def test_a_file_that_is_sent_again_counts_again_but_for_rows_with_an_id_and_at(
    terminal, counts, tmp_path
):
    path = tmp_path / "events.csv"
    path.write_text(
        "counter,id,at\ntwice,,\nonce,order-1,1790000000123\nonce,order-2,1790000000123\n"
    )
    for _ in range(2):
        assert terminal("send", "--file", str(path)).status == 0
    assert counts("twice", "once") == [2, 2]


def test_what_a_shell_has_read_of_a_file_is_not_sent(stack, counts, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"counter":"read"}\n{"counter":"left"}\n')
    with path.open("rb", buffering=0) as stream:
        stream.seek(19)
        with tally("send", "--file", "-", env=QUIET | stack.variables, stdin=stream) as process:
            stdout, stderr = process.communicate(timeout=30)
    assert (stdout, hidden(stderr)) == (
        "",
        CONFIRMED.replace("increments", "increment").format(1, 0),
    )
    assert counts("left", "read") == [1, None]


def test_what_was_not_confirmed_is_kept_and_counts_once_however_often_it_is_sent(
    terminal, counts, tmp_path
):
    path = tmp_path / "unsent.jsonl"
    nowhere = terminal.env["SQS_QUEUE_URL"] + "-of-another-name"
    keep = ("--unsent", str(path))
    assert whole(terminal("send", "kept", "--count", "3", *keep, SQS_QUEUE_URL=nowhere)) == Said(
        1,
        "",
        f"not confirmed: AWS.SimpleQueueService.NonExistentQueue (HTTP 400): {nowhere}\n"
        "kept, to be sent again: 3 increments\n"
        "0 increments confirmed in # messages, 3 not confirmed, 0 invalid\n",
    )
    for _ in range(3):
        assert whole(terminal("send", "--file", str(path))) == Said(0, "", CONFIRMED.format(3, 0))
        assert counts("kept") == [3]


def test_a_counter_that_is_absent_is_told_and_the_others_are_printed(terminal, counts):
    terminal("send", "g:1")
    terminal("send", "g:2", "--amount", "-9223372036854775808")
    assert counts("g:1", "g:2") == [1, -(2**63)]
    missing = "tally: there is no counter 'g:3'\n"
    assert terminal("get", "g:1", "g:3", "g:2") == Said(
        1, "g:1\t1\ng:2\t-9223372036854775808\n", missing
    )
    assert terminal("get", "g:3") == Said(1, "", missing)
    assert terminal("get", "g:3", "g:1", "--output", "json") == Said(
        1, '{"g:3":null,"g:1":1}\n', missing
    )


def test_a_value_that_is_no_counter_is_told_and_stays(stack, terminal):
    raw = Raw(stack.store)
    raw.set(b"foreign", b"hello")
    raw.set(b"bare", b"42")
    said = terminal("get", "foreign")
    assert (said.status, said.stdout) == (1, "")
    assert said.stderr.startswith("tally: foreign: ")
    assert len(said.stderr.splitlines()) == 1
    assert terminal("get", "bare") == Said(0, "42\n", "")
    assert raw.get(b"foreign") == b"hello"
    raw.close()


def test_a_progress_bar_is_for_a_terminal_only_and_remarks_stand_above_it(stack):
    leader, follower = pty.openpty()
    env = QUIET | stack.variables | {"TERM": "xterm"}
    content = b'{"counter":"bar"}\n' * 600 + b"{}\n"
    arguments = ("send", "--file", "/dev/stdin")
    with (
        os.fdopen(leader, "rb", buffering=0) as screen,
        tally(*arguments, env=env, stdin=-1, stderr=follower, bufsize=0, text=False) as process,
    ):
        os.close(follower)
        stdout, _ = process.communicate(content, timeout=30)
        shown = read_all(screen).decode()
    assert (process.returncode, stdout) == (1, b"")
    assert "sending " in shown
    assert "━━━━━" in shown
    assert "600 confirmed" in shown
    assert "line 601: counter: is missing\r\n" in shown
    assert hidden(shown).endswith(CONFIRMED.format(600, 1).replace("\n", "\r\n"))


def read_all(screen):
    """What a terminal shows; its end is an error where nobody holds the other side."""
    shown = b""
    try:
        while chunk := screen.read(65_536):
            shown += chunk
    except OSError:
        return shown
    return shown
