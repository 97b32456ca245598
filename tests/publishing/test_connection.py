"""The client of SQS over the life of a program: keys that come and go, idle times, clocks."""

import logging

import pytest

from tally.publishing.connection import (
    CLOCK_AHEAD,
    ELSEWHERE,
    MAX_CLOCK_AHEAD_S,
    MAX_IDLE_S,
    Connection,
    connect,
)
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.publishing.sending import Pacer, Stats
from tests.publishing.http_sqs import HttpSqs
from tests.support.sqs import FakeSqs, client_error

NOW_S = 1_790_000_000.0
KEYS = "[default]\naws_access_key_id = {}\naws_secret_access_key = secret\n"
AWS_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/counters"


@pytest.fixture
def sqs(monkeypatch):
    with HttpSqs() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def keys(monkeypatch, tmp_path):
    """The file that keys are in, not there yet."""
    path = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


class Wall:
    """The time of day, as told."""

    now_s = NOW_S

    def __call__(self):
        return self.now_s


def publisher(sqs, **pacer):
    return Publisher(sqs.url, pacer=Pacer(sleep=lambda _s: None, **pacer))


def test_keys_that_are_absent_once_are_looked_for_again(sqs, keys):
    with publisher(sqs) as one:
        lost = one.publish("a")
        with pytest.raises(UnsentError) as raised:
            one.flush()
        assert raised.value.increments == (lost,)
        assert raised.value.reasons == ("NoCredentialsError: Unable to locate credentials",)
        assert one.stats.requests == 1
        keys.write_text(KEYS.format("new"))
        one.publish_again(lost)
    assert sqs.counts == {"a": 1}


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"])
def test_keys_that_are_renewed_in_their_file_are_read_anew_within_the_request(sqs, keys, code):
    keys.write_text(KEYS.format("old"))
    with publisher(sqs) as one:
        one.publish("a")
        one.flush()
        keys.write_text(KEYS.format("new"))
        sqs.refuse = lambda headers: code if "Credential=old/" in headers["Authorization"] else ""
        one.publish("a")
        one.flush()
        assert one.stats == Stats(published=2, confirmed=2, messages=2, requests=3, retries=1)
    assert sqs.counts == {"a": 2}


def test_keys_that_stay_expired_are_tried_once_more_and_then_given_up(sqs, keys):
    keys.write_text(KEYS.format("old"))
    sqs.refuse = lambda _headers: "ExpiredToken"
    with publisher(sqs) as one:
        one.publish("a")
        with pytest.raises(UnsentError) as raised:
            one.flush()
        assert raised.value.reasons == ("ExpiredToken (HTTP 403)",)
        assert one.stats.requests == 1
        one.publish("a")
        with pytest.raises(UnsentError):
            one.flush()
        assert one.stats.requests == 2


@pytest.mark.parametrize("is_own", [True, False])
def test_a_client_whose_keys_are_of_no_use_is_closed_if_it_was_made_here(is_own):
    client = FakeSqs()
    connection = Connection(AWS_URL, attempt_s=1.0, wall=Wall(), client=None if is_own else client)
    connection._client = client
    assert connection.renews(client_error("ExpiredToken", 400)) is is_own
    assert client.is_closed is is_own


def test_a_connection_that_sqs_left_without_a_word_costs_one_attempt(sqs):
    with publisher(sqs, attempt_s=0.5, patience_s=5) as one:
        one.publish("a")
        one.flush()
        sqs.is_stale = True
        one.publish("a")
        one.flush()
        assert one.stats == Stats(published=2, confirmed=2, messages=2, requests=3, retries=1)
    assert (sqs.counts, sqs.connections) == ({"a": 2}, 2)


@pytest.mark.parametrize("idle_s", [MAX_IDLE_S + 1, -1])
def test_a_connection_that_idled_is_not_used_again(sqs, idle_s):
    wall = Wall()
    with publisher(sqs, wall=wall) as one:
        one.publish("a")
        one.flush()
        one.publish("a")
        one.flush()
        assert sqs.connections == 1
        sqs.is_stale = True
        wall.now_s += idle_s
        one.publish("a")
        one.flush()
        assert one.stats.retries == 0
    assert (sqs.counts, sqs.connections) == ({"a": 3}, 2)


@pytest.mark.parametrize(("ahead_s", "warnings"), [(MAX_CLOCK_AHEAD_S + 5, 1), (-500, 0)])
def test_a_clock_that_is_ahead_of_sqs_is_warned_of_once(sqs, caplog, ahead_s, warnings):
    sqs.date_s = NOW_S - ahead_s
    with publisher(sqs, wall=Wall()) as one:
        for _ in range(2):
            one.publish("a")
            one.flush()
    found = [record for record in caplog.records if record.msg == CLOCK_AHEAD]
    assert len(found) == warnings
    assert all("clock of this machine is 65 s ahead" in record.getMessage() for record in found)


def test_an_answer_without_a_date_says_nothing_of_the_clock(sqs, caplog):
    sqs.sends_date = False
    with publisher(sqs) as one:
        one.publish("a")
    assert CLOCK_AHEAD not in [record.msg for record in caplog.records]


@pytest.mark.parametrize(("url", "warnings"), [(AWS_URL, 1), ("", 0)])
def test_an_endpoint_that_takes_a_queue_of_aws_elsewhere_is_warned_of(sqs, caplog, url, warnings):
    connect(url or sqs.url).close()
    found = [record for record in caplog.records if record.msg == ELSEWHERE]
    assert len(found) == warnings
    for record in found:
        assert (record.levelno, record.args) == (logging.WARNING, (sqs.endpoint,))


def test_close_closes_a_client_that_was_made_here(sqs):
    with publisher(sqs) as one:
        one.publish("a")
        one.flush()
        assert sqs.open_connections == 1
    assert sqs.all_closed.wait(10)
