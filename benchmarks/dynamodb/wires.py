"""Ways for a PutItem to get to DynamoDB, and the CPU of each: docs/architecture.md has the choice.

`python -m benchmarks.dynamodb.wires` has each put items to a server in a process of its own that
answers at once, from one thread and from sixteen, in turn. CPU is that of the putting process. It
measures aws-crt where `awscrt` is installed, which nothing of ours asks for.
"""

import http.client
import importlib
import importlib.util
import io
import os
import socket
import statistics
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.dynamodb import moto, peers
from benchmarks.speed.timing import interleaved, timed
from tally.local.sqs.aws import REGION, TEST_KEY
from tally.stores.dynamodb.items import Items
from tally.stores.port import Copy, Swap

HOST = "127.0.0.1"
DEADLINE_S = 10.0
MAX_CONNECTIONS = 10_000
"""That are accepted, one after the other."""

PUTS, REPEATS = 1_600, 5
THREADS = (1, 16)
VALUE = bytes(70)
"""As long as a counter's value is with four sources."""

ANSWER = b'{"ConsumedCapacity":{"TableName":"counters","CapacityUnits":1.0}}'
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
    b"Content-Length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER
HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.PutItem",
}
CRT = "awscrt"

Put = Callable[[dict[str, Any]], Any]
"""Sends a request and gives its answer."""

Wire = Callable[[int, ExitStack], Callable[[], Put]]
"""Opens a way to a port, which gives each thread what it puts with, until the stack is left."""


class NoAnswerError(Exception):
    """What came is no answer to a PutItem."""


def boto3_as_ours(port: int, stack: ExitStack) -> Callable[[], Put]:
    """boto3's client, one for all threads, which checks no parameters."""
    client = moto.client(f"http://{HOST}:{port}", max_pool_connections=max(THREADS))
    stack.callback(client.close)
    return lambda: lambda request: client.put_item(**request)


def signer(port: int, stack: ExitStack) -> Callable[[], Put]:
    """Signer of botocore, http.client and msgspec: a connection for each thread."""
    auth = SigV4Auth(Credentials(TEST_KEY, TEST_KEY), "dynamodb", REGION)
    url = f"http://{HOST}:{port}/"

    def opened() -> Put:
        connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_S)
        stack.callback(connection.close)

        def put(request: dict[str, Any]) -> Any:  # noqa: ANN401 (JSON)
            body = msgspec.json.encode(request)
            signed = AWSRequest("POST", url, headers=HEADERS, data=body)
            auth.add_auth(signed)
            connection.request("POST", "/", body, dict(signed.headers.items()))
            return msgspec.json.decode(connection.getresponse().read())

        return put

    return opened


def crt(port: int, stack: ExitStack) -> Callable[[], Put]:
    """aws-crt, AWS's own library in C: a connection for each thread."""
    auth, web, files = (importlib.import_module(f"{CRT}.{name}") for name in ("auth", "http", "io"))
    group = files.EventLoopGroup(1)
    bootstrap = files.ClientBootstrap(group, files.DefaultHostResolver(group))
    provider = auth.AwsCredentialsProvider.new_static(TEST_KEY, TEST_KEY)
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=provider,
        region=REGION,
        service="dynamodb",
    )

    def opened() -> Put:
        connection = web.HttpClientConnection.new(HOST, port, bootstrap).result(DEADLINE_S)
        stack.callback(connection.close)

        def put(request: dict[str, Any]) -> Any:  # noqa: ANN401 (JSON)
            body = msgspec.json.encode(request)
            own = {"Host": f"{HOST}:{port}", "Content-Length": str(len(body))}
            headers = web.HttpHeaders(list((HEADERS | own).items()))
            unsigned = web.HttpRequest("POST", "/", headers, io.BytesIO(body))
            signed = auth.aws_sign_request(unsigned, config).result(DEADLINE_S)
            pieces: list[bytes] = []
            stream = connection.request(signed, on_body=lambda chunk, **_: pieces.append(chunk))
            stream.activate()
            stream.completion_future.result(DEADLINE_S)
            return msgspec.json.decode(b"".join(pieces))

        return put

    return opened


def wires() -> dict[str, Wire]:
    """All that can be measured here, by name."""
    told: dict[str, Wire] = {
        "boto3, as ours": boto3_as_ours,
        "botocore's signer, `http.client`, msgspec": signer,
    }
    return told | ({"aws-crt": crt} if importlib.util.find_spec(CRT) else {})


def cpu_us(open_put: Callable[[], Put], threads: int, puts: int) -> float:
    """CPU of a PutItem, in µs, where so many threads share them.

    Raises:
        NoAnswerError: there was none to one of them.
    """
    items = Items(peers.COUNTERS, None, lambda: 0.0)
    ready = threading.local()

    def put(number: int) -> None:
        if not hasattr(ready, "put"):
            ready.put = open_put()
        swap = Swap(f"page:{number % 100:05}", Copy(VALUE, None), VALUE)
        if "ConsumedCapacity" not in ready.put(items.put(swap)):
            raise NoAnswerError

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(put, range(threads * 4)))  # each thread connects
        took = timed(lambda: list(pool.map(put, range(puts))))
    return took.cpu_s / puts * 1e6


def measure(puts: int = PUTS, repeats: int = REPEATS) -> dict[str, dict[int, list[float]]]:
    """CPU of a PutItem in µs, repeat by repeat: by wire, and by threads."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    with ExitStack() as stack:
        stack.callback(server.join)
        stack.callback(server.terminate)
        port = ours.recv()
        opened = {name: wire(port, stack) for name, wire in wires().items()}
        told: dict[str, dict[int, list[float]]] = {name: {} for name in opened}
        for threads in THREADS:
            runs = {
                name: lambda _, open_put=open_put, threads=threads: cpu_us(open_put, threads, puts)
                for name, open_put in opened.items()
            }
            for name, took in interleaved(runs, range(repeats)).items():
                told[name][threads] = took
    return told


def serve(told: Connection) -> None:
    """Answer everything at once; tells its port. It ends with its parent."""
    with socket.create_server((HOST, 0), backlog=128) as server:
        told.send(server.getsockname()[1])
        for _ in range(MAX_CONNECTIONS):
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as asked:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := asked.readline():
            length = 0
            while line not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = asked.readline()
            asked.read(length)
            connection.sendall(REPLY)


def main() -> int:
    """Print a line for each wire."""
    sys.stdout.write(f"{os.cpu_count()} cores; CPU of a PutItem, in µs: median (least)\n")
    for name, told in measure().items():
        each = (
            f"{statistics.median(took):.0f} ({min(took):.0f}) from {threads}"
            for threads, took in told.items()
        )
        sys.stdout.write(f"{name}: {', '.join(each)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
