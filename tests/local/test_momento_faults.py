"""Errors and delays that a call's own headers ask for, as Momento Local has them."""

import threading

import pytest
from momento import Configurations
from momento.config.middleware.synchronous import Middleware, MiddlewareRequestHandler
from momento_wire_types import cacheclient_pb2 as pb

from tally.local.momento.data_calls import DATA_CALLS
from tally.local.momento.errors import injected
from tally.local.momento.faults import MAX_COUNTERS, STATUSES, Fault, Faults, fault_name
from tally.local.momento.server import WORKERS
from tests.local.sdk import Sdk
from tests.support.momento import DEADLINE_S, RefusalError, raw_server

UNAVAILABLE = RefusalError("UNAVAILABLE")
LATE_MS = "600000"


class Headers(Middleware, MiddlewareRequestHandler):
    """The SDK's own way to add headers to each call."""

    def __init__(self, **headers):
        self._headers = headers

    def on_new_request(self, _context):
        return self

    def on_request_metadata(self, metadata):
        for name, value in self._headers.items():
            metadata.grpc_metadata.append((name.replace("_", "-"), value))
        return metadata

    def on_request_body(self, request):
        return request

    on_response_metadata = on_response_body = on_response_status = on_request_body


@pytest.fixture
def delays_s():
    return []


@pytest.fixture
def raw(delays_s):
    with raw_server(pause=delays_s.append) as raw:
        yield raw


def outcome(call, *args):
    try:
        return call(*args)
    except RefusalError as error:
        return error.status


def failing(raw, rpcs, status="unavailable", **headers):
    return raw.with_headers(return_error=status, error_rpcs=rpcs, **headers)


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_every_error_status_can_be_asked_for(raw, name, status):
    assert outcome(failing(raw, "get set", name).get, b"key") == status


def test_the_names_of_the_calls_are_those_of_momento_local():
    assert {fault_name(call) for call in DATA_CALLS} == {
        *("get", "set", "set-if", "set-if-hash", "get-with-hash", "get-batch", "set-batch"),
        *("delete", "keys-exist", "increment", "update-ttl", "item-get-ttl", "item-get-type"),
    }


def test_only_the_calls_that_are_named_fail_and_each_as_often_as_is_said(raw):
    faulty = failing(raw, "increment set-if", request_id="a", error_count="2")
    assert [outcome(faulty.increment, b"key") for _ in range(3)] == ["UNAVAILABLE"] * 2 + [1]
    created = [outcome(faulty.set_if_not_exists, b"new", b"value") for _ in range(3)]
    assert created == ["UNAVAILABLE"] * 2 + [True]
    assert faulty.get(b"key") == b"1"


def test_each_session_has_a_count_of_its_own(raw):
    sessions = [failing(raw, "get", request_id=name, error_count="1") for name in "aba"]
    outcomes = [outcome(session.get, b"key") for session in sessions]
    assert outcomes == ["UNAVAILABLE", "UNAVAILABLE", None]


def test_a_stream_fails_as_a_whole(raw):
    faulty = failing(raw, "get-batch")
    assert outcome(lambda: faulty.scs("GetBatch", items=[{"cache_key": b"a"}])) == "UNAVAILABLE"


def test_control_calls_ignore_the_headers(raw):
    assert failing(raw, "create-cache list-caches get").list_caches() == ["tally"]


def test_an_error_comes_before_the_effect(raw):
    assert outcome(failing(raw, "increment").increment, b"key") == "UNAVAILABLE"
    assert raw.get(b"key") is None


def test_an_error_after_the_effect_makes_the_retry_count_twice(raw):
    lost = failing(raw, "increment", error_phase="after", error_count="1")
    assert [outcome(lost.increment, b"key") for _ in range(2)] == ["UNAVAILABLE", 2]


def test_a_throttle_says_which_limit_it_is(raw):
    with pytest.raises(RefusalError) as caught:
        failing(raw, "get", "resource-exhausted").get(b"key")
    assert caught.value.err == "operations_rate_limit_exceeded"


def test_a_delay_comes_before_the_error(raw, delays_s):
    slow = failing(raw, "get", delay_rpcs="get", delay_ms="250")
    assert (outcome(slow.get, b"key"), delays_s) == ("UNAVAILABLE", [0.25])


def test_only_the_calls_that_are_named_are_delayed_and_as_often_as_is_said(raw, delays_s):
    slow = raw.with_headers(delay_rpcs="get", delay_ms="5", delay_count="2")
    answers = [slow.get(b"key"), slow.increment(b"key"), slow.get(b"key"), slow.get(b"key")]
    assert (answers, delays_s) == ([None, 1, b"1", b"1"], [0.005] * 2)


def test_a_plan_decides_over_data_calls_without_faults_of_their_own(delays_s):
    asked = []
    fate = Fault(0.25, injected("UNAVAILABLE"), after=True)

    def plan(call):
        asked.append(call)
        return fate if call == "Increment" and asked.count(call) == 1 else None

    with raw_server(pause=delays_s.append, faults=plan) as raw:
        assert [outcome(raw.increment, b"key") for _ in range(2)] == ["UNAVAILABLE", 2]
        assert outcome(failing(raw, "increment", "aborted").increment, b"key") == "ABORTED"
        assert raw.list_caches() == ["tally"]
        assert (raw.get(b"key"), delays_s) == (b"2", [0.25])
    assert asked == ["Increment", "Increment", "Get"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("return-error", "unavailing"),
        ("return-error", "ok"),
        ("error-count", "many"),
        ("error-count", "-1"),
        ("error-phase", "during"),
        ("delay-ms", "1.5"),
        ("delay-ms", "600001"),
        ("delay-count", ""),
    ],
)
def test_a_header_that_cannot_be_followed_is_invalid(raw, name, value):
    slow = failing(raw, "get", delay_rpcs="get", delay_ms="5")
    with pytest.raises(RefusalError, match=f"fault header {name}") as caught:
        slow.with_headers(**{name: value}).get(b"key")
    assert caught.value == RefusalError("INVALID_ARGUMENT")


def test_delayed_calls_do_not_hold_up_the_others():
    waiting, gate, calls = threading.Semaphore(0), threading.Event(), 2 * WORKERS

    def pause(_delay_s):
        waiting.release()
        gate.wait(DEADLINE_S)

    with raw_server(pause=pause) as raw:
        slow = raw.with_headers(delay_rpcs="increment", delay_ms="1")
        request = pb._IncrementRequest(cache_key=b"slow", amount=1, ttl_milliseconds=1_000)
        metadata = slow.metadata()
        late = [raw.scs_stub.Increment.future(request, metadata=metadata) for _ in range(calls)]
        assert all(waiting.acquire(timeout=DEADLINE_S) for _ in late)
        assert (raw.increment(b"quick"), raw.get(b"slow")) == (1, None)
        gate.set()
        assert sorted(call.result(DEADLINE_S).value for call in late) == list(range(1, calls + 1))


def test_a_call_whose_caller_gave_up_is_carried_out_all_the_same():
    arrived, gate = threading.Event(), threading.Event()

    def pause(_delay_s):
        arrived.set()
        gate.wait(DEADLINE_S)

    with raw_server(pause=pause) as raw:
        slow = raw.with_headers(delay_rpcs="increment", delay_ms="1")
        request = pb._IncrementRequest(cache_key=b"key", amount=1, ttl_milliseconds=1_000)
        late = raw.scs_stub.Increment.future(request, metadata=slow.metadata())
        assert arrived.wait(DEADLINE_S)
        late.cancel()
        gate.set()
    assert raw.server.stats().calls == {"Increment": 1}


def test_a_server_that_ends_waits_for_no_delay():
    with raw_server() as raw:
        slow = raw.with_headers(delay_rpcs="get", delay_ms=LATE_MS)
        request = pb._GetRequest(cache_key=b"key")
        late = raw.scs_stub.Get.future(request, metadata=slow.metadata())
        raw.get(b"key")  # on the same connection: the other has arrived before it
    assert late.exception(DEADLINE_S) is not None


def test_the_counters_of_sessions_that_are_long_gone_are_forgotten():
    faults, once = Faults(), {"return-error": "unavailable", "error-rpcs": "get"}

    def drawn(session):
        fault = faults.draw("Get", {**once, "error-count": "1", "request-id": str(session)})
        return fault is not None and fault.error is not None

    assert [drawn(0), drawn(0)] == [True, False]
    assert all(drawn(session) for session in range(1, MAX_COUNTERS + 1))
    assert drawn(0)


def test_a_call_without_fault_headers_has_no_fault():
    assert Faults().draw("Get", {"request-id": "a"}) is None
    assert Faults().draw("Get", {"delay-ms": "5"}) == Fault()


@pytest.mark.parametrize(
    ("status", "attempts"),
    [("unavailable", 4), ("internal", 4), ("cancelled", 1), ("resource-exhausted", 1)],
)
def test_the_sdk_retries_as_it_does_against_the_service(raw, status, attempts):
    headers = Headers(return_error=status, error_rpcs="get increment set-if")
    client = Sdk(raw.server, Configurations.Lambda.latest().with_middlewares([headers]))
    failed = {
        outcome(client.get, b"key"),
        outcome(client.increment, b"key"),
        outcome(client.set_if_not_exists, b"key", b"value"),
    }
    client.close()
    assert failed == {STATUSES[status]}
    assert raw.server.stats().calls == {"Get": attempts, "Increment": 1, "SetIfNotExists": 1}
