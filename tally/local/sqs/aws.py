"""AWS in the local stack: credentials that open nothing, a client, and two queues."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from tally.aws import CONNECT_TIMEOUT_S, MAX_ATTEMPTS, READ_TIMEOUT_S
from tally.local.child import NO_FILES
from tally.local.ports import LOOPBACK

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

REGION = "us-east-1"
TEST_KEY = "testing"
"""Both halves of the credentials: moto accepts any, and these open nothing anywhere."""

TO_UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""What a shell must unset for the local SQS: an empty value does not mean none in all SDKs."""

QUEUE_NAME = "tally-increments"
DEAD_LETTER_NAME = "tally-increments-dead"

VISIBILITY_TIMEOUT_S = 30
"""SQS's own default: how long a message stays hidden after it was received, in seconds."""

MAX_RECEIVE_COUNT = 5
"""How often a message is delivered before it is a dead letter; for Lambda AWS advises >= 5."""

MAX_CONNECTIONS = 32
"""How many threads may share a client without waiting for a connection."""

PATIENCE: Mapping[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "read_timeout": READ_TIMEOUT_S,
    "retries": {"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
}
"""The default options of a client, as botocore's Config takes them."""


@dataclass(frozen=True)
class Queues:
    """Where the queue and its dead-letter queue are."""

    endpoint_url: str
    queue_url: str
    dead_letter_url: str


def create_queues(
    client: "SQSClient",
    *,
    fifo: bool = False,
    visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
    max_receive_count: int = MAX_RECEIVE_COUNT,
) -> Queues:
    """Create the queue, and the queue that its dead letters go to."""
    suffix = ".fifo" if fifo else ""
    kind: dict[QueueAttributeNameType, str] = {"FifoQueue": "true"} if fifo else {}
    dead = client.create_queue(QueueName=f"{DEAD_LETTER_NAME}{suffix}", Attributes=kind)["QueueUrl"]
    redrive = {
        "deadLetterTargetArn": queue_arn(client, dead),
        "maxReceiveCount": max_receive_count,
    }
    queue = client.create_queue(
        QueueName=f"{QUEUE_NAME}{suffix}",
        Attributes={
            **kind,
            "RedrivePolicy": json.dumps(redrive),
            "VisibilityTimeout": str(visibility_timeout_s),
        },
    )
    return Queues(client.meta.endpoint_url, queue["QueueUrl"], dead)


def queue_arn(client: "SQSClient", queue_url: str) -> str:
    """The ARN of a queue, which its events and policies name."""
    answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def sqs_client(endpoint_url: str) -> "SQSClient":
    """A client of the local SQS; it reads no profile, configuration file or proxy of the user."""
    client: SQSClient = client_of("sqs", endpoint_url, max_pool_connections=MAX_CONNECTIONS)
    return client


def client_of(service: str, endpoint_url: str, **options: Any) -> Any:  # noqa: ANN401 (those of botocore's Config; boto3's stubs know services by literal names only)
    """A client of a service on this machine; it too reads nothing of the user's.

    Args:
        service: as boto3 calls it.
        endpoint_url: where it listens.
        options: of botocore's Config, instead of PATIENCE or beside it.
    """
    config: Any = {"proxies": {}, **PATIENCE, **options}
    nothing = (None, None, None, None)
    nowhere = (None, None, os.devnull, None)
    core = botocore.session.Session(
        session_vars={"profile": nothing, "config_file": nowhere, "credentials_file": nowhere}
    )
    session: Any = boto3.Session(
        aws_access_key_id=TEST_KEY,
        aws_secret_access_key=TEST_KEY,
        region_name=REGION,
        botocore_session=core,
    )
    return session.client(service, endpoint_url=endpoint_url, config=Config(**config))


def proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that bypass the environment's proxy for loopback.

    In both spellings: gRPC reads one, the AWS SDKs either.
    """
    names = ("no_proxy", "NO_PROXY")
    known = next((environment[name] for name in names if environment.get(name)), "").split(",")
    return dict.fromkeys(names, ",".join(filter(None, dict.fromkeys([*known, LOOPBACK]))))


def sqs_variables(endpoint_url: str) -> dict[str, str]:
    """The environment that points any AWS SDK to the local SQS only.

    Over a user's own environment, it also replaces a session token, and the setting to ignore
    endpoints, which would make an SDK send to the real SQS. It cannot replace TO_UNSET.
    """
    return {
        "AWS_ENDPOINT_URL_SQS": endpoint_url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": TEST_KEY,
        "AWS_SECRET_ACCESS_KEY": TEST_KEY,
        "AWS_SESSION_TOKEN": "",
        **NO_FILES,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
