"""What a person sees while SQS takes its time: what is confirmed, why it waits, and until when."""

import os
import pty
import re
from datetime import UTC, datetime

import botocore.exceptions as boto
import pytest

from tally.cli.lookout import EVERY_S, QUIET_S, Lookout
from tally.publishing.sending import MAX_SENDING_S
from tests.support.clock import Clock
from tests.support.processes import tally, wait_until
from tests.support.sqs import FakeSqs, publisher, stored
from tests.support.terminal import QUIET

NOW = datetime(2026, 11, 23, 8, 0, 3, tzinfo=UTC)
CLOSED = boto.ConnectionClosedError(endpoint_url="http://127.0.0.1")
KEYS = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
AWAY = KEYS | {
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1",
    "SQS_QUEUE_URL": "http://127.0.0.1:1/0/q",
}
WAITS = "no confirmation from SQS "
REASON = "EndpointConnectionError: Could not connect to the endpoint URL: "


class Waiting:
    """A publisher whose SQS takes its time, and what the lookout told of it meanwhile."""

    def __init__(self):
        self.time, self.sqs = Clock(), FakeSqs()
        self.said: list[str] = []
        self.confirmed: list[int] = []
        self.publisher = publisher(self.sqs, pacer=self.time.pacer)
        self.lookout = Lookout(
            self.publisher,
            self.said.append,
            lambda stats: self.confirmed.append(stats.confirmed),
            now=lambda: NOW,
        )

    def silent(self, takes_s, error=None):
        """A step of SQS's script: it takes its time, and the lookout looks twice meanwhile."""

        def step(sqs, entries):
            self.time.now_s += takes_s
            self.lookout.look()
            self.lookout.look()
            if error:
                raise error
            return stored(sqs, entries)

        self.sqs.script.append(step)

    def send(self):
        self.publisher.publish("a")
        self.publisher.flush()


def test_a_silence_is_told_once_with_the_time_of_the_last_try():
    waiting = Waiting()
    waiting.silent(3.0)
    waiting.send()
    assert waiting.said == [f"{WAITS}(it does not answer); no new try after 08:00:30"]
    waiting.silent(4.0)
    waiting.send()
    assert waiting.said[1:] == [f"{WAITS}(it does not answer); no new try after 08:00:29"]


def test_a_failure_that_is_tried_again_is_told_with_its_reason():
    waiting = Waiting()
    waiting.silent(0.5, CLOSED)
    waiting.silent(2.8, CLOSED)  # after a pause of 0.2 s
    waiting.send()
    told = f"ConnectionClosedError: {CLOSED}"
    assert waiting.said == [f"{WAITS}({told}); no new try after 08:00:29"]
    assert waiting.publisher.stats.trying_s == 0.0


def test_an_answer_that_comes_soon_is_no_news():
    waiting = Waiting()
    waiting.silent(QUIET_S / 2)
    waiting.send()
    waiting.lookout.look()
    assert waiting.said == []


def test_what_is_shown_is_what_is_confirmed():
    waiting = Waiting()
    waiting.silent(1.0)
    with waiting.lookout.watching():
        waiting.send()
    assert waiting.confirmed[:1] == [0]
    assert waiting.confirmed[-1] == 1
    assert EVERY_S < QUIET_S < MAX_SENDING_S


@pytest.mark.parametrize("command", [("send", "a"), ("reset", "a")])
def test_a_queue_that_is_away_is_told_of_while_it_is_waited_for(command):
    with tally(*command, env=QUIET | AWAY) as process:
        line = process.stderr.readline()
    assert line.startswith(f'{WAITS}({REASON}"http://127.0.0.1:1/"); no new try after ')


def test_a_bar_does_not_count_what_only_waits(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"counter":"a"}\n' * 300)
    leader, follower = pty.openpty()
    env = QUIET | AWAY | {"TERM": "xterm", "COLUMNS": "200"}
    shown = []

    def is_told():
        shown.append(screen.read(65_536).decode(errors="replace"))
        return WAITS in "".join(shown)

    with (
        os.fdopen(leader, "rb", buffering=0) as screen,
        tally("send", "--file", path, env=env, stderr=follower),
    ):
        os.close(follower)
        assert wait_until(is_told)
    assert set(re.findall(r"(\d+) confirmed", "".join(shown))) == {"0"}
    assert "━" not in "".join(shown)
