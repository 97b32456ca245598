"""Who may ask the HTTP API, from where, and from pages of which origin."""

import json
import re
from ipaddress import ip_network

import pytest

from infrastructure.template import TEMPLATE
from producer.access import SCHEMES, Access, Auth

POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEf123"
ORIGIN = "https://app.example.com"
AUTHS = {"key": {}, "iam": {"ApiAuth": "iam"}, "cognito": {"ApiAuth": "cognito"}}
AUTHS["cognito"]["ApiUserPoolArn"] = POOL
DENIED = {
    "Sid": "OnlyFromThere",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "execute-api:Invoke",
    "Resource": "execute-api:/*",
}
ALLOWED = {**DENIED, "Sid": "Callers", "Effect": "Allow"}


def asked(stack):
    """The methods of the one path, the one for all that has none of its own under `any`."""
    methods = dict(stack["Api"]["Body"]["paths"]["/{proxy+}"])
    return {"any": methods.pop("x-amazon-apigateway-any-method"), **methods}


def schemes(stack):
    return stack["Api"]["Body"]["components"]["securitySchemes"]


def test_by_iam_each_request_is_signed_and_no_key_is_made(deploy):
    stack = deploy(**AUTHS["iam"])
    assert asked(stack)["any"]["security"] == [{"sigv4": []}]
    assert schemes(stack) == {
        "sigv4": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    }


def test_by_cognito_each_request_brings_a_token_of_the_pool(deploy):
    stack = deploy(**AUTHS["cognito"])
    assert asked(stack)["any"]["security"] == [{"cognito": []}]
    assert schemes(stack) == {
        "cognito": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {
                "type": "cognito_user_pools",
                "providerARNs": [POOL],
            },
        }
    }


@pytest.mark.parametrize("auth", ["iam", "cognito"])
def test_only_keys_have_a_key_and_a_plan(stack, deploy, auth):
    other = deploy(**AUTHS[auth])
    gone = set(stack.resources) - set(other.resources)
    assert gone == {"ApiApiKey", "ApiUsagePlan", "ApiUsagePlanKey"}
    assert set(stack.outputs) - set(other.outputs) == {"ApiKeyCommand", "ApiUsagePlanId"}


@pytest.mark.parametrize("auth", AUTHS)
def test_the_function_describes_what_api_gateway_asks_for(deploy, auth):
    stack = deploy(**AUTHS[auth])
    variables = stack["ApiFunction"]["Environment"]["Variables"]
    assert variables["API_AUTH"] == auth
    [scheme] = schemes(stack).values()
    _, described = SCHEMES[Auth(auth)]
    authorizer = "x-amazon-apigateway-authorizer"
    given = {key: value for key, value in scheme.items() if key not in {"type", authorizer}}
    assert given == {key: value for key, value in described.items() if key != "description"}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"ApiAuth": "cognito"}, "ApiAuth=cognito needs ApiUserPoolArn"),
        ({"ApiUserPoolArn": POOL}, "ApiUserPoolArn needs ApiAuth=cognito"),
        (
            {"ApiAuth": "iam", "ApiQuotaPerDay": 5},
            "ApiQuotaPerDay needs ApiAuth=key, since only a key has a quota",
        ),
        (
            {"ApiDomainName": "counters.example.com"},
            "ApiDomainName and ApiCertificateArn are given together",
        ),
        ({"ApiAuth": "none"}, "ApiAuth is 'none', against AllowedValues"),
        ({"ApiUserPoolArn": "pool"}, "ApiUserPoolArn is 'pool', against AllowedPattern"),
        ({"ApiSourceCidrs": "fd00::1"}, "ApiSourceCidrs is 'fd00::1', against AllowedPattern"),
        ({"ApiCorsOrigin": "a'b"}, 'ApiCorsOrigin is "a\'b", against AllowedPattern'),
        ({"ApiCorsOrigin": f"{ORIGIN}/"}, f"ApiCorsOrigin is '{ORIGIN}/', against AllowedPattern"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(deploy, parameters, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        deploy(**parameters)


def test_untold_the_api_has_no_policy_and_may_be_asked_from_anywhere(stack):
    assert "Policy" not in stack["Api"]


@pytest.mark.parametrize("auth", AUTHS)
def test_only_the_given_addresses_may_ask_and_iam_allows_nobody_by_that(deploy, auth):
    cidrs = f"{ip_network((0xCB00_7100, 24))},2001:db8::/32"
    policy = deploy(**AUTHS[auth], ApiSourceCidrs=cidrs)["Api"]["Policy"]
    elsewhere = {"NotIpAddress": {"aws:SourceIp": cidrs.split(",")}}
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {**DENIED, "Condition": elsewhere},
            *([] if auth == "iam" else [ALLOWED]),
        ],
    }


def test_by_iam_a_browser_may_ask_before_the_request_since_it_asks_that_as_nobody(deploy):
    cidrs = "2001:db8::/32"
    stack = deploy(**AUTHS["iam"], ApiSourceCidrs=cidrs, ApiCorsOrigin=ORIGIN)
    options = {**ALLOWED, "Sid": "Browsers", "Resource": "execute-api:/v1/OPTIONS/*"}
    elsewhere = {"NotIpAddress": {"aws:SourceIp": [cidrs]}}
    assert stack["Api"]["Policy"]["Statement"] == [{**DENIED, "Condition": elsewhere}, options]


def quoted(headers, prefix):
    """Headers as API Gateway takes values that are the same each time."""
    return {f"{prefix}.header.{name}": f"'{value}'" for name, value in headers.items()}


@pytest.mark.parametrize("origin", [ORIGIN, "*"])
@pytest.mark.parametrize("auth", AUTHS)
def test_a_browser_asks_without_a_key_and_is_told_what_the_function_would_say(deploy, origin, auth):
    stack = deploy(**AUTHS[auth], ApiCorsOrigin=origin)
    access = Access(cors_origin=origin)
    options = asked(stack)["options"]
    assert options["security"] == []
    assert options["x-amazon-apigateway-integration"] == {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode":204}'},
        "responses": {
            "default": {
                "statusCode": "204",
                "responseParameters": quoted(access.preflight(), "method.response"),
            }
        },
    }
    assert access.preflight().keys() <= options["responses"]["204"]["headers"].keys()
    variables = stack["ApiFunction"]["Environment"]["Variables"]
    assert variables["API_CORS_ORIGIN"] == origin


@pytest.mark.parametrize("origin", ["", ORIGIN, "*"])
def test_a_page_may_read_what_api_gateway_answers_by_itself(deploy, origin):
    answers = deploy(ApiCorsOrigin=origin)["Api"]["Body"]["x-amazon-apigateway-gateway-responses"]
    told = quoted(Access(cors_origin=origin).answer(), "gatewayresponse")
    own = ("Content-Type", "Cache-Control", "Retry-After")
    own_names = {f"gatewayresponse.header.{name}" for name in own}
    for answer in answers.values():
        headers = answer["responseParameters"].items()
        assert {name: value for name, value in headers if name not in own_names} == told


def test_untold_the_api_has_no_domain_of_its_own(stack):
    assert "ApiDomainTarget" not in stack.outputs
    assert not [name for name in stack.resources if "Domain" in name]


def test_under_a_domain_the_api_is_at_the_root(deploy):
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d"
    stack = deploy(ApiDomainName="counters.example.com", ApiCertificateArn=arn)
    assert stack["ApiDomain"] == {
        "DomainName": "counters.example.com",
        "RegionalCertificateArn": arn,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "SecurityPolicy": "TLS_1_2",
    }
    mapping = {"DomainName": "ApiDomain", "RestApiId": "Api", "Stage": "Apiv1Stage"}
    assert stack["ApiDomainMapping"] == mapping
    assert stack.outputs["ApiDomainTarget"] == "ApiDomain.RegionalDomainName"


def test_untold_a_browser_is_told_nothing(stack):
    assert list(asked(stack)) == ["any"]


def test_each_deploy_deploys_the_api_since_sam_does_not_see_a_parameter_change():
    assert "\n      AlwaysDeploy: true\n" in TEMPLATE.read_text("utf-8")


@pytest.mark.parametrize(
    ("auth", "caller"),
    [
        ("key", {"keyId": "$context.identity.apiKeyId"}),
        ("iam", {"caller": "$context.identity.userArn"}),
        ("cognito", {"caller": "$context.authorizer.claims.sub"}),
    ],
)
def test_the_access_log_names_the_caller_and_holds_no_key_and_no_token(deploy, auth, caller):
    stack = deploy(**AUTHS[auth], ApiLogsRole="exists")
    told = json.loads(stack["Apiv1Stage"]["AccessLogSetting"]["Format"])
    assert {name: told[name] for name in told if name in {"keyId", "caller"}} == caller
    secret = re.compile(r"identity\.apiKey$|authorization|\.header\.|x-api-key", re.IGNORECASE)
    assert not [value for value in told.values() if secret.search(value)]
