"""Who may do what: every action that the template allows, and on what."""

import pytest

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
API_KEY_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf"
PUSH_LOGS = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


@pytest.fixture
def with_kms_key(deploy):
    """The stack whose secret has a key of its own."""
    return deploy(MomentoApiKeyKmsKeyArn=KEY)


def allowed(stack, role):
    """The resources of each action that a role may take."""
    actions: dict[str, list[str]] = {}
    for statement in statements(stack, role):
        assert statement["Effect"] == "Allow"
        action = statement["Action"]
        for each in action if isinstance(action, list) else [action]:
            resource = statement["Resource"]
            named = resource if isinstance(resource, list) else [resource]
            actions.setdefault(each, []).extend(named)
    return actions


def statements(stack, role):
    documents = [policy["PolicyDocument"] for policy in stack[role]["Policies"]]
    return [statement for document in documents for statement in document["Statement"]]


def test_the_consumer_takes_messages_reads_its_key_and_logs(stack):
    assert allowed(stack, "ConsumerRole") == {
        "secretsmanager:GetSecretValue": [API_KEY_ARN],
        "sqs:ReceiveMessage": ["Queue.Arn"],
        "sqs:DeleteMessage": ["Queue.Arn"],
        "sqs:GetQueueAttributes": ["Queue.Arn"],
        "logs:CreateLogStream": ["ConsumerLogGroup.Arn"],
        "logs:PutLogEvents": ["ConsumerLogGroup.Arn"],
    }


def test_the_api_sends_messages_reads_its_key_and_logs(stack):
    assert allowed(stack, "ApiRole") == {
        "secretsmanager:GetSecretValue": [API_KEY_ARN],
        "sqs:SendMessage": ["Queue.Arn"],
        "logs:CreateLogStream": ["ApiLogGroup.Arn"],
        "logs:PutLogEvents": ["ApiLogGroup.Arn"],
    }


def test_the_api_may_have_a_key_that_only_reads(stack, deploy):
    own = API_KEY_ARN.replace("key", "read")
    told = deploy(ApiMomentoKeySecretArn=own)
    variables = told["ApiFunction"]["Environment"]["Variables"]
    assert variables["MOMENTO_API_KEY_SECRET"] == own
    assert allowed(told, "ApiRole")["secretsmanager:GetSecretValue"] == [own]
    assert allowed(told, "ConsumerRole") == allowed(stack, "ConsumerRole")


@pytest.mark.parametrize("role", ["ConsumerRole", "ApiRole"])
def test_a_key_of_ones_own_is_used_for_the_secret_alone(stack, with_kms_key, role):
    assert allowed(with_kms_key, role) == {**allowed(stack, role), "kms:Decrypt": [KEY]}
    [decrypting] = [s for s in statements(with_kms_key, role) if s["Action"] == "kms:Decrypt"]
    assert decrypting["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
    }


def test_no_role_takes_more_than_its_own_policies(stack):
    for role in ("ConsumerRole", "ApiRole"):
        assert stack[role].keys() == {"Description", "AssumeRolePolicyDocument", "Policies"}


def test_nothing_is_allowed_by_a_wildcard(with_kms_key):
    for role in ("ConsumerRole", "ApiRole"):
        for action, resources in allowed(with_kms_key, role).items():
            assert "*" not in action
            assert not [resource for resource in resources if "*" in resource]


def test_there_are_no_other_roles_and_policies(deploy):
    with_all = deploy(MomentoApiKeyKmsKeyArn=KEY, ApiLogsRole="create")
    granting = {
        name: resource["Type"].removeprefix("AWS::")
        for name, resource in with_all.resources.items()
        if resource["Type"].startswith("AWS::IAM::") or "Permission" in resource["Type"]
    }
    assert granting == {
        "ConsumerRole": "IAM::Role",
        "ApiRole": "IAM::Role",
        "ApiGatewayLogsRole": "IAM::Role",
        "ApiFunctionEverythingPermissionv1": "Lambda::Permission",
    }


def test_api_gateway_logs_by_the_policy_that_aws_made_for_it(deploy):
    role = deploy(ApiLogsRole="create")["ApiGatewayLogsRole"]
    assert (role["ManagedPolicyArns"], "Policies" in role) == ([PUSH_LOGS], False)


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("ConsumerRole", "lambda.amazonaws.com"),
        ("ApiRole", "lambda.amazonaws.com"),
        ("ApiGatewayLogsRole", "apigateway.amazonaws.com"),
    ],
)
def test_only_its_service_takes_a_role(deploy, role, service):
    assert deploy(ApiLogsRole="create")[role]["AssumeRolePolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ],
    }


def test_only_the_api_of_the_stack_calls_its_function(stack):
    assert stack["ApiFunctionEverythingPermissionv1"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "ApiFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:eu-central-1:123456789012:Api/*/*/*",
    }


@pytest.mark.parametrize(
    "part",
    [
        "key",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-??????",
    ],
)
def test_a_secret_is_named_in_full(deploy, part):
    with pytest.raises(ValueError, match=r"MomentoApiKeySecretArn is .*, against AllowedPattern"):
        deploy(MomentoApiKeySecretArn=part)
