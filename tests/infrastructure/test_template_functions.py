"""The functions: their code, their settings, and that each setting is one that is read."""

import importlib
import re
from pathlib import Path

import pytest

from consumer.settings import ConsumerSettings, Guarantee
from infrastructure import package
from infrastructure.template import DIGEST, TEMPLATE, digest
from producer.settings import ApiSettings
from tally.counters.event import INT64_MAX, INT64_MIN
from tally.environment import Cache, Service, SettingsError
from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED
from tests.support.terminal import Remembering

API_KEY_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
MOMENTO = Service("cell-1.example.momentohq.com", api_key_secret=API_KEY_ARN)
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}

ARNS = {
    "QueueArn": "Queue.Arn",
    "DeadLetterQueueArn": "DeadLetterQueue.Arn",
    "ConsumerFunctionArn": "ConsumerFunction.Arn",
    "EventSourceMappingArn": "arn:aws:lambda:eu-central-1:123456789012"
    ":event-source-mapping:ConsumerFunctionIncrements",
    "ApiFunctionArn": "ApiFunction.Arn",
}
"""The outputs for other stacks; a resource stands for itself."""


def environment(stack, function):
    return Remembering(stack[function]["Environment"]["Variables"])


def test_the_transformed_template_is_made_of_this_template(template):
    assert template["Metadata"][DIGEST] == digest(TEMPLATE.read_text("utf-8"))


def test_the_consumer_reads_what_the_template_tells_it(stack):
    told = environment(stack, "ConsumerFunction")
    assert ConsumerSettings.from_environment(told) == ConsumerSettings(
        Cache("tally", MOMENTO),
        ttl_s=86_400,
        max_counter_value=INT64_MAX,
    )
    assert told.asked >= set(told) - POWERTOOLS


def test_the_api_reads_what_the_template_tells_it(stack):
    url = "https://sqs.example.com/1/queue"
    variables = stack["ApiFunction"]["Environment"]["Variables"]
    assert variables["SQS_QUEUE_URL"] == "Queue"  # a reference to it, which is its URL
    told = Remembering({**variables, "SQS_QUEUE_URL": url})
    assert ApiSettings.from_environment(told) == ApiSettings(url, Cache("tally", MOMENTO))
    assert told.asked >= set(told) - POWERTOOLS


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("MomentoTtlSeconds", [1, 86_400]),
        ("MaxCounterValue", ["", -1, 1_000, INT64_MIN, INT64_MAX]),
        ("MomentoCacheName", ["a", "my cache", "~!"]),
    ],
)
def test_what_the_template_allows_the_consumer_takes(deploy, parameter, values):
    for value in values:
        ConsumerSettings.from_environment(
            environment(deploy(**{parameter: value}), "ConsumerFunction")
        )


def test_every_guarantee_that_the_template_offers_is_one_of_the_consumers(template, deploy):
    offered = template["Parameters"]["CounterGuarantee"]["AllowedValues"]
    assert offered == list(Guarantee)
    for guarantee in offered:
        told = environment(deploy(CounterGuarantee=guarantee), "ConsumerFunction")
        assert ConsumerSettings.from_environment(told).guarantee == guarantee


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("MomentoTtlSeconds", 0),
        ("MomentoTtlSeconds", 86_401),
        ("MaxCounterValue", "many"),
        ("MomentoCacheName", "schön"),
        ("MomentoCacheName", "Tally's"),
        ("MomentoCacheName", ""),
        ("ValkeyUrl", "redis://valkey.example.com"),
        ("ValkeyUrl", "rediss://tally:password@valkey.example.com"),
        ("ValkeyUrl", "rediss://valkey.example.com/0"),
        ("ValkeyUrl", "valkey.example.com:6379"),
        ("ValkeyUsername", "tally's"),
        ("ValkeyTtlSeconds", 86_399),
        ("ValkeyTtlSeconds", 315_360_001),
        ("VpcSubnetIds", "subnet-1, subnet-2"),
        ("VpcSecurityGroupIds", "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6"),
        ("CounterGuarantee", "mostly"),
        ("MaximumConcurrency", 1),
        ("BatchSize", 10_001),
    ],
)
def test_what_would_fail_later_is_refused_at_once(deploy, parameter, value):
    with pytest.raises(ValueError, match=f"{parameter} is {str(value)!r}, against"):
        deploy(**{parameter: value})


def test_settings_that_are_missing_are_found_by_the_consumer():
    with pytest.raises(SettingsError, match="MOMENTO_CACHE_NAME must be set"):
        ConsumerSettings.from_environment({})


@pytest.mark.parametrize("name", package.FUNCTIONS)
def test_a_function_is_what_its_package_was_made_for(stack, name):
    function = stack[name]
    assert function["Runtime"] == f"python{package.PYTHON}"
    assert function["Architectures"] == ["arm64"]
    module, _, handler = function["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), handler))
    assert package.FUNCTIONS[name].folder == module.split(".")[0]


def test_each_function_has_a_package_and_a_target_that_makes_it(stack):
    functions = stack.of_type("AWS::Lambda::Function")
    makefile = Path(package.__file__).with_name("Makefile").read_text("utf-8")
    [targets] = re.findall("^(build-.*):$", makefile, re.MULTILINE)
    assert list(package.FUNCTIONS) == list(functions)
    assert targets.split() == [f"build-{name}" for name in functions]
    assert f"PYTHON_VERSION ?= {package.PYTHON}\n" in makefile


def test_deliveries_are_stopped_at_the_queue_and_not_by_throttling(stack):
    for function in stack.of_type("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in function


@pytest.mark.parametrize(
    ("function", "group"),
    [("ConsumerFunction", "ConsumerLogGroup"), ("ApiFunction", "ApiLogGroup")],
)
def test_a_function_logs_into_a_group_that_forgets(deploy, function, group):
    stack = deploy(LogRetentionDays=7)
    assert stack[function]["LoggingConfig"] == {"LogGroup": group}
    assert {each["RetentionInDays"] for each in stack.of_type("AWS::Logs::LogGroup").values()} == {
        "7"
    }


def test_the_outputs_are_commands_that_are_ready(stack):
    assert stack.outputs == {
        "QueueUrl": "Queue",
        "DeadLetterQueueUrl": "DeadLetterQueue",
        **ARNS,
        "ExportCommand": "export AWS_DEFAULT_REGION=eu-central-1 SQS_QUEUE_URL=Queue"
        f" MOMENTO_CACHE_NAME='tally' MOMENTO_ENDPOINT={MOMENTO.endpoint}"
        f" MOMENTO_API_KEY_SECRET={API_KEY_ARN}",
        "SendCommand": "AWS_DEFAULT_REGION=eu-central-1 SQS_QUEUE_URL=Queue tally send page:home",
        "DeadLettersCommand": "AWS_DEFAULT_REGION=eu-central-1 SQS_QUEUE_URL=Queue tally dlq list",
        "PauseCommand": "aws lambda update-event-source-mapping"
        " --uuid ConsumerFunctionIncrements --no-enabled --region eu-central-1",
        "ResumeCommand": "aws lambda update-event-source-mapping"
        " --uuid ConsumerFunctionIncrements --enabled --region eu-central-1",
        "LogsCommand": "aws logs tail ConsumerLogGroup --follow --region eu-central-1",
        "DashboardUrl": "https://eu-central-1.console.aws.amazon.com/cloudwatch/home"
        "?region=eu-central-1#dashboards/dashboard/Dashboard",
        "ApiUrl": "https://Api.execute-api.eu-central-1.amazonaws.com/v1",
        "ApiUsagePlanId": "ApiUsagePlan",
        "ApiKeyCommand": "aws apigateway get-api-key --api-key ApiApiKey --include-value"
        " --query value --output text --region eu-central-1",
    }


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("create", "CountersTable.Arn"),
        ("counters", "arn:aws:dynamodb:eu-central-1:123456789012:table/counters"),
    ],
)
def test_the_outputs_name_table_and_key_only_if_there_are_some(deploy, stack, name, arn):
    told = deploy(CounterTable=name, DataKmsKeyArn=KEY).outputs
    added = {key: value for key, value in told.items() if key not in stack.outputs}
    assert added == {"CounterTableArn": arn, "QueueKmsKeyArn": KEY}


def test_no_output_is_exported(template):
    assert [name for name, each in template["Outputs"].items() if "Export" in each] == []


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_and_kms_have_the_names_of_their_partition(
    template, partition, region, console
):
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    where = {"AWS::Partition": partition, "AWS::Region": region, "AWS::URLSuffix": suffix}
    told = {**REQUIRED, "MomentoApiKeyKmsKeyArn": KEY.replace(":aws:", f":{partition}:")}
    stack = TemplateStack(template, told, where)
    assert stack.outputs["DashboardUrl"].startswith(f"https://{console}/cloudwatch/home?")
    for role in ("ConsumerRole", "ApiRole"):
        assert f"secretsmanager.{region}.{suffix}" in str(stack[role])


def test_a_dashboard_is_of_one_stack_in_one_region(stack):
    assert stack["Dashboard"]["DashboardName"] == "tally-eu-central-1"


def test_the_document_has_every_parameter_with_its_default(template):
    text = (TEMPLATE.parent / "docs" / "deploy.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]\w+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE)
    declared = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    assert dict(rows) == declared


def test_every_parameter_is_asked_for_in_a_group_and_explained(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(
        template["Parameters"]
    )
    assert [each for each in template["Parameters"].values() if len(each["Description"]) < 16] == []
