"""What the deployment's checks are made of, without a deployment."""

import io
import json
import zipfile

import pytest

from infrastructure.check.checking import (
    POLL_S,
    CheckFailedError,
    expect,
    expect_same,
    free_port,
    wait_until,
)
from infrastructure.check.deployment import ANY_METHOD, prepared, zipped
from infrastructure.check.events import Producer, batch, failures, record, request
from infrastructure.check.function import Function, function
from infrastructure.check.weather import FAILING_S, FAILS_AFTER_S, HANGS_S, Weather
from tally.local.momento.faults import Fault


def test_what_does_not_hold_fails_with_its_reason():
    expect([1], "it holds")
    expect_same({"a": 1}, {"a": 1}, "it is the same")
    with pytest.raises(CheckFailedError, match="nothing"):
        expect([], "nothing")
    with pytest.raises(CheckFailedError, match=r"^the count: expected 1, found 2$"):
        expect_same(2, 1, "the count")


def test_waiting_ends_when_it_holds_and_when_time_is_up():
    answers = iter([False, False, True])
    slept: list[float] = []
    wait_until(lambda: next(answers), 10, "too late", sleep=slept.append)
    assert slept == [POLL_S] * 2
    with pytest.raises(CheckFailedError, match="too late"):
        wait_until(lambda: False, 1, "too late", sleep=slept.append)
    assert slept == [POLL_S] * 7


def test_a_free_port_is_one():
    assert 0 < free_port() < 65_536


def test_momento_is_fair_then_fails_and_then_hangs():
    now_s = [0.0]
    weather = Weather(clock=lambda: now_s[0])
    assert weather("SetIf") is None
    weather.slow("SetIf", quick=2)
    *quick, slow = [weather("SetIf") for _ in range(3)]
    assert quick == [None, None]
    assert slow
    assert slow.error
    assert (slow.delay_s, slow.error.status, slow.after) == (FAILS_AFTER_S, "UNAVAILABLE", False)
    assert weather("GetWithHash") is None
    now_s[0] = FAILING_S
    assert weather("SetIf") == Fault(HANGS_S)
    weather.fair()
    assert weather("SetIf") is None


def test_a_producer_counts_on_within_its_source():
    producer = Producer()
    told = [*producer.records(["a", "b", "a"]), *producer.records(["a"])]
    bodies = [json.loads(each["body"]) for each in told]
    assert [(body["counter"], body["seq"]) for body in bodies] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("a", 2),
    ]
    assert len({body["source"] for body in bodies}) == 1
    assert Producer().records(["a"])[0]["body"] != told[0]["body"]


def test_a_batch_and_the_answer_that_brings_some_of_it_back():
    one, other = record("1"), record("2")
    assert batch([one, other]) == {"Records": [one, other]}
    assert (one["body"], one["attributes"]["ApproximateReceiveCount"]) == ("1", "1")
    assert failures([other]) == {"batchItemFailures": [{"itemIdentifier": other["messageId"]}]}


def test_a_request_is_the_event_of_a_proxy_integration():
    event = request("POST", "/counters/page%2Fhome/increments", {"amount": 3})
    assert (event["httpMethod"], event["path"]) == ("POST", "/counters/page%2Fhome/increments")
    assert json.loads(event["body"]) == {"amount": 3}
    assert event["headers"]["Content-Type"] == "application/json"
    assert request("GET", "/counters/a")["body"] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ConsumerFunction", ("consumer.handler.lambda_handler", 1_024, 256)),
        ("ApiFunction", ("producer.handler.lambda_handler", 512, 512)),
    ],
)
def test_a_function_is_run_as_the_template_has_it(name, expected, tmp_path):
    handler, memory_mib, least_mib = expected
    told = function(name, {name: tmp_path}, {"A": "b"})
    assert told == Function(name, tmp_path, handler, memory_mib, least_mib, {"A": "b"})


def test_the_zip_of_a_package_has_its_files(tmp_path):
    (tmp_path / "consumer").mkdir()
    (tmp_path / "consumer" / "handler.py").write_text("1")
    with zipfile.ZipFile(io.BytesIO(zipped(tmp_path))) as archive:
        assert archive.namelist() == ["consumer/", "consumer/handler.py"]
        assert archive.read("consumer/handler.py") == b"1"


OF_AN_EXPRESSION = {"DeadLettersAlarm", "MoreDeadLettersAlarm", "GivingUpAlarm", "CopiesAlarm"}
QUERIES = {"ReturnedQuery", "HotQuery", "ThrottledQuery", "TimeoutsQuery", "EventQuery"}


def test_only_what_ministack_cannot_do_is_taken_out(template):
    made = prepared(template, "127.0.0.1:1")
    assert set(template["Resources"]) - set(made["Resources"]) == OF_AN_EXPRESSION | QUERIES
    changed = {
        name for name, each in made["Resources"].items() if each != template["Resources"][name]
    }
    assert changed == {"ConsumerFunction", "ApiFunction", "Dashboard", "Api"}
    for name in ("ConsumerFunction", "ApiFunction"):
        variables = made["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables.pop("MOMENTO_LOCAL") == "127.0.0.1:1"
        told = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables == told
    assert [name for name in OF_AN_EXPRESSION if f"${{{name}." in json.dumps(made)] == []
    assert ANY_METHOD not in json.dumps(made)
