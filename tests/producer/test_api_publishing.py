"""The HTTP API publishes: what a request becomes, when it is accepted, and what is refused."""

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tally.counters.event import INT64_MAX, INT64_MIN, MAX_FUTURE_MS, EventName, Increment
from tally.counters.identity import derived_source, identity_of
from tally.publishing.publisher import EARLIEST_MS
from tests.support.api import Called, accepted, answered, event, found, invalid, problem
from tests.support.clock import PATIENT_TRIES
from tests.support.sqs import (
    NOW_MS,
    FakeSqs,
    client_error,
    lost_after,
    lost_before,
    publisher,
)

NATIVE = {"source": "0000000000000001", "seq": 0, "at": NOW_MS}
KEY = {"Idempotency-Key": "order-17"}
JSON = {"Content-Type": "application/json"}
INCREMENTS, RESET = "/counters/page:home/increments", "/counters/page:home/reset"
NAMED = str(EventName(derived_source("order-17"), 0, NOW_MS))
LOST = ReadTimeoutError(endpoint_url="http://127.0.0.1")
CLOSED = ConnectionClosedError(endpoint_url="http://127.0.0.1")
RETRY = ("Retry-After", "2")
UNCONFIRMED = (503, "unconfirmed", "The queue did not confirm")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (None, {}),
        ("null", {}),
        ("{}", {}),
        ('{"amount": 1}', {}),
        ('{"amount": -2}', {"amount": -2}),
        ('{"amount": 0, "max": null, "min": null, "at": null}', {"amount": 0}),
        (
            f'{{"amount": {INT64_MAX}, "max": {INT64_MAX}, "min": {INT64_MIN}}}',
            {"amount": INT64_MAX, "max": INT64_MAX, "min": INT64_MIN},
        ),
    ],
)
def test_an_increment_is_published_and_its_event_named(body, fields):
    api = Called()
    assert api("POST", INCREMENTS, body) == accepted("page:home", "/counters/page:home")
    assert api.published == [{"counter": "page:home", **fields, **NATIVE}]


@pytest.mark.parametrize(
    ("body", "to"), [(None, 0), ("{}", 0), ('{"to": 7}', 7), ('{"to":-7}', -7)]
)
def test_a_reset_is_published_like_any_event(body, to):
    api = Called()
    assert api("POST", RESET, body) == accepted("page:home", "/counters/page:home")
    assert api.published == [{"counter": "page:home", "reset": to, **NATIVE}]


@pytest.mark.parametrize(
    ("path", "fields"), [(INCREMENTS, {}), (RESET, {"reset": 0})], ids=["increment", "reset"]
)
def test_an_idempotency_key_makes_a_named_event(path, fields):
    api = Called()
    answer = accepted("page:home", "/counters/page:home", NAMED)
    assert [api("POST", path, headers=KEY) for _ in range(2)] == [answer] * 2
    published = {"counter": "page:home", **fields, "id": "order-17", "at": NOW_MS}
    assert api.published == [published] * 2
    assert [event.identity for event in api.sqs.events] == [NAMED] * 2


@pytest.mark.parametrize("at", [EARLIEST_MS, NOW_MS - 1, NOW_MS + MAX_FUTURE_MS])
def test_a_named_event_may_say_when_it_happened(at):
    api = Called()
    event = str(EventName(derived_source("order-17"), 0, at))
    answer = accepted("page:home", "/counters/page:home", event)
    assert api("POST", INCREMENTS, f'{{"at": {at}}}', headers=KEY) == answer
    assert api.published == [{"counter": "page:home", "id": "order-17", "at": at}]


@pytest.mark.parametrize(
    ("segment", "counter"),
    [
        ("a%2Fb", "a/b"),
        ("%C3%A9", "é"),
        ("%E2%82%AC%20%3F%23%22%5C%60%25", '€ ?#"\\`%'),
        ("a+b", "a+b"),
        ("%2E%2E", ".."),
        ("x" * 512, "x" * 512),
    ],
)
def test_a_counter_may_have_any_characters(segment, counter):
    api = Called()
    status, _, body = api("POST", f"/counters/{segment}/increments")
    assert (status, body["counter"]) == (202, counter)
    assert [event.counter for event in api.sqs.events] == [counter]


@pytest.mark.parametrize(
    ("full", "stage"),
    [
        ("/prod/counters/a%2Fb/increments", "/prod"),
        ("/counters/a%2Fb/increments", ""),
        ("/another/path", ""),
    ],
)
def test_a_link_keeps_the_stage_and_the_escapes(full, stage):
    answer = Called()("POST", "/counters/a%2Fb/increments", full=full)
    assert answer == accepted("a/b", f"{stage}/counters/a%2Fb")


def test_of_an_event_that_is_not_whole_nothing_is_published():
    sqs = FakeSqs()
    with publisher(sqs) as publishing:
        api = Called(publisher=publishing)
        request = event("POST", "/counters/a/increments") | {"requestContext": {}}
        assert answered(api.app.resolve(request, None))[0] == 500
    assert sqs.bodies == []


def test_a_path_may_end_with_a_slash():
    assert Called()("POST", "/counters/a/increments/") == accepted("a", "/counters/a")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ('{"amount": "1"}', [("amount", "must be a valid integer", "'1'")]),
        ('{"amount": 1.0}', [("amount", "must be a valid integer", "1.0")]),
        ('{"amount": true}', [("amount", "must be a valid integer", "True")]),
        ('{"amount": null}', [("amount", "must be a valid integer", "None")]),
        (
            f'{{"amount": {INT64_MAX + 1}, "min": {INT64_MIN - 1}}}',
            [
                ("amount", f"must be less than or equal to {INT64_MAX}", str(INT64_MAX + 1)),
                ("min", f"must be greater than or equal to {INT64_MIN}", str(INT64_MIN - 1)),
            ],
        ),
        ('{"amuont": 1}', [("amuont", "is no field of this request", "1")]),
        ('{"id": "a"}', [("id", "is no field of this request", "'a'")]),
        ('[{"amount": 1}]', [("body", "must be an object", "[{'amount': 1}]")]),
        ("[]", [("body", "must be an object", "[]")]),
        ("5", [("body", "must be an object", "5")]),
        ('{"at": 5}', [("at", "needs an Idempotency-Key", "5")]),
        ('{"at": 0}', [("at", "must be greater than or equal to 1", "0")]),
    ],
)
def test_what_breaks_the_contract_is_refused_by_field_and_nothing_is_published(body, errors):
    api = Called()
    assert api("POST", INCREMENTS, body) == invalid(*errors)
    assert (api.sqs.requests, api.log) == ([], [])


def test_a_time_in_the_future_is_refused_while_somebody_is_there_to_be_told():
    at = NOW_MS + MAX_FUTURE_MS + 1
    error = ("at", f"is over {MAX_FUTURE_MS} ms later than the clock's {NOW_MS}", str(at))
    assert Called()("POST", RESET, f'{{"at": {at}}}', headers=KEY) == invalid(error)


@pytest.mark.parametrize(
    ("segment", "reason", "value"),
    [
        ("%FF", "is not UTF-8", "'%FF'"),
        ("x" * 513, "must have at most 512 characters", f"'{'x' * 118}…"),
        ("%C3%A9" * 257, "has 514 bytes, over 512", f"'{'é' * 118}…"),
    ],
)
def test_a_name_that_is_none_is_refused(segment, reason, value):
    answer = Called()("POST", f"/counters/{segment}/increments")
    assert answer == invalid(("counter", reason, value))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("k" * 256, "must have at most 255 characters"),
        ("a b", "must match pattern '^[!-~]+$'"),
        ("é", "must match pattern '^[!-~]+$'"),
        ("", "must have at least 1 character"),
    ],
)
def test_a_key_that_is_none_is_refused(key, reason):
    shown = repr(key) if len(key) < 100 else f"'{'k' * 118}…"
    error = ("Idempotency-Key", reason, shown)
    assert Called()("POST", INCREMENTS, headers={"idempotency-key": key}) == invalid(error)


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({"Idempotency-Key": ["a", "b"]}, "['a', 'b']"),
        ({"Idempotency-Key": ["a", "a"]}, "['a', 'a']"),
        ({"Idempotency-Key": ["a"], "idempotency-key": ["b"]}, "['a', 'b']"),
    ],
)
def test_two_keys_are_one_error_and_none_is_dropped(headers, value):
    api = Called()
    request = event("POST", INCREMENTS) | {"multiValueHeaders": headers}
    answer = answered(api.app.resolve(request, None))
    assert answer == invalid(("Idempotency-Key", "must be given once", value))
    assert api.sqs.requests == []


@pytest.mark.parametrize("body", ["{", '{"amount": NaN}', '{"\\ud800": 1}', "[" * 100_000])
def test_what_is_not_json_is_a_problem_of_its_own(body):
    api = Called()
    status, headers, told = api("POST", INCREMENTS, body, headers=JSON)
    expected = problem(400, "malformed", "The body is not JSON in UTF-8", told["detail"])
    assert (status, headers, told) == expected
    assert (len(told["detail"]) > 10, api.sqs.requests) == (True, [])


def test_a_body_may_come_in_base64():
    api = Called()
    assert api("POST", INCREMENTS, b'{"amount": 3}')[0] == 202
    assert [event.amount for event in api.sqs.events] == [3]


def test_what_is_not_utf8_is_not_json():
    answer = Called()("POST", INCREMENTS, b'{"\xff": 1}')
    assert answer == problem(400, "malformed", "The body is not JSON in UTF-8", "it is not UTF-8")


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "text/plain"],
)
def test_no_other_media_type_is_read_as_json(media_type):
    answer = Called()("POST", INCREMENTS, "amount=5", headers={"content-type": media_type})
    detail = "send it with Content-Type: application/json"
    assert answer == problem(415, "not-json", "The body must be application/json", detail)


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_is_known_by_any_of_its_names(media_type):
    status, _, _ = Called()("POST", INCREMENTS, "{}", headers={"CONTENT-TYPE": media_type})
    assert status == 202


def test_a_lost_answer_is_asked_for_again_before_a_client_is_told():
    api = Called(lost_after(LOST))
    assert api("POST", INCREMENTS) == accepted("page:home", "/counters/page:home")
    assert [event.seq for event in api.sqs.events] == [0, 0]


WITH_KEY = (
    "it may have arrived; to repeat the request with the same Idempotency-Key is safe, and with the"
    " `at` that ends `event` it stays safe at any time"
)
WITHOUT_KEY = (
    "it may have arrived; a repeat could count it twice: it did arrive if its outcome is applied or"
    " rejected, pending tells nothing; send an Idempotency-Key another time"
)


@pytest.mark.parametrize(("headers", "detail"), [(KEY, WITH_KEY), (None, WITHOUT_KEY)])
@pytest.mark.parametrize("lost", [lost_before(CLOSED), lost_after(LOST)], ids=["before", "after"])
def test_what_is_not_confirmed_is_told_with_whether_a_repeat_is_safe(headers, detail, lost):
    named: list[Increment] = []
    api = Called(*[lost] * PATIENT_TRIES, on_published=named.append)
    answer = api("POST", INCREMENTS, headers=headers)
    event = NAMED if headers else "0000000000000001:0:1790000000000"
    link = f"/counters/page:home/increments/{event}"
    assert answer == problem(*UNCONFIRMED, detail, RETRY, event=event, outcome=link)
    [line] = api.log
    told = [line[key] for key in ("level", "problem", "identity")]
    assert told == ["WARNING", "unconfirmed", event]
    assert [identity_of(increment) for increment in named] == [event]


@pytest.mark.parametrize("lost", [lost_before(CLOSED), lost_after(LOST)], ids=["before", "after"])
def test_pending_does_not_tell_whether_what_was_not_confirmed_has_arrived(lost):
    api = Called(*[lost] * PATIENT_TRIES)
    _, _, told = api("POST", INCREMENTS)
    assert api("GET", told["outcome"]) == found({"outcome": "pending"})


def test_a_repeat_with_the_time_that_a_503_tells_is_the_same_event():
    api = Called(*[lost_before(CLOSED)] * PATIENT_TRIES)
    _, _, told = api("POST", INCREMENTS, headers=KEY)
    at = EventName.parse(told["event"]).at
    status, _, repeated = api("POST", INCREMENTS, f'{{"at": {at}}}', headers=KEY)
    assert (status, repeated["event"]) == (202, told["event"])


def test_no_text_of_aws_is_told_or_logged():
    api = Called(lost_before(client_error("AccessDenied", 403)))
    status, _, told = api("POST", INCREMENTS)
    [line] = api.log
    assert (status, told["title"]) == (503, "The queue did not confirm")
    text = "The queue did not confirm: increments not confirmed: 1 (AccessDenied (HTTP 403))"
    assert line["message"] == text
    assert "token" not in str(told) + str(line)


def test_the_next_request_is_not_told_of_the_last_one_s_failure():
    api = Called(lost_before(client_error("AccessDenied", 403)))
    assert [api("POST", INCREMENTS)[0] for _ in range(2)] == [503, 202]
