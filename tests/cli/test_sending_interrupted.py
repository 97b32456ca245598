"""Ctrl-C on `tally send`, wherever it comes: what was published is confirmed or kept."""

import json
import signal
import socket
import sys
import threading

import msgspec
import pytest

from tally.cli.output import INTERRUPTED, Output
from tally.cli.send import NOTHING_READ, PATIENCE
from tally.counters.event import Increment
from tally.counters.identity import identity_of
from tally.publishing.connection import READ_TIMEOUT_S
from tally.publishing.outbox import MAX_UNSENT_BYTES
from tests.cli.sending import WAIT_S, Try, line, refuse
from tests.support.processes import ctrl_c, tally, wait_until
from tests.support.sqs import stored
from tests.support.terminal import QUIET

LONG = 1_000_000
KEYS = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
TOO_MANY = 4 * MAX_UNSENT_BYTES // LONG
LINES = 3


def interrupted(*sent):
    yield from sent
    signal.raise_signal(signal.SIGINT)
    pytest.fail("the reading goes on")


def test_ctrl_c_ends_the_reading_and_what_was_read_is_sent():
    attempt = Try()
    summary = "1 increment confirmed in 1 message, 0 not confirmed, 0 invalid"
    stopped = "interrupted after line 1: nothing after it was sent"
    status, said = attempt.send(interrupted(line(1)))
    assert (status, sorted(said)) == (INTERRUPTED, sorted([PATIENCE, stopped, summary]))
    assert len(attempt.sqs.events) == 1


def test_the_first_of_what_was_not_read_is_named(capsys):
    Try().send(interrupted(line(1), line(5)), Output.JSON)
    assert json.loads(capsys.readouterr().out)["stopped_at"] == 6
    assert NOTHING_READ in Try().send(interrupted())[1]


def test_a_line_that_comes_after_a_second_ctrl_c_is_named_and_not_sent():
    attempt = Try()

    def impatient():
        yield line(1)
        attempt.publisher.close()  # as the answer to that signal does meanwhile
        yield line(2)

    where = "stopped at line 2; it and all that follows were not sent: "
    assert attempt.send(impatient())[1][0].startswith(where)
    assert len(attempt.sqs.events) == 1


def test_ctrl_c_while_sqs_is_awaited_waits_on():
    attempt = Try()

    def slow(sqs, entries):
        ctrl_c()
        assert attempt.screen.asks_for_patience.wait(WAIT_S)
        return stored(sqs, entries)

    attempt.sqs.script.append(slow)
    summary = "1 increment confirmed in 1 message, 0 not confirmed, 0 invalid"
    assert attempt.send([line(1)]) == (INTERRUPTED, [PATIENCE, summary])


def test_a_second_ctrl_c_gives_up_and_keeps_what_is_not_confirmed(tmp_path):
    path, is_over = tmp_path / "unsent.jsonl", threading.Event()
    attempt = Try(unsent=path)

    def endless(sqs, entries):
        ctrl_c()
        assert attempt.screen.asks_for_patience.wait(WAIT_S)
        ctrl_c()
        assert is_over.wait(WAIT_S)
        return stored(sqs, entries)

    attempt.sqs.script.append(endless)
    said = attempt.send([line(1), line(2)])
    is_over.set()
    assert said == (
        INTERRUPTED,
        [
            PATIENCE,
            "not confirmed: given up before SQS confirmed it",
            "kept, to be sent again: 2 increments",
            "0 increments confirmed in 0 messages, 2 not confirmed, 0 invalid",
        ],
    )
    assert [json.loads(one)["seq"] for one in path.read_bytes().splitlines()] == [0, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_gives_up_as_well_where_nobody_reads_what_it_says(tmp_path, number):
    path = tmp_path / "unsent.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(WAIT_S)
        here = f"http://127.0.0.1:{silent.getsockname()[1]}"
        env = QUIET | KEYS | {"AWS_ENDPOINT_URL_SQS": here, "SQS_QUEUE_URL": f"{here}/0/a"}
        with tally("send", "a", "--unsent", path, env=env) as process, silent.accept()[0]:
            process.stderr.close()  # as a `| tee` that the same Ctrl-C has ended

            def is_over():
                process.send_signal(number)  # two at once may be one
                return process.poll() is not None

            assert wait_until(is_over, READ_TIMEOUT_S)
    assert json.loads(path.read_text())["counter"] == "a"


class Moments:
    """Ctrl-C at some of the calls and returns of this thread, from where it is counted on.

    Args:
        chosen: those moments; the first is 0.
        since: the function after whose first return they begin.
    """

    def __init__(self, chosen, since="counted"):
        self.seen = 0
        self._chosen = frozenset(chosen)
        self._since = since

    def __enter__(self):
        sys.setprofile(self._pass)

    def __exit__(self, *_error):
        sys.setprofile(None)

    def _pass(self, frame, event, _argument):
        name = frame.f_code.co_name if event == "return" else None
        if self._since:
            self._since = None if name == self._since else self._since
        elif name == "_keep_unsent_of":
            sys.setprofile(None)
        else:
            self.seen += 1
            if self.seen - 1 in self._chosen:
                signal.raise_signal(signal.SIGINT)


def send_interrupted(path, script, source, moments):
    """Send; then see that every increment that was published is where it can be found.

    Returns:
        How many moments there were.
    """
    path.unlink(missing_ok=True)
    attempt = Try(*script, unsent=path)
    with moments:
        attempt.sending.run(source)
    kept = path.read_bytes().splitlines() if path.exists() else []
    found = [identity_of(msgspec.json.decode(one, type=Increment)) for one in kept]
    found += [event.identity for event in attempt.sqs.events]
    assert len({*found}) == attempt.publisher.stats.published
    return moments.seen


@pytest.mark.parametrize("later", [None, 1, 30])
@pytest.mark.parametrize("step", [refuse, stored])
def test_wherever_ctrl_c_comes_what_was_published_is_confirmed_or_kept(tmp_path, step, later):
    path, source = tmp_path / "unsent.jsonl", [line(number) for number in range(LINES)]
    count = send_interrupted(path, [step], source, Moments(()))
    assert count > 100 * LINES
    for first in range(count):
        send_interrupted(path, [step], source, Moments({first, first + (later or 0)}))


@pytest.mark.parametrize("moment", range(40))
def test_ctrl_c_while_a_full_publisher_hands_over_loses_nothing(tmp_path, moment):
    source = [line(number, id=f"{number:0{LONG}}") for number in range(TOO_MANY)]
    moments = Moments({moment}, since="raise_unsent")
    script = [refuse] * TOO_MANY
    send_interrupted(tmp_path / "unsent.jsonl", script, source, moments)
    assert moments.seen > moment
