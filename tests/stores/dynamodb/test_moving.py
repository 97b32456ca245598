"""`tally migrate` as docs/moving.md has it: each step played, and what happens without the wait."""

import contextlib
import json
import os
import re
import signal

import pytest

from tally.cli.migrate.moving import LACKS
from tally.local.momento.server import HOST, MomentoServer
from tests.support.consumers import ENDPOINT, KEY
from tests.support.momento_channel import CACHE
from tests.support.processes import tally, wait_until
from tests.support.switching import COUNTERS, consumer, counts, deliver, messages
from tests.support.terminal import Said, Terminal

MESSAGES = 40
NOWHERE = "127.0.0.1:9"


@contextlib.contextmanager
def momento(_request):
    with MomentoServer([CACHE]) as server:
        yield {"MOMENTO_LOCAL": f"{HOST}:{server.port}", "MOMENTO_CACHE_NAME": CACHE}


@contextlib.contextmanager
def valkey(request):
    server = request.getfixturevalue("valkey")
    yield {"VALKEY_URL": f"redis://{HOST}:{server.port}"}


@pytest.fixture(params=[momento, valkey], ids=lambda kind: kind.__name__)
def left(request):
    """The variables of the cache that is left, as its consumer had them."""
    with request.param(request) as variables:
        yield variables


@pytest.fixture
def old():
    """Those of an embedded Momento."""
    with momento(None) as variables:
        yield variables


def moving(told, variables):
    """A terminal as docs/moving.md has it set up."""
    return Terminal(told | {f"OLD_{name}": value for name, value in variables.items()})


def test_the_steps_lose_nothing_and_count_nothing_twice(told, left, tmp_path):
    names, terminal = tmp_path / "names.txt", moving(told, left)
    names.write_text("\n".join([*COUNTERS, "never", ""]))
    asked = ("migrate", "--names", str(names))
    with consumer(left) as before:  # and none of its messages is deleted: all come again
        deliver(before, messages(0, MESSAGES // 2))
        deliver(before, messages(MESSAGES // 4, MESSAGES))
    absent = "tally: never: not in the cache\n"
    told_dry = "5 to copy, 0 already there, 1 absent, 0 failed\n"
    assert terminal(*asked, "--dry-run") == Said(0, told_dry, absent)
    assert terminal(*asked) == Said(0, "5 copied, 0 already there, 1 absent, 0 failed\n", absent)
    assert terminal(*asked).stdout == "0 copied, 5 already there, 1 absent, 0 failed\n"
    with consumer(told) as after:
        deliver(after, messages(0, MESSAGES))
        deliver(after, messages(MESSAGES // 2, 2 * MESSAGES))
    assert counts(told) == 2 * MESSAGES
    assert terminal(*asked).stdout == "0 copied, 5 already there, 1 absent, 0 failed\n"


def test_without_the_wait_what_a_late_consumer_acknowledges_is_lost_and_told(told, left):
    terminal = moving(told, left)
    with consumer(left) as late:
        deliver(late, messages(0, MESSAGES))
        assert terminal("migrate", *COUNTERS).status == 0
        deliver(late, messages(MESSAGES, MESSAGES + 2))  # acknowledged: they never come again
    with consumer(told) as after:
        deliver(after, messages(MESSAGES + 2, 2 * MESSAGES))
    assert counts(told) == 2 * MESSAGES - 2
    assert terminal("migrate", *COUNTERS) == Said(
        1,
        "0 copied, 3 already there, 0 absent, 2 failed\n",
        f"tally: c0: {LACKS}\ntally: c1: {LACKS}\n",
    )
    with consumer(told) as after:  # published once more with the same identities
        deliver(after, messages(MESSAGES, MESSAGES + 2))
    assert counts(told) == 2 * MESSAGES
    assert terminal("migrate", *COUNTERS).status == 0


def test_a_counter_that_counts_before_the_copy_is_not_overwritten(told, old):
    with consumer(old) as before:
        deliver(before, messages(0, MESSAGES))
    with consumer(told) as early:
        deliver(early, messages(MESSAGES - 1, MESSAGES + 1))
    said = moving(told, old)("migrate", *COUNTERS)
    assert (said.status, said.stdout) == (1, "3 copied, 0 already there, 0 absent, 2 failed\n")
    assert counts(told) == 3 * MESSAGES // 5 + 2


def test_each_counter_is_a_line_of_json(told, old):
    with consumer(old) as before:
        deliver(before, messages(0, 1))
    said = moving(told, old)("migrate", "c0", "none", "--output", "json")
    assert list(map(json.loads, said.stdout.splitlines())) == [
        {"counter": "none", "result": "absent", "count": None, "why": ""},
        {"counter": "c0", "result": "copied", "count": 1, "why": ""},
    ]
    assert said.stderr == "1 copied, 0 already there, 1 absent, 0 failed\n"


def test_a_bad_name_is_told_with_its_line_and_stops_no_other(told, old, tmp_path):
    with consumer(old) as before:
        deliver(before, messages(0, 1))
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xff\r\n\r\n" + 2_000 * b"n" + b"\nc0\r\n")
    assert moving(told, old)("migrate", "--names", str(names)) == Said(
        1,
        "1 copied, 0 already there, 0 absent, 2 failed\n",
        "tally: line 1: is no UTF-8: b'\\xff'\n"
        f"tally: line 3: counter: must have at most 512 bytes, found '{118 * 'n'}…\n",
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"OLD_MOMENTO_CACHE_NAME": ""},
            "OLD_MOMENTO_CACHE_NAME must be set",
        ),
        ({"COUNTER_TABLE": ""}, "COUNTER_TABLE must be set: it is where the counters go"),
        (
            {"OLD_COUNTER_TABLE": "counters"},
            "OLD_COUNTER_TABLE must be empty: only a cache can be left",
        ),
        ({"OLD_VALKEY_URL": "redis://127.0.0.1:9"}, "OLD_MOMENTO_CACHE_NAME beside OLD_VALKEY_URL"),
        ({"COUNTER_TABLE": "none"}, "ResourceNotFoundException"),
    ],
)
def test_what_is_set_up_wrong_is_one_line(told, old, changes, problem):
    with consumer(old) as before:
        deliver(before, messages(0, 1))
    terminal = moving(told, old)
    terminal.env |= changes
    said = terminal("migrate", "c0")
    assert (said.status, said.stderr[:7]) == (1, "tally: ")
    assert problem in said.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"MOMENTO_LOCAL": NOWHERE, "MOMENTO_CACHE_NAME": CACHE},
        {"MOMENTO_ENDPOINT": ENDPOINT, "MOMENTO_API_KEY": KEY, "MOMENTO_CACHE_NAME": CACHE},
        {"VALKEY_URL": f"redis://{NOWHERE}"},
    ],
    ids=["local", "Momento", "Valkey"],
)
def test_the_cache_that_is_left_cannot_serve_the_table(told, variables):
    assert moving(told | variables, variables)("migrate", "c0") == Said(
        1,
        "",
        "tally: the cache before COUNTER_TABLE is the old cache: "
        "use another one, or none for now\n",
    )


def test_ctrl_c_ends_it_with_what_was_done(told, old, tmp_path):
    names, heard = tmp_path / "names", tmp_path / "heard"
    os.mkfifo(names)
    words, env = ("--at-once", "1", "--names", str(names)), moving(told, old).env
    with (
        heard.open("w") as said,
        tally("migrate", *words, env=env, stdout=said, stderr=said) as process,
        names.open("w") as typed,
    ):
        typed.write("none\n")
        typed.flush()
        assert wait_until(lambda: "none" in heard.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert heard.read_text().splitlines() == [
        "tally: none: not in the cache",
        "tally: interrupted; to begin again is safe",
        "0 copied, 0 already there, 1 absent, 0 failed",
    ]


def test_a_file_of_names_that_is_not_there_is_a_usage_error(told, old):
    assert moving(told, old)("migrate", "--names", "nowhere.txt").status == 2


@pytest.mark.parametrize("words", [[], ["c0", "--names", "-"], [""]])
def test_words_that_make_no_sense_are_refused(told, words):
    assert Terminal(told)("migrate", *words).status == 2


def test_help_names_the_document():
    said = Terminal()("migrate", "--help")
    assert re.search(r"docs/moving\.md", said.stdout)
