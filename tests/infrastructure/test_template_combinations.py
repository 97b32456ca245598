"""Any parameters that the template allows together: what they make fits together too."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED, VALKEY

ACCOUNT = "eu-central-1:123456789012"
KEY = f"arn:aws:kms:{ACCOUNT}:key/0a1b2c3d"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:other-AbCdEf"
BOUNDARY = "arn:aws:iam::123456789012:policy/workload"
TOPIC = f"arn:aws:sns:{ACCOUNT}:topic"
RULE = f"arn:aws:events:{ACCOUNT}:rule/bus/likes"
POOL = f"arn:aws:cognito-idp:{ACCOUNT}:userpool/eu-central-1_AbCdEf123"
CERTIFICATE = f"arn:aws:acm:{ACCOUNT}:certificate/0a1b2c3d"

CACHES: list[dict[str, Any]] = [
    REQUIRED,
    {**REQUIRED, "MomentoApiKeyKmsKeyArn": KEY, "ApiMomentoKeySecretArn": SECRET},
    {**REQUIRED, "MomentoTtlSeconds": 60},
    VALKEY,
    {"ValkeyUrl": VALKEY["ValkeyUrl"]},
    {**VALKEY, "ApiValkeyUsername": "reader", "ApiValkeyPasswordSecretArn": SECRET},
    {**VALKEY, "ValkeyPasswordKmsKeyArn": KEY},
]
TABLES: list[dict[str, Any]] = [
    {"CounterTable": "create", "CounterTtlSeconds": 86_400},
    {"CounterTable": "counters"},
]
TOGETHER: list[list[dict[str, Any]]] = [
    [*CACHES, *TABLES, *({**table, **cache} for table in TABLES for cache in CACHES)],
    [{}, {"VpcSubnetIds": "subnet-0a,subnet-0b", "VpcSecurityGroupIds": "sg-0c"}],
    [
        {},
        {"SenderRuleArns": RULE},
        {"QueueType": "fifo"},
        {"QueueType": "fifo", "ContentBasedDeduplication": "yes", "SenderRuleArns": RULE},
    ],
    [
        {},
        {"AlarmTopicArn": TOPIC},
        {"AlarmTopicArn": TOPIC, "TicketTopicArn": f"{TOPIC}-2", "BudgetUsd": 5, "BudgetBy": "tag"},
        {"AlarmTopicArn": TOPIC, "BudgetUsd": 5},
    ],
    [{}, {"ApiQuotaPerDay": 9}, {"ApiAuth": "iam"}, {"ApiAuth": "cognito", "ApiUserPoolArn": POOL}],
    [{}, {"ApiDomainName": "counters.example.com", "ApiCertificateArn": CERTIFICATE}],
]
"""Parameters that belong together: of each line one."""

ALONE: dict[str, list[Any]] = {
    "PermissionsBoundaryArn": ["", BOUNDARY],
    "RolePath": ["", "/service/tally/"],
    "DataKmsKeyArn": ["", KEY],
    "ConsumerEnabled": ["yes", "no"],
    "FunctionTimeoutSeconds": [20, 300],
    "EventSourceMetrics": ["no", "yes"],
    "SubscribedTopicArn": ["", TOPIC],
    "SenderTopicArns": ["", f"{TOPIC},{TOPIC}-2"],
    "SenderPrincipals": ["", "210987654321"],
    "AlarmAgeSeconds": [0, 60],
    "AlarmSilenceMinutes": [0, 60],
    "Tracing": ["no", "yes"],
    "HttpApi": ["yes", "no"],
    "ApiSourceCidrs": ["", "2001:db8::/32"],
    "ApiCorsOrigin": ["", "*", "https://app.example.com"],
    "ApiReservedConcurrency": [0, 9],
    "ApiLogsRole": ["none", "create", "exists"],
    "ApiLogsAddresses": ["yes", "no"],
}
"""What goes with everything."""

ANYWHERE = {"JoinTheVpc", "Trace"}
"""The policies on `*`, whose actions know no resource (docs/security.md)."""

MOST = {"Parameters": 200, "Outputs": 200, "Mappings": 200, "Resources": 500}
MAX_TEMPLATE_BYTES = 1_048_576
MAX_PARAMETER_DESCRIPTION_CHARS = 4_000
MAX_TEMPLATE_DESCRIPTION_BYTES = 1_024
"""CloudFormation's quotas."""


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Parameters that break no rule."""
    told: dict[str, Any] = {}
    for group in TOGETHER:
        told |= draw(st.sampled_from(group))
    return told | {name: draw(st.sampled_from(values)) for name, values in ALONE.items()}


@pytest.fixture(scope="session")
def deploy_any(template):
    """The stack that parameters make, all of them told."""
    return lambda told: TemplateStack(template, told)


def found(node: Any, key: str) -> Iterator[Any]:
    """All that stands under a key, however deep."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from found(each, key)


def statements(resource):
    """What a role may do, with the name of its policy."""
    for policy in resource.get("Policies", []):
        for each in policy["PolicyDocument"]["Statement"]:
            yield policy["PolicyName"], each


# TemplateStack refuses a reference to what is left out, so to make each one is a test already.
@given(told=parameters())
def test_whatever_is_asked_for_nothing_refers_to_what_is_left_out(deploy_any, told):
    stack = deploy_any(told)
    assert all(stack.outputs.values())
    for arns in found(json.loads(stack["Dashboard"]["DashboardBody"]), "alarms"):
        assert {arn.removesuffix(".Arn") for arn in arns} <= stack.resources.keys()
    for resource in stack.resources.values():
        assert {*resource.get("DependsOn", [])} <= stack.resources.keys()


@given(told=parameters())
def test_each_role_and_each_log_keeps_to_what_the_company_prescribes(deploy_any, told):
    stack = deploy_any(told)
    for role in stack.of_type("AWS::IAM::Role").values():
        assert role.get("PermissionsBoundary", "") == told["PermissionsBoundaryArn"]
        assert role.get("Path", "") == told["RolePath"]
        for policy, statement in statements(role):
            assert statement["Resource"] != "*" or policy in ANYWHERE
    for kind, name in (("AWS::Logs::LogGroup", "KmsKeyId"), ("AWS::SQS::Queue", "KmsMasterKeyId")):
        for each in stack.of_type(kind).values():
            assert each.get(name, "") == told["DataKmsKeyArn"]
    for queue in stack.of_type("AWS::SQS::QueuePolicy").values():
        for each in queue["PolicyDocument"]["Statement"]:
            is_service = "Service" in each["Principal"]
            assert is_service is ("aws:SourceArn" in str(each.get("Condition")))


@given(told=parameters())
def test_every_alarm_tells_somebody_if_there_is_somebody(deploy_any, told):
    stack = deploy_any(told)
    topics = {told[name] for name in ("AlarmTopicArn", "TicketTopicArn") if name in told}
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        assert {*alarm.get("AlarmActions", [])} <= topics
        assert bool(alarm.get("AlarmActions")) is bool(topics)
        assert alarm.get("OKActions") == alarm.get("AlarmActions")


def is_allowed(policy, method):
    """Whether a resource policy lets a request in that brings no identity, from an allowed address.

    API Gateway: where nothing else authorizes, the policy must allow, and not only not deny.
    """
    patterns = {"execute-api:/*", f"execute-api:/v1/{method}/*"}
    return any(
        each["Effect"] == "Allow" and each["Resource"] in patterns for each in policy["Statement"]
    )


@given(told=parameters())
def test_a_browsers_question_before_the_request_is_answered_whoever_may_ask(deploy_any, told):
    stack = deploy_any(told)
    if "Api" not in stack.resources:
        return
    options = stack["Api"]["Body"]["paths"]["/{proxy+}"].get("options")
    assert (options is not None) is bool(told["ApiCorsOrigin"])
    if options and "Policy" in stack["Api"]:
        assert is_allowed(stack["Api"]["Policy"], "OPTIONS")
    if told.get("ApiAuth") == "iam" and "Policy" in stack["Api"]:
        assert not is_allowed(stack["Api"]["Policy"], "POST")


def test_each_condition_that_is_named_is_there_and_each_that_is_there_is_named(template):
    named = {each[0] for each in found(template, "Fn::If")}
    named |= {each for each in found(template, "Condition") if isinstance(each, str)}
    assert named == template["Conditions"].keys()


def test_each_parameter_is_tried_or_only_a_number_or_a_name(template):
    tried = {name for group in TOGETHER for each in group for name in each} | ALONE.keys()
    decides = set(found(template["Conditions"], "Ref")) & template["Parameters"].keys()
    assert decides - tried == set()


def test_the_template_is_within_what_cloudformation_takes(template):
    assert {name: len(template[name]) <= most for name, most in MOST.items()} == dict.fromkeys(
        MOST, True
    )
    assert len(json.dumps(template).encode()) <= MAX_TEMPLATE_BYTES
    assert len(template["Description"].encode()) <= MAX_TEMPLATE_DESCRIPTION_BYTES
    for each in template["Parameters"].values():
        assert len(each["Description"]) <= MAX_PARAMETER_DESCRIPTION_CHARS
