"""The HTTP API: its key, its plan, its logs, and that it can be left out."""

import hashlib
import json

import pytest

from producer.problems import MEDIA_TYPE, RETRY_AFTER_S

STAGE = "AWS::ApiGateway::Stage"
ROLE = ("AWS::ApiGateway::Account", "AWS::IAM::Role")


def kinds(stack):
    return [resource["Type"] for resource in stack.resources.values()]


def test_without_the_api_nothing_of_it_is_there(stack, deploy):
    without = deploy(HttpApi="no")
    gone = set(stack.resources) - set(without.resources)
    assert not [kind for kind in kinds(without) if "ApiGateway" in kind]
    assert {name for name in gone if not name.startswith("Api")} == set()
    assert list(without.of_type("AWS::Lambda::Function")) == ["ConsumerFunction"]
    gone_outputs = set(stack.outputs) - set(without.outputs)
    assert gone_outputs == {"ApiFunctionArn", "ApiUrl", "ApiKeyCommand", "ApiUsagePlanId"}
    assert "Api" not in "".join(without.resources)


def test_every_request_needs_the_key(stack):
    [[path, methods]] = stack["Api"]["Body"]["paths"].items()
    [[method, operation]] = methods.items()
    assert (path, method) == ("/{proxy+}", "x-amazon-apigateway-any-method")
    assert operation["security"] == [{"api_key": []}]
    assert stack["Api"]["Body"]["components"]["securitySchemes"] == {
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}
    }


def test_every_request_reaches_the_function_as_it_came(stack):
    operation = stack["Api"]["Body"]["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]
    lambdas = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions"
    assert operation["x-amazon-apigateway-integration"] == {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": f"{lambdas}/ApiFunction.Arn/invocations",
    }


def test_the_key_has_a_rate_a_burst_and_a_quota(deploy):
    stack = deploy(ApiRateLimit=5, ApiBurstLimit=7, ApiQuotaPerDay=11)
    assert stack["ApiUsagePlan"] == {
        "UsagePlanName": "tally",
        "Description": "What an API key of tally may do.",
        "ApiStages": [{"ApiId": "Api", "Stage": "Apiv1Stage"}],
        "Throttle": {"RateLimit": "5", "BurstLimit": "7"},
        "Quota": {"Limit": "11", "Period": "DAY"},
    }
    assert stack["Apiv1Stage"]["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "ThrottlingRateLimit": "5",
            "ThrottlingBurstLimit": "7",
        }
    ]
    assert stack["ApiUsagePlanKey"] == {
        "KeyId": "ApiApiKey",
        "KeyType": "API_KEY",
        "UsagePlanId": "ApiUsagePlan",
    }


def test_a_day_has_a_quota_only_if_one_is_given(stack):
    assert "Quota" not in stack["ApiUsagePlan"]


def test_the_api_may_have_a_share_of_the_concurrency_of_its_own(stack, deploy):
    assert "ReservedConcurrentExecutions" not in stack["ApiFunction"]
    limited = deploy(ApiReservedConcurrency=20)
    assert limited["ApiFunction"]["ReservedConcurrentExecutions"] == "20"
    assert "ReservedConcurrentExecutions" not in limited["ConsumerFunction"]


def test_there_is_no_access_log_unless_it_is_asked_for(stack):
    [stage] = stack.of_type("AWS::ApiGateway::Stage").values()
    assert stage.keys() == {"DeploymentId", "RestApiId", "StageName", "MethodSettings", "Tags"}
    assert "ApiAccessLogGroup" not in stack.resources


def test_the_access_log_leaves_the_addresses_out_if_it_is_told_to(deploy):
    with_them = deploy(ApiLogsRole="exists")["Apiv1Stage"]["AccessLogSetting"]["Format"]
    without = deploy(ApiLogsRole="exists", ApiLogsAddresses="no")["Apiv1Stage"]
    told = json.loads(with_them)
    assert told.pop("ip") == "$context.identity.sourceIp"
    assert json.loads(without["AccessLogSetting"]["Format"]) == told


def test_there_is_one_stage_and_its_access_log_holds_no_key(deploy):
    [stage] = deploy(ApiLogsRole="exists").of_type("AWS::ApiGateway::Stage").values()
    log = stage.pop("AccessLogSetting")
    assert stage.keys() == {"DeploymentId", "RestApiId", "StageName", "MethodSettings", "Tags"}
    assert log["DestinationArn"] == "ApiAccessLogGroup.Arn"
    assert json.loads(log["Format"]) == {
        "requestId": "$context.requestId",
        "at": "$context.requestTimeEpoch",
        "ip": "$context.identity.sourceIp",
        "keyId": "$context.identity.apiKeyId",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "bytes": "$context.responseLength",
        "latency": "$context.responseLatency",
        "functionLatency": "$context.integration.latency",
        "error": "$context.error.responseType",
    }


def test_the_function_answers_as_long_as_somebody_waits(stack):
    assert stack["ApiFunction"]["Timeout"] == 29


def test_what_api_gateway_answers_by_itself_is_a_problem(stack):
    answers = stack["Api"]["Body"]["x-amazon-apigateway-gateway-responses"]
    problems = {}
    for name, answer in answers.items():
        headers = answer["responseParameters"]
        assert headers.pop("gatewayresponse.header.Content-Type") == f"'{MEDIA_TYPE}'"
        assert headers.pop("gatewayresponse.header.Cache-Control") == "'no-store'"
        wait = {"gatewayresponse.header.Retry-After": f"'{RETRY_AFTER_S}'"}
        assert headers == (wait if name == "THROTTLED" else {})
        [[media_type, template]] = answer["responseTemplates"].items()
        assert media_type == "application/json"  # the only one that API Gateway looks for
        told = json.loads(template.replace("$context.error.messageString", '"why"'))
        problems[name] = (told["type"], told.get("status"))
        assert told.keys() <= {"type", "title", "status", "detail"}
    assert problems == {
        "INVALID_API_KEY": ("urn:tally:forbidden", 403),
        "UNAUTHORIZED": ("urn:tally:unauthorized", 401),
        "ACCESS_DENIED": ("urn:tally:denied", 403),
        "THROTTLED": ("urn:tally:too-fast", 429),
        "QUOTA_EXCEEDED": ("urn:tally:quota-exceeded", 429),
        "INTEGRATION_TIMEOUT": ("urn:tally:no-answer", 504),
        "DEFAULT_4XX": ("urn:tally:refused", None),
        "DEFAULT_5XX": ("urn:tally:failed", None),
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ApiLogsRole": "create"}, ["ApiGatewayLogsRole", "ApiGatewayAccount"]),
        ({"ApiLogsRole": "exists"}, []),
        ({}, []),
        ({"HttpApi": "no", "ApiLogsRole": "create"}, []),
    ],
)
def test_the_accounts_role_for_logs_is_set_only_if_wanted_and_then_kept(
    deploy, parameters, expected
):
    resources = deploy(**parameters).resources
    names = [name for name in resources if name.startswith("ApiGateway")]
    assert names == expected
    for name in names:
        # Not if its creation fails: each try would leave one.
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"
        assert resources[name]["Type"] in ROLE
    stages = [each["Properties"] for each in resources.values() if each["Type"] == STAGE]
    setters = [tag["Value"] for stage in stages for tag in stage["Tags"] if tag["Key"] == "LogsBy"]
    otherwise = [parameters.get("ApiLogsRole", "none")] * len(stages)
    assert setters == (["ApiGatewayAccount"] if expected else otherwise)


def test_the_deployment_of_the_api_has_another_name_when_anything_of_the_api_changes(template):
    told = json.dumps(template["Resources"]["Api"]["Properties"], sort_keys=True).encode()
    kinds = {name: each["Type"] for name, each in template["Resources"].items()}
    [name] = [each for each in kinds if kinds[each] == "AWS::ApiGateway::Deployment"]
    assert name == f"ApiDeployment{hashlib.sha256(told).hexdigest()[:10]}"
    stage = template["Resources"]["Apiv1Stage"]["Properties"]
    assert stage["DeploymentId"] == {"Ref": name}
