"""The example for CI on MiniStack: two stacks side by side, by a user with the deployer's policy.

MiniStack enforces the policy for what the user calls, and not for what CloudFormation then calls in
the user's name: tests/infrastructure/test_deployer.py is about that.
"""

import io
import json
import runpy
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from infrastructure.check.checking import CheckFailedError, expect, say
from infrastructure.check.deployment import ACCOUNT, PARAMETERS, prepared
from infrastructure.check.ministack import REGION, MiniStack, ministack
from infrastructure.package import FUNCTIONS
from infrastructure.release import packaged
from infrastructure.template import ROOT, TRANSFORMED

CI = ROOT / "examples" / "ci"
STACKS = ("tally", "tally-staging")
BUCKET = "releases"
USER = "deployer"
CHANGED = {"LogRetentionDays": "7"}
POLL_S = 1
NOBODY = "127.0.0.1:1"
"""Where no Momento is: no function is called."""


def check(folder: Path) -> None:
    """Make both stacks, change each, and see that a deployer can do nothing else.

    Args:
        folder: for the release, and MiniStack's log.

    Raises:
        CheckFailedError: something is not as it should be.
    """
    release = folder / "release"
    _release(release)
    example = runpy.run_path(str(CI / "deploy.py"))
    with ministack(folder / "ministack-deployer.log", enforces=True) as aws:
        session = _deployer(aws)
        for name, call in (("sqs", "create_queue"), ("iam", "create_user")):
            expect(_is_refused(aws, session, name, call), f"the deployer may {call} as it likes")
        clients = {each: _client(aws, session, each) for each in example["SERVICES"]}
        for stack in STACKS:
            told = example["Deployment"](release, stack, BUCKET, clients=clients, poll_s=POLL_S)
            try:
                _deploy(stack, told)
            except (ClientError, WaiterError) as error:
                raise CheckFailedError(str(error)) from error
            say(USER, f"{stack} is made, changed, and the same when nothing is to change")


def _deploy(stack: str, told: Any) -> None:  # noqa: ANN401 (the example's class, which is run and not imported)
    """Make a stack, change a parameter, and ask for the same once more."""
    told.upload()
    for number, more in enumerate(({}, CHANGED)):
        name = f"release-{number}"
        expect(told.change_set(name, {**PARAMETERS, **more}), f"{stack}: no changes")
        told.execute(name)
    again = told.change_set("again", {**PARAMETERS, **CHANGED})
    expect(not again, f"{stack}: changes, though there are none")
    expect(told.triggers(), f"{stack}: no alarm is watched")


def _release(folder: Path) -> None:
    """A release that MiniStack can deploy, with packages of nothing."""
    folder.mkdir()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("handler.py", "")
    names = {name: f"{name}.zip" for name in FUNCTIONS}
    for name in names.values():
        (folder / name).write_bytes(made.getvalue())
    template = prepared(json.loads(TRANSFORMED.read_text("utf-8")), NOBODY)
    (folder / "template-0.json").write_text(json.dumps(packaged(template, names)), "utf-8")


def _deployer(aws: MiniStack) -> boto3.Session:
    """A user with the policy, and nothing else."""
    policy = (CI / "deployer.json").read_text("utf-8")
    policy = policy.replace("ACCOUNT", ACCOUNT).replace("BUCKET", BUCKET)
    aws.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    users = aws.client("iam")
    users.create_user(UserName=USER)
    made = users.create_policy(PolicyName=USER, PolicyDocument=policy)["Policy"]
    users.attach_user_policy(UserName=USER, PolicyArn=made["Arn"])
    key = users.create_access_key(UserName=USER)["AccessKey"]
    return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)


def _client(aws: MiniStack, session: boto3.Session, service: str) -> Any:  # noqa: ANN401 (boto3 makes its clients as it runs)
    client = session.client(service, endpoint_url=aws.url)  # type: ignore[call-overload]  # any service, by name

    def at_ministack(params: Mapping[str, str], **_: object) -> dict[str, str]:
        """MiniStack finds templates at its own address alone."""
        key = params["TemplateURL"].partition(".amazonaws.com/")[2]
        return {**params, "TemplateURL": f"{aws.url}/{BUCKET}/{key}"}

    call = "provide-client-params.cloudformation.CreateChangeSet"
    client.meta.events.register(call, at_ministack)
    return client


def _is_refused(aws: MiniStack, session: boto3.Session, service: str, call: str) -> bool:
    names = {"create_queue": {"QueueName": "orders"}, "create_user": {"UserName": "other"}}
    try:
        getattr(_client(aws, session, service), call)(**names[call])
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "AccessDenied")
    return False
