"""Which store a deployment has: exactly one, told to both functions, and in a VPC if need be."""

import pytest

from consumer.settings import ConsumerSettings
from producer.settings import ApiSettings
from tally.environment import MAX_VALKEY_TTL_S, MOMENTO, TABLES, VALKEY, VALKEY_TTL_S, Valkey
from tests.infrastructure.conftest import REQUIRED
from tests.support.terminal import Remembering

URL = "rediss://valkey.example.com:6380"
WRITER_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pw-AbCdEf"
READER_ARN = WRITER_ARN.replace("pw", "read")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
SERVER = Valkey("valkey.example.com", 6_380, username="tally", password_secret=WRITER_ARN)
READER = Valkey("valkey.example.com", 6_380, username="reader", password_secret=READER_ARN)
OF_THE_API = {"ApiValkeyUsername": "reader", "ApiValkeyPasswordSecretArn": READER_ARN}
NOT_OF_A_DEPLOYMENT = {"MOMENTO_API_KEY", "MOMENTO_LOCAL", "VALKEY_PASSWORD"}
"""A key or a password itself, which belongs into the secret, and a server without one."""

QUEUE_URL = "https://sqs.example.com/1/queue"
FUNCTIONS = ("ConsumerFunction", "ApiFunction")
ROLES = ("ConsumerRole", "ApiRole")
PLACE = {"VpcSubnetIds": "subnet-0a,subnet-0b", "VpcSecurityGroupIds": "sg-0c"}
TO_CONNECT = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]


def variables(stack, function):
    return stack[function]["Environment"]["Variables"]


def consumer_of(stack):
    told = Remembering(variables(stack, "ConsumerFunction"))
    return ConsumerSettings.from_environment(told), told.asked


def api_of(stack):
    told = {**variables(stack, "ApiFunction"), "SQS_QUEUE_URL": QUEUE_URL}
    return ApiSettings.from_environment(told)


def policies(stack, role):
    return {each["PolicyName"]: each["PolicyDocument"] for each in stack[role]["Policies"]}


def secrets(stack, role):
    """What a role may do with secrets, and on what."""
    document = policies(stack, role).get("ReadTheKey", {"Statement": []})
    return {each["Action"]: each["Resource"] for each in document["Statement"]}


def test_a_consumer_of_valkey_reads_what_the_template_tells_it(deploy_valkey):
    settings, _ = consumer_of(deploy_valkey())
    assert settings == ConsumerSettings(SERVER, ttl_s=VALKEY_TTL_S)


def test_the_api_reads_valkey_as_the_consumer_does_or_as_a_user_of_its_own(deploy_valkey):
    assert api_of(deploy_valkey()) == ApiSettings(QUEUE_URL, SERVER)
    own = deploy_valkey(**OF_THE_API)
    assert api_of(own) == ApiSettings(QUEUE_URL, READER)
    assert consumer_of(own)[0].place == SERVER


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_told_of_one_store(stack, deploy_valkey, function):
    assert not set(VALKEY) & variables(stack, function).keys()
    assert not set(MOMENTO) & variables(deploy_valkey(), function).keys()
    assert not set(TABLES) & variables(stack, function).keys()


def test_every_variable_of_a_store_that_the_consumer_reads_is_one_that_the_template_tells(
    stack, deploy_valkey
):
    stacks = [stack, deploy_valkey(), deploy_valkey(CounterTable="create")]
    asked = set().union(*(consumer_of(each)[1] for each in stacks))
    told = set().union(*(variables(each, "ConsumerFunction") for each in stacks))
    assert asked - told == NOT_OF_A_DEPLOYMENT


@pytest.mark.parametrize("url", [URL, "rediss://valkey", "rediss://[fd00::1]:6379"])
@pytest.mark.parametrize("ttl_s", [86_400, MAX_VALKEY_TTL_S])
def test_what_the_template_allows_of_valkey_the_consumer_takes(deploy_valkey, url, ttl_s):
    settings, _ = consumer_of(deploy_valkey(ValkeyUrl=url, ValkeyTtlSeconds=ttl_s))
    assert settings.ttl_s == ttl_s


def test_each_function_reads_its_own_secret_and_no_other(deploy_valkey):
    stack = deploy_valkey(**OF_THE_API)
    assert secrets(stack, "ConsumerRole") == {"secretsmanager:GetSecretValue": [WRITER_ARN]}
    assert secrets(stack, "ApiRole") == {"secretsmanager:GetSecretValue": [READER_ARN]}
    assert secrets(deploy_valkey(), "ApiRole") == secrets(stack, "ConsumerRole")


@pytest.mark.parametrize("role", ROLES)
def test_a_password_may_have_a_kms_key_of_its_own(deploy_valkey, role):
    assert secrets(deploy_valkey(ValkeyPasswordKmsKeyArn=KEY), role) == {
        "secretsmanager:GetSecretValue": [WRITER_ARN],
        "kms:Decrypt": [KEY],
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_server_that_asks_for_no_password_needs_no_secret(deploy_valkey, role):
    stack = deploy_valkey(ValkeyUsername="", ValkeyPasswordSecretArn="")
    assert secrets(stack, role) == {}
    assert consumer_of(stack)[0].place == Valkey("valkey.example.com", 6_380)


def test_an_api_with_a_password_reads_it_where_the_consumer_has_none(deploy_valkey):
    stack = deploy_valkey(ValkeyUsername="", ValkeyPasswordSecretArn="", **OF_THE_API)
    assert secrets(stack, "ApiRole") == {"secretsmanager:GetSecretValue": [READER_ARN]}
    assert secrets(stack, "ConsumerRole") == {}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (REQUIRED, "take Momento or Valkey, not both"),
        ({"MomentoApiKeyKmsKeyArn": KEY}, "take Momento or Valkey, not both"),
        ({"CounterGuarantee": "at-least-once"}, "CounterGuarantee=at-least-once needs Momento"),
        ({"ValkeyPasswordSecretArn": ""}, "ValkeyUsername needs ValkeyPasswordSecretArn"),
        ({"ApiValkeyUsername": "reader"}, "ApiValkeyPasswordSecretArn are given together"),
        ({"ApiValkeyPasswordSecretArn": READER_ARN}, "ApiValkeyUsername and .* together"),
        (
            {"ValkeyUrl": ""},
            "MomentoEndpoint is missing .or ValkeyUrl.*; a user or a secret of Valkey",
        ),
        ({"VpcSubnetIds": "subnet-0a"}, "VpcSubnetIds and VpcSecurityGroupIds are given together"),
        ({"VpcSecurityGroupIds": "sg-0c"}, "VpcSubnetIds and VpcSecurityGroupIds are given"),
    ],
)
def test_what_makes_no_sense_together_is_refused_before_anything_is_made(
    deploy_valkey, parameters, problem
):
    with pytest.raises(ValueError, match=problem):
        deploy_valkey(**parameters)


def test_momento_is_never_half_configured(deploy):
    with pytest.raises(ValueError, match="MomentoEndpoint is missing"):
        deploy(MomentoEndpoint="")
    with pytest.raises(ValueError, match="MomentoApiKeySecretArn is missing"):
        deploy(MomentoApiKeySecretArn="")


def test_a_counter_of_valkey_that_vanishes_rings(deploy_valkey, template):
    assert "VanishedAlarm" in deploy_valkey(ValkeyTtlSeconds=86_400).resources
    assert template["Parameters"]["ValkeyTtlSeconds"]["Default"] == VALKEY_TTL_S


def test_the_export_command_names_the_store(deploy_valkey):
    assert deploy_valkey().outputs["ExportCommand"] == (
        "export AWS_DEFAULT_REGION=eu-central-1 SQS_QUEUE_URL=Queue"
        f" VALKEY_URL='{URL}' VALKEY_USERNAME='tally' VALKEY_PASSWORD_SECRET={WRITER_ARN}"
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_joins_a_vpc_if_it_is_named(stack, deploy_valkey, function):
    assert "VpcConfig" not in stack[function]
    assert deploy_valkey(**PLACE)[function]["VpcConfig"] == {
        "SubnetIds": ["subnet-0a", "subnet-0b"],
        "SecurityGroupIds": ["sg-0c"],
    }


@pytest.mark.parametrize("role", ROLES)
def test_lambda_connects_a_function_to_the_vpc_and_its_code_may_not(stack, deploy_valkey, role):
    assert "JoinTheVpc" not in policies(stack, role)
    assert policies(deploy_valkey(**PLACE), role)["JoinTheVpc"]["Statement"] == [
        {"Effect": "Allow", "Action": TO_CONNECT, "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "ec2:*",
            "Resource": "*",
            "Condition": {"Null": {"lambda:SourceFunctionArn": "false"}},
        },
    ]
