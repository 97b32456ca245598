"""One request's way: what its record says, and that the consumer's lines say it too."""

import json
import time

import pytest

from producer import wiring
from producer.handler import lambda_handler
from tally.counters.event import EventName
from tally.counters.identity import derived_source
from tally.local.lambda_.runtime import FunctionSettings, LambdaContext
from tests.publishing.http_sqs import HttpSqs
from tests.support.api import answered, event
from tests.support.consumers import Deployed
from tests.support.lambda_event import event as batch
from tests.support.lambda_event import record
from tests.support.log import Log

CONTEXT = LambdaContext("r-1", FunctionSettings())
INCREMENTS = "/counters/page:home/increments"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
SENT = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
GIVEN = f"{SENT};Lineage=1:a87bd80c:0"
SECRETS = {"x-api-key": "a-callers-key", "Authorization": "Bearer a-callers-token"}


@pytest.fixture(autouse=True)
def sqs(monkeypatch):
    """The queue of an API that is made anew, with a logger of its own."""
    with HttpSqs() as sqs:
        told = {"MOMENTO_LOCAL": "127.0.0.1:1", "MOMENTO_CACHE_NAME": "tally"}
        own = {"POWERTOOLS_SERVICE_NAME": f"following-{sqs.url}"}
        for name, value in {**sqs.variables, **told, **own}.items():
            monkeypatch.setenv(name, value)
        wiring.api.cache_clear()
        wiring.publisher.cache_clear()
        yield sqs
        wiring.publisher(sqs.url).close()
        wiring.api.cache_clear()
        wiring.publisher.cache_clear()


def recorded(capsys):
    """The record of the last request, without its metrics."""
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    return {key: said[key] for key in said if key not in {"_aws", "service"} and key[0] != "A"}


def received(sqs):
    """The one message that was sent, as the consumer is handed it: moto drops its trace."""
    [entry] = sqs.entries
    told = record("m1", entry["MessageBody"], sent_at=int(time.time() * 1_000))
    for name, value in entry.get("MessageSystemAttributes", {}).items():
        told["attributes"][name] = value["StringValue"]
    return told


def test_a_request_its_event_and_the_decision_on_it_have_a_name_and_a_trace_in_common(
    monkeypatch, capsys, sqs
):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", GIVEN)
    _, _, told = answered(lambda_handler(event("POST", INCREMENTS, headers=SECRETS), CONTEXT))
    assert recorded(capsys) == {
        "function_request_id": "r-1",
        "request_id": "r-1",
        "trace_id": ROOT,
        "counter": "page:home",
        "identity": told["event"],
    }
    message = received(sqs)
    assert message["attributes"]["AWSTraceHeader"] == SENT
    deployed = Deployed(log=Log("DEBUG"))
    deployed.handle(batch(message))
    [line] = deployed.log
    assert [line[key] for key in ("decision", "identity", "trace_id")] == [
        "applied",
        told["event"],
        ROOT,
    ]


def test_a_request_that_publishes_nothing_names_no_event(capsys):
    lambda_handler(event("GET", "/nowhere"), CONTEXT)
    lambda_handler(event("GET", "/") | {"requestContext": None}, CONTEXT)
    assert recorded(capsys) == {"function_request_id": "r-1", "request_id": ""}


def test_a_named_event_is_told_by_its_key_too(capsys, sqs):
    headers = {"Idempotency-Key": "order-17"}
    body = '{"at": 1790000000000}'
    lambda_handler(event("POST", INCREMENTS, body, headers=headers), CONTEXT)
    told = recorded(capsys)
    name = str(EventName(derived_source("order-17"), 0, 1_790_000_000_000))
    assert (told["identity"], told["id"]) == (name, "order-17")
    lambda_handler(event("GET", "/nowhere"), CONTEXT)
    assert recorded(capsys) == {"function_request_id": "r-1", "request_id": "r-1"}
    message = received(sqs)
    assert "AWSTraceHeader" not in message["attributes"]


def test_no_key_and_no_token_of_a_caller_is_in_any_line(capsys):
    for request in (
        event("POST", INCREMENTS, headers=SECRETS),
        event("POST", INCREMENTS, "{", headers=SECRETS),
        event("GET", "/counters/a", headers=SECRETS),
        event("GET", "/nowhere", headers=SECRETS) | {"requestContext": {}},
    ):
        lambda_handler(request, CONTEXT)
    said = "".join(capsys.readouterr())
    assert '"identity"' in said
    assert "a-callers-" not in said
