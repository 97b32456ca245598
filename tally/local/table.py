"""A table of DynamoDB on this machine: moto's, in the process that serves SQS, under its lock."""

import contextlib
from functools import partial

from tally.environment import TABLE
from tally.local.sqs.aws import MAX_CONNECTIONS, client_of
from tally.stores.dynamodb.items import COUNTER
from tally.stores.dynamodb.store import DEADLINE_S, DynamoStore

TABLE_NAME = "tally-counters"

SERVICE = "dynamodb"


def create_table(endpoint_url: str) -> None:
    """Create the table as a deployment has it: its partition key is `counter`, a string.

    Raises:
        BotoCoreError, ClientError: the server fails.
    """
    with contextlib.closing(client_of(SERVICE, endpoint_url)) as client:
        client.create_table(
            TableName=TABLE_NAME,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": COUNTER, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": COUNTER, "AttributeType": "S"}],
        )


def table_variables(endpoint_url: str) -> dict[str, str]:
    """The environment with which the table decides; the credentials are those of the local SQS."""
    return {"AWS_ENDPOINT_URL_DYNAMODB": endpoint_url, TABLE: TABLE_NAME}


def table_store(endpoint_url: str, *, deadline_s: float = DEADLINE_S) -> DynamoStore:
    """A store of the table for this process, whose own AWS environment is not for it.

    Args:
        endpoint_url: where the table is.
        deadline_s: how long one call may take, in seconds.
    """
    connect = partial(
        client_of,
        SERVICE,
        endpoint_url,
        connect_timeout=deadline_s,
        read_timeout=deadline_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
        max_pool_connections=MAX_CONNECTIONS,
    )
    return DynamoStore(TABLE_NAME, deadline_s=deadline_s, connect=connect)
