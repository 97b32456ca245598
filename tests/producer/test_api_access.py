"""Who may ask the API: what it says of itself, and what a browser is told of other pages (CORS)."""

import json

import pytest

from producer.access import ANY, SCHEMES, Access, Auth
from producer.openapi import document
from producer.settings import ApiSettings
from tally.environment import AN_ORIGIN, SettingsError
from tests.support.api import Called, event, found, problem

ORIGIN = "https://app.example.com"
OPENED = Access(cors_origin=ORIGIN)
ALLOWED = {("Access-Control-Allow-Origin", ORIGIN), ("Vary", "Origin")}
SHOWN = ("Access-Control-Expose-Headers", "Location,Retry-After,x-amzn-RequestId")
TAKEN = (
    "Authorization,Content-Type,Idempotency-Key,X-Amz-Content-Sha256,X-Amz-Date,"
    "X-Amz-Security-Token,X-Api-Key"
)
INCREMENTS = "/counters/a/increments"
SETTINGS = {
    "SQS_QUEUE_URL": "https://sqs/q",
    "MOMENTO_LOCAL": "127.0.0.1:1",
    "MOMENTO_CACHE_NAME": "tally",
}


def asked(access, method="OPTIONS", path=INCREMENTS):
    return Called(access=access).app.resolve(event(method, path), None)


def test_a_browser_is_told_what_pages_of_the_origin_may_ask_without_a_key():
    assert asked(OPENED) == {
        "statusCode": 204,
        "body": "",
        "isBase64Encoded": False,
        "multiValueHeaders": {
            "Access-Control-Allow-Origin": [ORIGIN],
            "Vary": ["Origin"],
            "Access-Control-Allow-Methods": ["GET,POST"],
            "Access-Control-Allow-Headers": [TAKEN],
            "Access-Control-Max-Age": ["600"],
        },
    }


def test_pages_of_all_origins_share_one_answer():
    headers = asked(Access(cors_origin=ANY))["multiValueHeaders"]
    assert (headers["Access-Control-Allow-Origin"], "Vary" in headers) == (["*"], False)


@pytest.mark.parametrize("access", [OPENED, Access(cors_origin=ANY)])
def test_no_page_may_ask_with_cookies(access):
    told = json.dumps([asked(access), asked(access, "GET", "/counters/a")])
    assert "Allow-Credentials" not in told


def test_untold_options_is_a_method_that_no_path_has():
    answer = Called()("OPTIONS", "/counters/a")
    title = "This path has another method"
    assert answer == problem(405, "no-method", title, "it has GET", ("Allow", "GET"))


def test_a_page_of_the_origin_may_read_each_answer():
    api = Called(access=OPENED, counts={"a": 5})
    status, headers, body = found({"counter": "a", "count": 5})
    assert api("GET", "/counters/a") == (status, headers | ALLOWED | {SHOWN}, body)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/counters/none", None, 404),
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/counters/a", None, 405),
        ("POST", INCREMENTS, "{", 400),
        ("POST", INCREMENTS, '{"amount": "x"}', 422),
        ("POST", INCREMENTS, None, 202),
        ("GET", "/openapi.json", None, 200),
    ],
)
def test_each_answer_says_so_whatever_went_wrong(method, path, body, status):
    told, headers, _ = Called(access=OPENED)(method, path, body)
    assert (told, headers >= ALLOWED | {SHOWN}) == (status, True)


def test_untold_no_answer_speaks_of_origins():
    _, headers, _ = Called()("GET", "/nowhere")
    assert [name for name, _ in headers if name.startswith(("Access", "Vary"))] == []


@pytest.mark.parametrize("auth", Auth)
def test_the_description_says_how_a_caller_is_let_in(auth):
    name, scheme = SCHEMES[auth]
    told = document(Called(access=Access(auth)).app)
    assert told["security"] == [{name: []}]
    assert told["components"]["securitySchemes"] == {name: {"type": "apiKey", **scheme}}


@pytest.mark.parametrize(
    ("variables", "access"),
    [
        ({}, Access()),
        ({"API_AUTH": "", "API_CORS_ORIGIN": ""}, Access()),
        ({"API_AUTH": "iam", "API_CORS_ORIGIN": "*"}, Access(Auth.IAM, "*")),
        (
            {"API_AUTH": "cognito", "API_CORS_ORIGIN": "http://localhost:5173"},
            Access(Auth.COGNITO, "http://localhost:5173"),
        ),
    ],
)
def test_access_is_what_the_environment_says(variables, access):
    assert ApiSettings.from_environment(SETTINGS | variables).access == access


@pytest.mark.parametrize(
    "origin", ["app.example.com", f"{ORIGIN}/", "https://A.example", "https://a b", "null", "**"]
)
def test_what_no_browser_sends_is_no_origin(origin):
    with pytest.raises(SettingsError) as raised:
        ApiSettings.from_environment(SETTINGS | {"API_CORS_ORIGIN": origin, "API_AUTH": "none"})
    assert raised.value.problems == [
        "API_AUTH must be key or iam or cognito, found 'none'",
        f"API_CORS_ORIGIN must be {AN_ORIGIN}, found {origin!r}",
    ]
