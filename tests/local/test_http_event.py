"""An HTTP request becomes the event of a REST API, and an answer of the function a response."""

import json

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tally.local.http.event import HEADERS as AS_SENT
from tally.local.http.event import MAX_PARAMETERS, http_response, proxy_event


def request(method="GET", uri="/", **options):
    environ = EnvironBuilder(method=method, **options).get_environ()
    return Request(environ | {"REQUEST_URI": uri})


PATH = "/counters/a%2Fb%C3%A9/increments"
HEADERS = {"Idempotency-Key": "k", "Content-Type": "application/json", "Host": "127.0.0.1:8000"}
TOLD = HEADERS | {"Content-Length": "13"}
EVENT = {
    "resource": "/{proxy+}",
    "path": PATH,
    "httpMethod": "POST",
    "headers": TOLD,
    "multiValueHeaders": {name: [value] for name, value in TOLD.items()},
    "queryStringParameters": {"name": "c", "empty": ""},
    "multiValueQueryStringParameters": {"name": ["a,b", "c"], "empty": [""]},
    "pathParameters": {"proxy": PATH.lstrip("/")},
    "stageVariables": None,
    "requestContext": {
        "httpMethod": "POST",
        "identity": {"sourceIp": "127.0.0.1"},
        "path": PATH,
        "protocol": "HTTP/1.1",
        "resourcePath": "/{proxy+}",
        "stage": "$default",
    },
    "body": '{"amount": 2}',
    "isBase64Encoded": False,
}


def test_a_request_is_handed_on_as_it_came():
    uri = f"{PATH}?name=a%2Cb&name=c&empty="
    event = proxy_event(request("POST", uri, data='{"amount": 2}', headers=HEADERS))
    event["requestContext"].pop("requestId")
    assert event == EVENT


def test_a_header_that_is_sent_twice_has_both_values():
    sent = [("Idempotency-Key", "a,b"), ("Host", "127.0.0.1"), ("Idempotency-Key", "c")]
    asked = Request(request("POST").environ | {AS_SENT: sent})
    event = proxy_event(asked)
    assert event["multiValueHeaders"] == {"Idempotency-Key": ["a,b", "c"], "Host": ["127.0.0.1"]}
    assert event["headers"] == {"Idempotency-Key": "c", "Host": "127.0.0.1"}


def test_each_request_has_an_id_of_its_own():
    ids = [proxy_event(request())["requestContext"]["requestId"] for _ in range(2)]
    assert len(set(ids)) == 2


def test_what_is_not_there_is_null():
    event = proxy_event(request())
    names = ("queryStringParameters", "multiValueQueryStringParameters", "body")
    assert [event[name] for name in names] == [None] * 3


@pytest.mark.parametrize(
    ("data", "body", "is_base64"), [("é".encode(), "é", False), (b"\xff", "/w==", True)]
)
def test_what_is_no_text_is_handed_on_in_base64(data, body, is_base64):
    event = proxy_event(request("POST", data=data))
    assert (event["body"], event["isBase64Encoded"]) == (body, is_base64)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("http://127.0.0.1:8000/counters/a%2Fb?name=x", "/counters/a%2Fb"),
        ("http://127.0.0.1:8000", "/"),
        ("//counters", "//counters"),
        ("*", "/"),
    ],
)
def test_any_form_of_a_target_has_a_path(uri, path):
    assert proxy_event(request(uri=uri))["path"] == path


def test_the_number_of_parameters_is_bounded():
    uri = "/?" + "&".join(["a=1"] * (MAX_PARAMETERS + 1))
    with pytest.raises(ValueError, match="fields"):
        proxy_event(request(uri=uri))


@pytest.mark.parametrize("query", ["name=%FF", "%FF=a", "name=a&name=%C3"])
def test_a_query_that_is_not_utf_8_is_refused(query):
    with pytest.raises(ValueError, match="codec can't decode"):
        proxy_event(request(uri=f"/counters?{query}"))


def test_an_answer_becomes_a_response():
    headers = {"Content-Type": ["application/json"], "X-Two": ["1", "2"]}
    body = json.dumps({"count": 5})
    response = http_response({"statusCode": 202, "body": body, "multiValueHeaders": headers})
    assert (response.status_code, response.get_data()) == (202, body.encode())
    assert response.content_type == "application/json"
    assert response.headers.getlist("X-Two") == ["1", "2"]


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        ({"statusCode": 204}, b""),
        ({"statusCode": "200", "body": None}, b""),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, b"\xff"),
    ],
)
def test_an_answer_may_have_any_bytes_or_none(answer, content):
    response = http_response(answer)
    assert (response.status_code, response.get_data()) == (int(answer["statusCode"]), content)
