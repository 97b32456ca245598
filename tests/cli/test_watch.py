"""Watching: what changes between looks, what a failed look leaves standing, and how it is shown."""

import io
import os
import pty
import signal
from datetime import UTC, datetime

import pytest
from rich.console import Console

from tally.cli.output import Output
from tally.cli.watch import Row, Sight, Watching, picture, view_for
from tally.local.momento.server import MomentoServer
from tally.reading.errors import ReadError
from tally.stores.port import Trouble
from tests.support.clock import START_S, Clock
from tests.support.momento import Raw
from tests.support.momento_channel import CACHE
from tests.support.processes import tally, wait_until
from tests.support.terminal import QUIET, Terminal

NOW = datetime(2026, 11, 23, 8, 0, 0, 120_000, tzinfo=UTC)
LOST = ReadError("UNAVAILABLE", Trouble.UNKNOWN_OUTCOME)
REFUSED = ReadError("INVALID_ARGUMENT", Trouble.REFUSED)


class Counts:
    """What each look reads, and how long it takes."""

    def __init__(self, clock, *looks, takes_s=0.0):
        self._clock, self._looks, self._takes_s = clock, list(looks), takes_s

    def __call__(self):
        self._clock.now_s += self._takes_s
        seen = self._looks.pop(0)
        if isinstance(seen, ReadError):
            raise seen
        return seen


@pytest.fixture
def clock():
    return Clock()


def watched(clock, read, interval_s=2.0, for_s=4.0):
    """All that is shown of a watch."""
    sights: list[Sight] = []
    watching = Watching(read, sights.append, clock=clock, sleep=clock.sleep, now=lambda: NOW)
    watching.run(interval_s, START_S + for_s)
    return sights


def sight(*rows, problem=""):
    return Sight(NOW, [Row(*row) for row in rows], problem)


def test_a_change_is_told_by_the_second(clock):
    read = Counts(clock, {"a": 10, "b": None}, {"a": 15, "b": 3}, {"a": 0, "b": 3})
    assert watched(clock, read) == [
        sight(("a", 10, None), ("b", None, None)),
        sight(("a", 15, 2.5), ("b", 3, None)),
        sight(("a", 0, -7.5), ("b", 3, 0.0)),
    ]
    assert clock.slept_s == [2.0, 2.0]


def test_a_watch_without_time_looks_once(clock):
    assert watched(clock, Counts(clock, {"a": 1}), for_s=0) == [sight(("a", 1, None))]


def test_looks_that_take_longer_than_the_interval_follow_each_other_at_once(clock):
    read = Counts(clock, *[{"a": number} for number in range(3)], takes_s=3.0)
    assert [one.rows[0].per_second for one in watched(clock, read, for_s=6.0)] == [
        None,
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    ]
    assert clock.slept_s == [0.0, 0.0]


class Running(Clock):
    """A clock that never stands still."""

    def __call__(self):
        self.now_s += 0.001
        return super().__call__()


def test_a_moment_that_has_just_passed_is_not_slept_for():
    clock = Running()
    watched(clock, Counts(clock, {"a": 1}, {"a": 2}, takes_s=3.0), for_s=5.0)
    assert clock.slept_s == [0.0]


def test_a_look_that_fails_is_told_and_the_change_is_counted_from_the_last_good_one(clock):
    read = Counts(clock, {"a": 10}, LOST, {"a": 18})
    assert watched(clock, read) == [
        sight(("a", 10, None)),
        sight(("a", 10, None), problem="UNAVAILABLE"),
        sight(("a", 18, 2.0)),
    ]


def test_a_watch_that_saw_nothing_ends_with_the_last_reason(clock):
    last = ReadError("TIMEOUT", Trouble.UNKNOWN_OUTCOME)
    with pytest.raises(ReadError, match=r"^every look failed, the last: TIMEOUT$") as raised:
        watched(clock, Counts(clock, LOST, LOST, last))
    assert raised.value.trouble is Trouble.UNKNOWN_OUTCOME


def test_a_watch_that_saw_something_once_is_no_failure(clock):
    assert len(watched(clock, Counts(clock, LOST, {"a": 1}, LOST))) == 3


def test_a_watch_of_a_momento_that_is_away_has_the_status_of_a_failure():
    away = {"MOMENTO_LOCAL": "127.0.0.1:1", "MOMENTO_CACHE_NAME": CACHE}
    said = Terminal(away)("watch", "a", "--for", "0")
    assert (said.status, said.stdout) == (1, "")
    [told, reason] = said.stderr.splitlines()
    assert told.startswith("tally: UNAVAILABLE: ")
    named = f"tally: Momento at 127.0.0.1:1, cache {CACHE!r}: every look failed, the last: "
    assert reason == told.replace("tally: ", named)


@pytest.mark.parametrize("error", [REFUSED, ReadError("a: the count cannot be read")])
def test_a_failure_that_stays_ends_the_watch(clock, error):
    with pytest.raises(ReadError) as raised:
        watched(clock, Counts(clock, {"a": 10}, error))
    assert raised.value is error


def test_the_table_has_a_row_for_each_counter_and_says_what_failed():
    screen = io.StringIO()
    console = Console(file=screen, width=60, markup=False, highlight=False)
    console.print(
        picture(
            sight(
                ("page:home", 1_234_567, 1_500.25),
                ("[bold]stock", -3, -0.5),
                ("idle", 0, 0.0),
                ("none", None, None),
                problem="UNAVAILABLE: no route",
            )
        )
    )
    lines = [" ".join(line.split()) for line in screen.getvalue().splitlines()]
    assert [line for line in lines if line] == [
        "counter count per second",
        "─" * 38,
        "page:home 1,234,567 +1,500.2",
        "[bold]stock -3 -0.5",
        "idle 0 0",
        "none – –",
        f"{NOW.astimezone():%H:%M:%S} UNAVAILABLE: no route",
    ]


@pytest.mark.parametrize("output", Output)
def test_what_failed_is_for_stderr_where_no_person_watches(output, capsys):
    with view_for(output) as show:
        show(sight(("a", 1, None), problem="UNAVAILABLE"))
    assert capsys.readouterr() == ("", "tally: UNAVAILABLE\n")


def test_lines_and_objects_tell_the_same(capsys):
    seen = sight(("a", 10, 2.5), ("b", None, None))
    for output in Output:
        with view_for(output) as show:
            show(seen)
    at = "2026-11-23T08:00:00.120+00:00"
    assert capsys.readouterr().out == (
        f"{at}\ta\t10\t2.5\n{at}\tb\t\t\n"
        f'{{"at":"{at}","counts":{{"a":10,"b":null}},"per_second":{{"a":2.5,"b":null}}}}\n'
    )


def test_on_a_terminal_a_table_changes_in_place():
    leader, follower = pty.openpty()
    with MomentoServer([CACHE]) as server, os.fdopen(leader, "rb", buffering=0) as screen:
        raw = Raw(server)
        raw.set(b"page:home", b"41")
        env = {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE, "TERM": "xterm"}
        arguments = ("watch", "page:home", "--interval", "0.1")
        with tally(*arguments, env=QUIET | env, stdout=follower) as process:
            os.close(follower)
            assert wait_until(lambda: b"   41" in screen.read(65_536))
            raw.set(b"page:home", b"42")
            assert wait_until(lambda: b"   42" in screen.read(65_536))
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=20)
        raw.close()
    assert (process.returncode, stderr) == (0, "")
