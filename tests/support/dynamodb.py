"""DynamoDB for tests: moto's, one request at a time, and endpoints that answer as they are told."""

import contextlib
import functools
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from tally.local.sqs.aws import REGION, TEST_KEY, client_of
from tally.stores.durable import DurableStore
from tally.stores.dynamodb.store import DynamoStore
from tests.support.terminal import QUIET, put_on

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


@functools.lru_cache(maxsize=8)
def client(endpoint_url, deadline_s=LONG_S):
    """A client as the store's own, of an endpoint on loopback; one that was closed opens again.

    To make one takes longer than most tests.
    """
    return client_of(
        "dynamodb",
        endpoint_url,
        connect_timeout=deadline_s,
        read_timeout=deadline_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
        max_pool_connections=20,
    )


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


def deployed(table, environment):
    """The variables of a deployment with a table; this process has them too, as boto3 looks there.

    Args:
        table: that decides.
        environment: pytest's monkeypatch.
    """
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint_url,
        "AWS_ACCESS_KEY_ID": TEST_KEY,
        "AWS_SECRET_ACCESS_KEY": TEST_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    put_on(environment, QUIET | aws)
    return aws | {"COUNTER_TABLE": table.name}


def durable(table, cache, copy_ttl_s=60, **options):
    """A store of a table with a cache before it."""
    return DurableStore(table.store(), cache, copy_ttl_s, **options)


SIGNED = f"AWS4-HMAC-SHA256 Credential={TEST_KEY}/20260101/{REGION}/dynamodb/aws4_request"
"""By which moto knows what service is meant."""

SILENCE, TRICKLE = object(), object()
"""Instead of an answer: none, or one whose bytes come one after the other and have no end."""

PAUSE_S = 0.02
POLL_S = 0.01


class Server(ThreadingHTTPServer):
    """As many threads as connect at once: of those that wait for longer, Linux drops some."""

    request_queue_size = 128


class Endpoint:
    """A context manager: an HTTP server on loopback that answers as it is told.

    Args:
        answer: is told the name of the operation and the request, and gives status and body; or
            SILENCE, or TRICKLE.

    Attributes:
        url: where it is.
        asked: each operation with its request, in the order in which they came.
        connections: how many were opened.
    """

    def __init__(self, answer):
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self.ended = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                endpoint.connections += 1
                super().setup()

            def do_POST(self):
                target = self.headers["X-Amz-Target"].rpartition(".")[2]
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append((target, asked))
                endpoint.say(self, answer(target, asked))

            def log_message(self, *_):
                """Print no line for each request."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def say(self, handler, answer):
        if answer is SILENCE:
            self.ended.wait(LONG_S)
            handler.close_connection = True
            return
        status, body = (200, b" " * 1_000) if answer is TRICKLE else answer
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if answer is TRICKLE:
            handler.close_connection = True
            with contextlib.suppress(OSError):
                while not self.ended.wait(PAUSE_S):
                    handler.wfile.write(b" ")
            return
        handler.wfile.write(body)

    def store(self, table="counters", *, deadline_s=LONG_S, **options):
        """A store whose table is here."""
        options = {"connect": lambda: client(self.url, deadline_s)} | options
        return DynamoStore(table, deadline_s=deadline_s, **options)


def asked_of(table, target, asked):
    """What moto answers to a request."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{target}", "Authorization": SIGNED}
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "POST", table.endpoint_url, body=json.dumps(asked).encode(), headers=headers
        )
        return answer.status, answer.data


def stored(_target="PutItem", _asked=None):
    """The answer to a PutItem that has happened."""
    return 200, json.dumps({"ConsumedCapacity": {"CapacityUnits": 1.0}}).encode()


def absent(_target, asked):
    """The answer to a BatchGetItem of which nothing is there, and to a PutItem."""
    if "RequestItems" not in asked:
        return stored()
    return 200, json.dumps({"Responses": {"counters": []}, "UnprocessedKeys": {}}).encode()


def refusal(code, message="", status=400, **members):
    """The answer of DynamoDB that refuses a request."""
    name = f"com.amazonaws.dynamodb.v20120810#{code}"
    return status, json.dumps({"__type": name, "message": message, **members}).encode()
