"""The API's OpenAPI document says what the API does: operations, bounds, answers, and the key."""

import json

import pytest

from producer.openapi import document
from producer.problems import Kind
from tally.counters.event import INT64_MAX, INT64_MIN
from tests.support.api import Called, answered, event

OPERATIONS = {
    ("get", "/counters"): ("getCounts", [200, 409, 422, 500, 503]),
    ("get", "/counters/{counter}"): ("getCount", [200, 404, 409, 422, 500, 503]),
    ("get", "/counters/{counter}/increments/{event}"): ("getOutcome", [200, 409, 422, 500, 503]),
    ("post", "/counters/{counter}/increments"): ("increment", [202, 400, 415, 422, 500, 503]),
    ("post", "/counters/{counter}/reset"): ("reset", [202, 400, 415, 422, 500, 503]),
}


@pytest.fixture(scope="module")
def openapi():
    return document(Called().app)


def test_it_has_each_operation_with_each_of_its_answers(openapi):
    found = {
        (method, path): (operation["operationId"], sorted(map(int, operation["responses"])))
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    }
    assert found == OPERATIONS


def test_every_problem_is_told_of_but_those_without_an_operation(openapi):
    text = json.dumps(openapi)
    assert [kind for kind in Kind if f"`{kind.type}`" not in text] == [
        Kind.NO_ROUTE,
        Kind.NO_METHOD,
    ]


def test_problems_are_problems(openapi):
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                media = "application/problem+json" if int(status) >= 400 else "application/json"
                assert list(response["content"]) == [media]
                assert (response["content"][media] == schema) is (int(status) >= 400)


def test_bounds_are_those_of_int64_to_the_last_digit(openapi):
    schemas = openapi["components"]["schemas"]
    amount = schemas["IncrementFields"]["properties"]["amount"]
    assert amount == {
        "type": "integer",
        "format": "int64",
        "minimum": INT64_MIN,
        "maximum": INT64_MAX,
        "default": 1,
        "title": "Amount",
        "description": "what to add to the count",
    }
    assert "e+18" not in json.dumps(openapi)


def test_bodies_have_no_other_fields_and_no_schema_is_left_over(openapi):
    schemas = openapi["components"]["schemas"]
    closed = [
        name for name, schema in schemas.items() if not schema.get("additionalProperties", True)
    ]
    assert closed == ["IncrementFields", "ResetFields"]
    assert sorted(schemas) == [
        *("Accepted", "Count", "Counts", "FieldError", "IncrementFields"),
        *("Outcome", "OutcomeOf", "ProblemDetails", "ResetFields"),
    ]


def test_the_key_is_api_gateway_s_own(openapi):
    scheme = {"type": "apiKey", "in": "header", "name": "x-api-key"}
    assert openapi["components"]["securitySchemes"] == {"apiKey": scheme}
    assert openapi["security"] == [{"apiKey": []}]


@pytest.mark.parametrize("path", ["/counters", "/counters/{counter}"])
def test_a_count_may_be_asked_of_the_table(openapi, path):
    parameters = {each["name"]: each for each in openapi["paths"][path]["get"]["parameters"]}
    told = parameters["consistent"]
    assert (told["in"], told["required"]) == ("query", False)
    assert told["schema"]["type"] == "boolean"
    assert told["schema"]["default"] is False


def test_links_lead_from_an_event_to_its_outcome(openapi):
    links = openapi["paths"]["/counters/{counter}/increments"]["post"]["responses"]["202"]["links"]
    assert links["outcome"] == {
        "operationId": "getOutcome",
        "parameters": {"counter": "$response.body#/counter", "event": "$response.body#/event"},
    }


def test_the_api_serves_its_own_description(openapi):
    status, headers, body = Called()("GET", "/openapi.json")
    assert (status, headers) == (200, {("Content-Type", "application/json")})
    assert body == openapi
    assert body["servers"] == [{"url": "/"}]


@pytest.mark.parametrize(
    ("full", "domain", "url"),
    [
        ("/v1/openapi.json", "a1.execute-api.eu-central-1.amazonaws.com", "/v1"),
        ("/openapi.json", "counters.example.com", ""),
    ],
)
def test_the_description_names_the_server_with_its_stage(full, domain, url):
    request = event("GET", "/openapi.json", full=full)
    request["requestContext"]["domainName"] = domain
    _, _, body = answered(Called().app.resolve(request, None))
    assert body["servers"] == [{"url": f"https://{domain}{url}"}]


def test_a_server_without_a_domain_is_told_by_its_stage_alone():
    _, _, body = Called()("GET", "/openapi.json", full="/prod/openapi.json")
    assert body["servers"] == [{"url": "/prod"}]
