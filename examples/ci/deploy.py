"""Deploys a release (`make release`) to a stack, and back again if the stack's own alarms ring.

    python examples/ci/deploy.py --stack tally --bucket BUCKET --parameters production.json

A change set is made, shown and executed. CloudFormation watches up to five alarms of the stack
while it updates and for a while after, and rolls everything back if one rings: code, parameters and
all. Not CodeDeploy: it shifts an alias, and a queue's poller knows no share of the messages that
failed; nor would it take back a parameter.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

CAPABILITIES = ("CAPABILITY_IAM",)
"""For the functions' roles, which have no names of their own. SAM's transform is done already."""

TRIGGERS = (
    *("ErrorsAlarm", "GivingUpAlarm", "ReturnedAgeAlarm", "DeadLettersAlarm"),
    "ApiErrorsAlarm",
)
"""What rings when a new version is bad. Five, which is CloudFormation's most."""

MONITORING_MINUTES = 20
"""How long they are watched after the update. With the default timeout of the consumer, a version
that settles nothing rings after 11 minutes by errors, and after 15 by what comes back."""

SERVICES = ("cloudformation", "cloudwatch", "s3")

STAMP_DIGITS = 10
"""How much of the parameters' SHA-256 is in a deployment's name."""

POLL_S = 10
CHANGE_SET_POLLS = 30
"""Five minutes for CloudFormation to compare two templates."""

STACK_POLLS = 720
"""Two hours for the update, the monitoring and the way back."""

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
"""What CloudFormation says of a change set that changes nothing, which is a failure to it."""


class Deployment:
    """One release and the stack that it goes to.

    Args:
        release: the folder that `make release` filled.
        stack: its name.
        bucket: where the release is put.
        clients: boto3's, by the names of SERVICES, of the stack's region.
        poll_s: how long to wait before CloudFormation is asked again.
    """

    def __init__(
        self,
        release: Path,
        stack: str,
        bucket: str,
        *,
        clients: Mapping[str, Any],
        poll_s: int = POLL_S,
    ) -> None:
        self._release = release
        self._stack = stack
        self._bucket = bucket
        self._prefix = f"tally/{stack}/"
        self._cloudformation = clients["cloudformation"]
        self._cloudwatch = clients["cloudwatch"]
        self._s3 = clients["s3"]
        self._poll_s = poll_s

    def upload(self) -> None:
        """Put the release into the bucket. Older ones stay: a rollback asks for them."""
        for path in sorted(self._release.iterdir()):
            self._put(path.name, path.read_bytes())

    def is_new(self) -> bool:
        """Whether nothing was ever deployed under the stack's name."""
        try:
            told = self._cloudformation.describe_stacks(StackName=self._stack)
        except ClientError as error:
            if "does not exist" in str(error):
                return True
            raise
        return bool(told["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS")

    def triggers(self) -> list[str]:
        """The ARNs of the alarms to watch: those that the stack has, and that do not ring now.

        One that rings already would roll back the very release that is to silence it.
        """
        pages = self._cloudformation.get_paginator("list_stack_resources")
        listed = pages.paginate(StackName=self._stack).search("StackResourceSummaries[]")
        names = [
            each["PhysicalResourceId"] for each in listed if each["LogicalResourceId"] in TRIGGERS
        ]
        if not names:
            return []
        alarms = self._cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return sorted(each["AlarmArn"] for each in alarms if each["StateValue"] != "ALARM")

    def change_set(self, name: str, parameters: Mapping[str, str]) -> bool:
        """Make the change set that brings the stack to the release and these parameters.

        Returns:
            Whether it changes anything; one that does not is gone.

        Raises:
            WaiterError: CloudFormation refuses it; the error has its reason.
        """
        is_new = self.is_new()
        triggers = [] if is_new else self.triggers()
        template = self._put(*self._template(parameters))
        told = {"PackagesBucket": self._bucket, "PackagesPrefix": self._prefix, **parameters}
        this = {"StackName": self._stack, "ChangeSetName": name}
        region = self._cloudformation.meta.region_name
        self._cloudformation.create_change_set(
            **this,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateURL=f"https://{self._bucket}.s3.{region}.amazonaws.com/{template}",
            Capabilities=[*CAPABILITIES],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in told.items()],
            RollbackConfiguration={
                "RollbackTriggers": [
                    {"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in triggers
                ],
                "MonitoringTimeInMinutes": MONITORING_MINUTES if triggers else 0,
            },
        )
        try:
            self._wait("change_set_create_complete", CHANGE_SET_POLLS, **this)
        except WaiterError as error:
            reason = error.last_response.get("StatusReason", "")
            if not any(said in reason for said in NO_CHANGES):
                raise
            self._cloudformation.delete_change_set(**this)
            return False
        return True

    def changes(self, name: str) -> Iterator[str]:
        """A line for each resource that a change set touches."""
        pages = self._cloudformation.get_paginator("describe_change_set")
        told = pages.paginate(StackName=self._stack, ChangeSetName=name)
        for change in told.search("Changes[].ResourceChange"):
            replaced = " (replaced)" if change.get("Replacement") == "True" else ""
            yield f"{change['Action']} {change['LogicalResourceId']}{replaced}"

    def execute(self, name: str) -> None:
        """Carry a change set out, and wait until the stack is as it says.

        Raises:
            WaiterError: it failed, or an alarm rang: the stack is as it was, or on its way there.
        """
        done = "stack_create_complete" if self.is_new() else "stack_update_complete"
        self._cloudformation.execute_change_set(StackName=self._stack, ChangeSetName=name)
        self._wait(done, STACK_POLLS, StackName=self._stack)

    def _template(self, parameters: Mapping[str, str]) -> tuple[str, bytes]:
        """The template for these parameters, and its name.

        API Gateway serves a deployment of the API, which is what the API was when that was made. So
        the deployment is called after the parameters, and a change of one makes it anew.
        """
        [path] = self._release.glob("template-*.json")
        told = json.dumps(parameters, sort_keys=True).encode()
        stamp = hashlib.sha256(told).hexdigest()[:STAMP_DIGITS]
        text = path.read_text("utf-8")
        for name, resource in json.loads(text)["Resources"].items():
            if resource["Type"] == "AWS::ApiGateway::Deployment":
                text = text.replace(f'"{name}"', f'"{name}{stamp}"')
        return f"{path.stem}-{stamp}.json", text.encode()

    def _put(self, name: str, content: bytes) -> str:
        """Put a file into the bucket, and say its key."""
        key = f"{self._prefix}{name}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

    def _wait(self, until: str, polls: int, **of: str) -> None:
        waiter = self._cloudformation.get_waiter(until)
        waiter.wait(**of, WaiterConfig={"Delay": self._poll_s, "MaxAttempts": polls})


def main(arguments: Sequence[str] | None = None) -> None:
    """Deploy as the command line says; exit status 1 if the stack is not what it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stack", required=True, help="its name")
    parser.add_argument("--bucket", required=True, help="in the region of the stack")
    parser.add_argument("--parameters", required=True, type=Path, help="a file: {name: value}")
    parser.add_argument("--release", type=Path, default=Path("build/release"))
    parser.add_argument("--name", default="release", help="of the change set")
    told = parser.parse_args(arguments)
    clients = {each: boto3.client(each) for each in SERVICES}  # type: ignore[call-overload]  # by name
    deployment = Deployment(told.release, told.stack, told.bucket, clients=clients)
    try:
        deploy(deployment, told.name, json.loads(told.parameters.read_text("utf-8")))
    except WaiterError as error:
        sys.exit(f"{told.stack} is not deployed: {error}")


def deploy(deployment: Deployment, name: str, parameters: Mapping[str, str]) -> None:
    """Deploy, and print what is changed.

    Raises:
        WaiterError: CloudFormation refused it, it failed, or an alarm rang.
    """
    deployment.upload()
    if not deployment.change_set(name, parameters):
        print("nothing to change")
        return
    for line in deployment.changes(name):
        print(line)
    deployment.execute(name)


if __name__ == "__main__":
    main()
