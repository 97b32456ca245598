"""Staging beside production: two stacks in one account and region have nothing in common."""

import json
from pathlib import Path

import pytest

from tests.infrastructure.cloudformation import TemplateStack
from tests.infrastructure.conftest import REQUIRED

CI = Path(__file__).parents[2] / "examples" / "ci"
STACK = "tally-staging"

NAMES = {
    "AWS::ApiGateway::ApiKey": "Name",
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::ApiGateway::UsagePlan": "UsagePlanName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::QueryDefinition": "Name",
    "AWS::SQS::Queue": "QueueName",
}
"""The property by which a type is called, which must be one of a kind in an account and region."""

ONE_OF_A_KIND = {"AWS::ApiGateway::Account"}
"""What an account has once in a region, whoever sets it."""


def test_every_name_that_is_given_is_called_after_the_stack(template):
    told = {**REQUIRED, "CounterTable": "create", "ApiLogsRole": "create"}
    stack = TemplateStack(template, told, {"AWS::StackName": STACK})
    named = {
        name: resource["Properties"][NAMES[resource["Type"]]]
        for name, resource in stack.resources.items()
        if NAMES.get(resource["Type"], "") in resource.get("Properties", {})
    }
    assert {"Queue", "DeadLetterQueue", "CountersTable", "Dashboard", "Api"} <= named.keys()
    assert {name: each for name, each in named.items() if STACK not in each} == {}


def test_no_stack_exports_a_value(template):
    assert [name for name, each in template["Outputs"].items() if "Export" in each] == []


def test_what_an_account_has_once_is_asked_for_and_stays_when_its_stack_goes(template, stack):
    kinds = {each["Type"] for each in stack.resources.values()}
    assert not kinds & ONE_OF_A_KIND
    for name in ("ApiGatewayAccount", "ApiGatewayLogsRole"):
        resource = template["Resources"][name]
        assert resource["Condition"] == "WithApiLogsRole"
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize("name", ["production", "staging"])
def test_the_parameters_of_an_environment_make_a_stack(name, template):
    told = json.loads((CI / f"{name}.json").read_text("utf-8"))
    assert not told.keys() - template["Parameters"].keys()
    assert TemplateStack(template, told).outputs["QueueUrl"] == "Queue"
