"""Puts the transformed template and the packages of this machine on MiniStack.

What MiniStack cannot do is taken out here, by name, and nowhere else. `moto` deploys less.
"""

import copy
import io
import json
import platform
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.check.checking import expect, say, wait_until
from infrastructure.check.ministack import REGION, MiniStack
from infrastructure.package import FUNCTIONS, package
from infrastructure.template import TRANSFORMED

STACK = "tally"
BUCKET = "packages"
ACCOUNT = "000000000000"
"""MiniStack's own."""

MAX_DEPLOY_S = 120
PARAMETERS = {
    "MomentoEndpoint": "cell-1.example.momentohq.com",
    "MomentoApiKeySecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key-AbCdEf",
}
ANY_METHOD = "x-amazon-apigateway-any-method"
"""MiniStack reads only methods with a name of their own from an API's definition."""


def architecture() -> str:
    """This machine's, as Lambda calls it."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def build(target: Path) -> dict[str, Path]:
    """Make the packages for this machine and its Python.

    Returns:
        The folder of each function.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    folders = {name: target / name for name in FUNCTIONS}
    for name, folder in folders.items():
        say("build", package(name, folder, architecture=architecture(), python=python))
    return folders


def zipped(folder: Path) -> bytes:
    """A package as Lambda takes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return made.getvalue()


def deploy(
    aws: MiniStack, zips: Mapping[str, bytes], momento: str, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Create the stack.

    Args:
        aws: where.
        zips: the package of each function.
        momento: `host:port` of the server that stands in for Momento.
        parameters: of the template, beside those that it must have.

    Returns:
        The stack's outputs.

    Raises:
        CheckFailedError: MiniStack rolls it back.
    """
    store = aws.client("s3")
    store.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, content in zips.items():
        store.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=content)
    clouds = aws.client("cloudformation")
    template = prepared(json.loads(TRANSFORMED.read_text("utf-8")), momento)
    # By way of S3, as `sam deploy` does it: CloudFormation takes 51,200 bytes in a call.
    store.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    values = {**PARAMETERS, **parameters}
    clouds.create_stack(
        StackName=STACK,
        TemplateURL=f"{aws.url}/{BUCKET}/template.json",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    wait_until(lambda: not _status(clouds).endswith("IN_PROGRESS"), MAX_DEPLOY_S, "still deploying")
    expect(_status(clouds) == "CREATE_COMPLETE", "\n".join(_failures(clouds)))
    _number(aws.client("lambda"))
    outputs = clouds.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def remove(aws: MiniStack) -> None:
    """Delete the stack, with all that it does not keep.

    Raises:
        CheckFailedError: MiniStack does not delete it.
    """
    clouds = aws.client("cloudformation")
    stack_id = clouds.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    clouds.delete_stack(StackName=STACK)

    def is_gone() -> bool:
        [stack] = clouds.describe_stacks(StackName=stack_id)["Stacks"]
        return bool(stack["StackStatus"] == "DELETE_COMPLETE")

    wait_until(is_gone, MAX_DEPLOY_S, "the stack is still there")


def prepared(template: Mapping[str, Any], momento: str) -> dict[str, Any]:
    """The template with this machine's packages and Momento, less what MiniStack cannot do."""
    made: dict[str, Any] = copy.deepcopy(dict(template))
    resources = made["Resources"]
    for name in FUNCTIONS:
        function = resources[name]["Properties"]
        function["Code"] = {"S3Bucket": BUCKET, "S3Key": f"{name}.zip"}
        function["Architectures"] = [architecture()]
        function["Environment"]["Variables"]["MOMENTO_LOCAL"] = momento
    board = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name in of_an_expression(resources):  # which MiniStack knows no alarm of
        condition = resources.pop(name).get("Condition")
        board[0] = board[0].replace(f'"${{{name}.Arn}}",', "")
        if condition:  # then it is the only one of a word of its own
            board[1] = {k: "" if f"{name}.Arn" in str(v) else v for k, v in board[1].items()}
    for name in queries(resources):
        del resources[name]
    for methods in resources["Api"]["Properties"]["Body"]["paths"].values():
        methods["get"] = methods["post"] = methods.pop(ANY_METHOD)
    return made


def of_an_expression(resources: Mapping[str, Any]) -> list[str]:
    """The alarms that look at more than one metric."""
    return [name for name, each in resources.items() if "Metrics" in each.get("Properties", {})]


def queries(resources: Mapping[str, Any]) -> list[str]:
    """The saved queries, a type that MiniStack does not know; nothing refers to them."""
    return [
        name for name, each in resources.items() if each["Type"] == "AWS::Logs::QueryDefinition"
    ]


def _number(functions: Any) -> None:  # noqa: ANN401 (a client of boto3)
    """Give the event source its numbers again: MiniStack compares the texts of parameters."""
    for each in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(
            UUID=each["UUID"],
            BatchSize=int(each["BatchSize"]),
            MaximumBatchingWindowInSeconds=int(each.get("MaximumBatchingWindowInSeconds", 0)),
            ScalingConfig={"MaximumConcurrency": int(each["ScalingConfig"]["MaximumConcurrency"])},
        )


def _status(clouds: Any) -> str:  # noqa: ANN401 (a client of boto3)
    return str(clouds.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])


def _failures(clouds: Any) -> list[str]:  # noqa: ANN401 (a client of boto3)
    events = clouds.describe_stack_events(StackName=STACK)["StackEvents"]
    return [
        f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
        for each in events
        if each["ResourceStatus"].endswith("FAILED")
    ]
