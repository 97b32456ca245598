"""What a company prescribes: a boundary and a path for roles, a key for what is stored."""

import pytest

from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED

BOUNDARY = "arn:aws:iam::123456789012:policy/boundaries/workload"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
ALL_RESOURCES = {"CounterTable": "create", "ApiLogsRole": "create"}
"""So that each resource is there that may have a key, or is a role."""


def through(*services):
    """The condition that a key is used by way of these services alone."""
    told = [f"{service}.eu-central-1.amazonaws.com" for service in services]
    return {"StringEquals": {"kms:ViaService": told}}


def through_one(service):
    return {"StringEquals": {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com"}}


def of_the_key(stack, role):
    """What a role may do with keys, as its policies have it."""
    documents = [policy["PolicyDocument"] for policy in stack[role]["Policies"]]
    statements = [statement for document in documents for statement in document["Statement"]]
    return [each for each in statements if "kms:" in str(each["Action"])]


def test_every_role_has_the_boundary_and_the_path_if_they_are_given(deploy):
    told = deploy(PermissionsBoundaryArn=BOUNDARY, RolePath="/service/tally/", **ALL_RESOURCES)
    roles = told.of_type("AWS::IAM::Role")
    assert list(roles) == ["ConsumerRole", "ApiRole", "ApiGatewayLogsRole"]
    assert {role["PermissionsBoundary"] for role in roles.values()} == {BOUNDARY}
    assert {role["Path"] for role in roles.values()} == {"/service/tally/"}


def test_no_role_has_them_otherwise(deploy):
    for role in deploy(**ALL_RESOURCES).of_type("AWS::IAM::Role").values():
        assert not {"PermissionsBoundary", "Path"} & role.keys()


def test_the_key_encrypts_both_queues_the_table_and_every_log(deploy):
    stack = deploy(DataKmsKeyArn=KEY, **ALL_RESOURCES)
    for queue in stack.of_type("AWS::SQS::Queue").values():
        assert (queue["KmsMasterKeyId"], queue["SqsManagedSseEnabled"]) == (KEY, False)
    sse = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    assert stack["CountersTable"]["SSESpecification"] == sse
    groups = stack.of_type("AWS::Logs::LogGroup")
    assert list(groups) == ["ConsumerLogGroup", "ApiLogGroup", "ApiAccessLogGroup"]
    assert {group["KmsKeyId"] for group in groups.values()} == {KEY}


def test_without_a_key_nothing_names_one(deploy):
    stack = deploy(**ALL_RESOURCES)
    for queue in stack.of_type("AWS::SQS::Queue").values():
        assert ("KmsMasterKeyId" in queue, queue["SqsManagedSseEnabled"]) == (False, True)
    assert stack["CountersTable"]["SSESpecification"] == {"SSEEnabled": True}
    assert not [
        each for each in stack.of_type("AWS::Logs::LogGroup").values() if "KmsKeyId" in each
    ]
    assert of_the_key(stack, "ConsumerRole") == of_the_key(stack, "ApiRole") == []


@pytest.mark.parametrize(
    ("table", "services"), [("none", ["sqs"]), ("create", ["sqs", "dynamodb"])]
)
def test_the_consumer_decrypts_what_it_receives_and_what_it_counts_in(deploy, table, services):
    stack = deploy(DataKmsKeyArn=KEY, CounterTable=table)
    assert of_the_key(stack, "ConsumerRole") == [
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": KEY,
            "Condition": through(*services),
        }
    ]


@pytest.mark.parametrize("table", ["none", "counters"])
def test_the_api_makes_a_data_key_for_what_it_sends_and_decrypts_what_it_reads(deploy, table):
    stack = deploy(DataKmsKeyArn=KEY, CounterTable=table)
    sends = {
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": KEY,
        "Condition": through_one("sqs"),
    }
    reads = sends | {"Action": "kms:Decrypt", "Condition": through_one("dynamodb")}
    assert of_the_key(stack, "ApiRole") == [sends, *([reads] if table != "none" else [])]


def test_the_key_of_the_secret_is_another_matter(deploy):
    secret_key = KEY.replace("0a1b", "9f8e")
    stack = deploy(DataKmsKeyArn=KEY, MomentoApiKeyKmsKeyArn=secret_key)
    for role in ("ConsumerRole", "ApiRole"):
        assert {
            each["Resource"] if isinstance(each["Resource"], str) else each["Resource"][0]
            for each in of_the_key(stack, role)
        } == {KEY, secret_key}


def test_a_key_is_used_through_the_services_of_its_partition(template):
    where = {"AWS::Region": "cn-north-1", "AWS::URLSuffix": "amazonaws.com.cn"}
    told = {"DataKmsKeyArn": KEY.replace(":aws:", ":aws-cn:"), "CounterTable": "create"}
    stack = TemplateStack(template, REQUIRED | told, where)
    for role in ("ConsumerRole", "ApiRole"):
        for service in ("sqs", "dynamodb"):
            assert f"{service}.cn-north-1.amazonaws.com.cn" in str(of_the_key(stack, role))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("PermissionsBoundaryArn", "workload"),
        ("PermissionsBoundaryArn", BOUNDARY.replace("policy/", "role/")),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/*"),
        ("RolePath", "service/tally/"),
        ("RolePath", "/service/tally"),
        ("RolePath", "/"),
        ("RolePath", "//"),
        ("RolePath", f"/{'a' * 511}/"),
        ("DataKmsKeyArn", "0a1b2c3d"),
        ("DataKmsKeyArn", "alias/tally"),
        ("DataKmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:alias/tally"),
        ("EventSourceMetrics", "EventCount"),
    ],
)
def test_what_would_fail_later_is_refused_at_once(deploy, parameter, value):
    with pytest.raises(ValueError, match=f"^{parameter} is .*, against"):
        deploy(**{parameter: value})


def test_a_path_may_be_as_long_as_iam_has_it(deploy):
    longest = f"/{'a' * 510}/"
    assert deploy(RolePath=longest)["ConsumerRole"]["Path"] == longest


def test_lambda_counts_what_it_takes_only_if_it_is_told_to(deploy, stack):
    source = deploy(EventSourceMetrics="yes")["ConsumerFunctionIncrements"]
    assert source["MetricsConfig"] == {"Metrics": ["EventCount"]}
    assert "MetricsConfig" not in stack["ConsumerFunctionIncrements"]


def test_a_first_stack_answers_the_first_two_parameters_and_no_other(template, deploy):
    assert [name for name, each in template["Parameters"].items() if "Default" not in each] == []
    assert list(template["Parameters"])[:2] == list(REQUIRED)
    assert deploy().outputs["QueueArn"] == "Queue.Arn"
