"""DynamoDB for tests: moto's, one request at a time, and endpoints that answer as they are told."""

import itertools
import json

import boto3
from botocore.config import Config

from tally.local.sqs.aws import REGION, TEST_KEY
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore

NUMBERS = itertools.count()
SCHEMA = {
    "KeySchema": [{"AttributeName": "counter", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "counter", "AttributeType": "S"}],
}
OTHER_SCHEMA = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
}
LONG_S = 60.0


def client(endpoint_url, deadline_s=LONG_S):
    """A client as the store's own, of an endpoint on loopback."""
    session = boto3.session.Session(
        aws_access_key_id=TEST_KEY, aws_secret_access_key=TEST_KEY, region_name=REGION
    )
    config = Config(
        connect_timeout=deadline_s,
        read_timeout=deadline_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
        max_pool_connections=20,
        proxies={},
    )
    return session.client("dynamodb", endpoint_url=endpoint_url, config=config)


class Table:
    """A new table of moto's.

    Attributes:
        endpoint_url: where it is.
        name: its own.
    """

    def __init__(self, endpoint_url, schema=None):
        self.endpoint_url = endpoint_url
        self.name = f"tally-{next(NUMBERS)}"
        self.client = client(endpoint_url)
        self.client.create_table(
            TableName=self.name, BillingMode="PAY_PER_REQUEST", **(schema or SCHEMA)
        )

    def store(self, *, deadline_s=LONG_S, **options):
        """A store of it, with a client of its own."""
        options = {"connect": lambda: client(self.endpoint_url, deadline_s)} | options
        return DynamoStore(self.name, deadline_s=deadline_s, **options)

    def item(self, counter):
        """An item as it stands there."""
        key = {"counter": {"S": counter}}
        return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def put(self, **attributes):
        """Put an item there, whatever was."""
        self.client.put_item(TableName=self.name, Item=attributes)

    def close(self):
        """Close its client."""
        self.client.close()

    def delete(self, counter):
        """Delete an item, as only DynamoDB's own time to live does."""
        self.client.delete_item(TableName=self.name, Key={"counter": {"S": counter}})


def durable(table, open_cache, copy_ttl_s=60, **options):
    """A store of a table with a cache before it."""
    return DurableStore(table.store(), open_cache, copy_ttl_s, **options)


def refusal(code, message="", status=400, **members):
    """The answer of DynamoDB that refuses a request."""
    name = f"com.amazonaws.dynamodb.v20120810#{code}"
    return status, json.dumps({"__type": name, "message": message, **members}).encode()
