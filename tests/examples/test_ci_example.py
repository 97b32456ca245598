"""The example that deploys from CI, against answers of AWS's own shapes."""

import importlib.util
import json
import re

import boto3
import pytest
from botocore.exceptions import WaiterError
from botocore.stub import Stubber

from infrastructure.template import TRANSFORMED
from tests.examples.programs import EXAMPLES

CI = EXAMPLES / "ci"
ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:"
STACK_ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/tally/0123"
THIS = {"StackName": "tally", "ChangeSetName": "release-1"}
USED = re.compile(r"uses: (\S+)")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")
PARAMETERS = {"MomentoCacheName": "tally"}
STAMP = "85d6a9b7c8"
"""Of PARAMETERS."""


def template(deployment):
    """A template whose stage serves a deployment of the API."""
    stage = {"Type": "AWS::ApiGateway::Stage", "DependsOn": deployment}
    made = {deployment: {"Type": "AWS::ApiGateway::Deployment"}, "Stage": stage}
    return json.dumps({"Resources": made}).encode()


FILES = {
    "consumer-01.zip": b"c",
    "producer-02.zip": b"p",
    "template-03.json": template("ApiDeployment1"),
}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("deploy_example", CI / "deploy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Aws:
    """Clients that check what they are asked against AWS's models, and answer as they are told."""

    def __init__(self, example):
        session = boto3.Session("test", "test", region_name="eu-central-1")
        self.clients = {name: session.client(name) for name in example.SERVICES}
        self._stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self._stubs.values():
            stub.activate()

    def expects(self, call, asked, answer, service="cloudformation"):
        self._stubs[service].add_response(call, answer, asked)

    def fails(self, call, message):
        self._stubs["cloudformation"].add_client_error(call, "ValidationError", message)

    def is_done(self):
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def aws(example):
    aws = Aws(example)
    yield aws
    aws.is_done()


@pytest.fixture
def deployment(example, aws, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return example.Deployment(tmp_path, "tally", "bucket", clients=aws.clients)


def is_stack(aws, status):
    stack = {"StackName": "tally", "CreationTime": 0, "StackStatus": status}
    aws.expects("describe_stacks", {"StackName": "tally"}, {"Stacks": [stack]})


def has_alarms(aws, **states):
    kind = {"ResourceType": "AWS::CloudWatch::Alarm", "LastUpdatedTimestamp": 0}
    told = {"ResourceStatus": "CREATE_COMPLETE", **kind}
    listed = [
        {"LogicalResourceId": name, "PhysicalResourceId": f"tally-{name}", **told}
        for name in [*states, "ValueBytesAlarm"]
    ]
    aws.expects("list_stack_resources", {"StackName": "tally"}, {"StackResourceSummaries": listed})
    alarms = [
        {"AlarmName": f"tally-{name}", "AlarmArn": f"{ARN}tally-{name}", "StateValue": state}
        for name, state in states.items()
    ]
    names = [alarm["AlarmName"] for alarm in alarms]
    aws.expects("describe_alarms", {"AlarmNames": names}, {"MetricAlarms": alarms}, "cloudwatch")


def makes_change_set(aws, kind, triggers, minutes):
    key = f"tally/tally/template-03-{STAMP}.json"
    made = template(f"ApiDeployment1{STAMP}")
    aws.expects("put_object", {"Bucket": "bucket", "Key": key, "Body": made}, {}, "s3")
    told = {"PackagesBucket": "bucket", "PackagesPrefix": "tally/tally/", **PARAMETERS}
    asked = {
        **THIS,
        "ChangeSetType": kind,
        "TemplateURL": f"https://bucket.s3.eu-central-1.amazonaws.com/{key}",
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in told.items()],
        "RollbackConfiguration": {
            "RollbackTriggers": [
                {"Arn": f"{ARN}tally-{name}", "Type": "AWS::CloudWatch::Alarm"} for name in triggers
            ],
            "MonitoringTimeInMinutes": minutes,
        },
    }
    aws.expects("create_change_set", asked, {"StackId": STACK_ARN})


def change_set_is(aws, status, reason=""):
    aws.expects("describe_change_set", THIS, {"Status": status, "StatusReason": reason})


def test_an_update_is_watched_by_the_alarms_of_the_stack_that_do_not_ring(
    deployment, example, aws, capsys
):
    for name, content in FILES.items():
        asked = {"Bucket": "bucket", "Key": f"tally/tally/{name}", "Body": content}
        aws.expects("put_object", asked, {}, "s3")
    is_stack(aws, "UPDATE_COMPLETE")
    has_alarms(aws, ErrorsAlarm="OK", DeadLettersAlarm="ALARM", ApiErrorsAlarm="INSUFFICIENT_DATA")
    makes_change_set(aws, "UPDATE", ["ApiErrorsAlarm", "ErrorsAlarm"], 20)
    change_set_is(aws, "CREATE_COMPLETE")
    touched = [
        {"Action": "Add", "LogicalResourceId": "Budget"},
        {"Action": "Modify", "LogicalResourceId": "Queue", "Replacement": "True"},
    ]
    changes = [{"ResourceChange": each} for each in touched]
    aws.expects("describe_change_set", THIS, {"Changes": changes})
    is_stack(aws, "UPDATE_COMPLETE")
    aws.expects("execute_change_set", THIS, {})
    is_stack(aws, "UPDATE_COMPLETE")
    example.deploy(deployment, "release-1", PARAMETERS)
    assert capsys.readouterr().out == "Add Budget\nModify Queue (replaced)\n"


def test_a_first_deployment_has_no_alarms_yet(deployment, aws):
    aws.fails("describe_stacks", "Stack with id tally does not exist")
    makes_change_set(aws, "CREATE", [], 0)
    change_set_is(aws, "CREATE_COMPLETE")
    assert deployment.change_set("release-1", PARAMETERS)
    is_stack(aws, "REVIEW_IN_PROGRESS")
    aws.expects("execute_change_set", THIS, {})
    is_stack(aws, "CREATE_COMPLETE")
    deployment.execute("release-1")


def test_a_change_set_that_changes_nothing_is_removed(deployment, aws):
    is_stack(aws, "UPDATE_COMPLETE")
    has_alarms(aws, ErrorsAlarm="OK")
    makes_change_set(aws, "UPDATE", ["ErrorsAlarm"], 20)
    change_set_is(aws, "FAILED", "The submitted information didn't contain changes.")
    aws.expects("delete_change_set", THIS, {})
    assert not deployment.change_set("release-1", PARAMETERS)


def test_a_change_set_that_is_refused_stays_and_is_told(deployment, aws):
    is_stack(aws, "REVIEW_IN_PROGRESS")
    makes_change_set(aws, "CREATE", [], 0)
    change_set_is(aws, "FAILED", "Parameter MomentoEndpoint is wrong")
    with pytest.raises(WaiterError, match="Waiter ChangeSetCreateComplete failed"):
        deployment.change_set("release-1", PARAMETERS)


def test_an_alarm_that_rings_is_a_failure(deployment, aws):
    is_stack(aws, "UPDATE_COMPLETE")
    aws.expects("execute_change_set", THIS, {})
    is_stack(aws, "UPDATE_ROLLBACK_COMPLETE")
    with pytest.raises(WaiterError, match="UPDATE_ROLLBACK_COMPLETE"):
        deployment.execute("release-1")


def test_no_more_alarms_are_watched_than_cloudformation_takes_and_the_template_has_each(example):
    template = json.loads(TRANSFORMED.read_text("utf-8"))
    kinds = {template["Resources"][name]["Type"] for name in example.TRIGGERS}
    assert (len(example.TRIGGERS), kinds) == (5, {"AWS::CloudWatch::Alarm"})


@pytest.mark.parametrize("name", ["tally.yml", "tally-deploy.yml"])
def test_a_workflow_pins_each_action_by_commit(name):
    text = (CI / name).read_text("utf-8")
    used = [each for each in USED.findall(text) if not each.startswith("./")]
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []
    assert "secrets." not in text
