"""The API's Lambda: put together from its environment on first use, over real SQS and Momento."""

import json
import subprocess
import sys
import threading

import pytest

from producer import wiring
from producer.handler import lambda_handler
from producer.settings import ApiSettings
from tally.environment import Cache, Local, Service, SettingsError
from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.runtime import FunctionSettings, LambdaContext
from tally.local.momento.server import MomentoServer
from tally.local.sqs.queue import LocalQueue
from tally.publishing.sending import Pacer
from tests.publishing.http_sqs import HttpSqs
from tests.support.api import answered, event, found

CONTEXT = LambdaContext("r-1", FunctionSettings())
INCREMENTS = "/counters/page:home/increments"


@pytest.fixture(scope="module")
def variables():
    """The environment of an API over servers of its own."""
    with LocalQueue() as queue, MomentoServer(caches=["tally"]) as momento:
        yield {
            **queue.variables,
            "SQS_QUEUE_URL": queue.queue_url,
            "MOMENTO_LOCAL": f"127.0.0.1:{momento.port}",
            "MOMENTO_CACHE_NAME": "tally",
        }


@pytest.fixture
def _fresh(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    wiring.api.cache_clear()
    wiring.publisher.cache_clear()
    yield
    wiring.publisher(variables["SQS_QUEUE_URL"]).close()
    wiring.api.cache_clear()
    wiring.publisher.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_a_request_is_published_to_sqs_and_read_from_momento(capsys):
    status, _, told = answered(lambda_handler(event("POST", INCREMENTS), CONTEXT))
    assert (status, told["counter"]) == (202, "page:home")
    outcome = lambda_handler(event("GET", told["outcome"]), CONTEXT)
    assert answered(outcome) == found({"outcome": "pending"})
    counts = lambda_handler(event("GET", "/counters", query=[("name", "page:home")]), CONTEXT)
    assert answered(counts) == found({"counts": {"page:home": None}})
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["ApiRequests"], line["ApiServerErrors"]) for line in records] == [
        ([1.0], [0.0])
    ] * 3
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in records} == {"Tally"}


@pytest.mark.usefixtures("_fresh")
def test_it_is_made_once_and_anew_after_a_refused_set_up(monkeypatch, capsys):
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "no-such-cache")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "renewed")  # whose logger is new as well
    first = wiring.api()
    assert wiring.api() is first
    status, _, told = answered(lambda_handler(event("GET", "/counters/page:home"), CONTEXT))
    assert (status, told["type"]) == (500, "urn:tally:internal")
    [line, metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["problem"], line["function_request_id"]) == ("internal", "r-1")
    assert metrics["ApiServerErrors"] == [1.0]
    assert wiring.api() is not first
    first.handle(event("GET", "/counters/page:home"), CONTEXT)
    [line, _] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["exception_name"] == "ReaderClosedError"


def senders():
    return {thread for thread in threading.enumerate() if thread.name == "tally-publisher"}


@pytest.mark.usefixtures("_fresh")
def test_a_refused_set_up_leaves_the_publisher_as_it_is(monkeypatch):
    monkeypatch.setenv("MOMENTO_CACHE_NAME", "no-such-cache")
    before = senders()
    for _ in range(3):
        assert lambda_handler(event("POST", INCREMENTS), CONTEXT)["statusCode"] == 202
        assert lambda_handler(event("GET", "/counters/a"), CONTEXT)["statusCode"] == 500
    assert len(senders() - before) == 1


def test_publishing_gives_up_well_before_api_gateway_does():
    assert wiring.publisher("https://sqs/q")._pacer == Pacer(patience_s=5.0, attempt_s=2.0)


def test_a_connection_that_sqs_left_without_a_word_leaves_time_for_another(monkeypatch):
    with HttpSqs() as sqs:
        for name, value in sqs.variables.items():
            monkeypatch.setenv(name, value)
        with wiring.publisher(sqs.url) as publisher:
            publisher.publish("a")
            publisher.flush()
            sqs.is_stale = True
            publisher.publish("a")
            publisher.flush()
            assert (sqs.counts, publisher.stats.retries) == ({"a": 2}, 1)


def test_it_runs_in_a_lambda_s_own_process(variables):
    function = LambdaEnvironment("producer.handler.lambda_handler", variables=variables)
    try:
        payload = json.dumps(event("POST", INCREMENTS)).encode()
        invocation = function.invoke(payload)
    finally:
        function.close()
    assert invocation.error is None
    assert json.loads(invocation.response or "")["statusCode"] == 202


def test_nothing_happens_at_import():
    program = "import producer.handler, sys; print(sorted({'boto3'} & set(sys.modules)))"
    said = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""},
    )
    assert (said.stdout, said.stderr) == ("[]\n", "")


def test_all_that_is_wrong_with_the_settings_is_told_at_once():
    with pytest.raises(SettingsError) as raised:
        ApiSettings.from_environment({"MOMENTO_API_KEY": "secret"})
    assert raised.value.problems == [
        "SQS_QUEUE_URL must be set",
        "MOMENTO_ENDPOINT must be set",
        "MOMENTO_CACHE_NAME must be set",
    ]


@pytest.mark.parametrize("url", ["foo", "sqs://q", "https://", "https:///q", "https://sqs/a b"])
def test_the_queue_must_be_a_url(url):
    with pytest.raises(SettingsError) as raised:
        ApiSettings.from_environment({"SQS_QUEUE_URL": url, "MOMENTO_LOCAL": "here"})
    assert raised.value.problems == [
        f"SQS_QUEUE_URL must be http(s)://host/…/name, found {url!r}",
        "MOMENTO_LOCAL must be host:port, found 'here'",
        "MOMENTO_CACHE_NAME must be set",
    ]


def test_settings_are_read_and_hide_the_key():
    told = ApiSettings.from_environment(
        {
            "SQS_QUEUE_URL": "https://sqs/q",
            "MOMENTO_CACHE_NAME": "tally",
            "MOMENTO_API_KEY": "a-key",
            "MOMENTO_ENDPOINT": "cell.example",
        }
    )
    assert told == ApiSettings("https://sqs/q", Cache("tally", Service("cell.example", "a-key")))
    assert "a-key" not in repr(told)


def test_a_key_that_is_none_is_a_wrong_setting():
    told = ApiSettings("https://sqs/q", Cache("tally", Service("cell.example", "no-key")))
    with pytest.raises(SettingsError, match=r"^the Momento API key is not one of version 2$"):
        wiring.build(told, {})


def test_powertools_own_names_hold(capsys):
    told = ApiSettings("http://127.0.0.1/q", Cache("tally", Local("127.0.0.1", 1)))
    names = {"POWERTOOLS_SERVICE_NAME": "shop", "POWERTOOLS_METRICS_NAMESPACE": "Shop"}
    wiring.build(told, names).handle(event("GET", "/"), CONTEXT)
    line = json.loads(capsys.readouterr().out)
    assert (line["service"], line["_aws"]["CloudWatchMetrics"][0]["Namespace"]) == ("shop", "Shop")


def test_log_lines_have_the_time_of_day_that_all_machines_share():
    told = ApiSettings("http://127.0.0.1/q", Cache("tally", Local("127.0.0.1", 1)))
    assert wiring.build(told, {})._logger.registered_formatter.utc  # type: ignore[attr-defined] # Powertools' own
