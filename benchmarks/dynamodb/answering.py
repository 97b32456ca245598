"""A server that answers requests of DynamoDB at once, keeps connections, and remembers nothing.

What a client takes is measured with it. moto closes each connection after one request, and to
connect anew takes as much CPU as the request.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from benchmarks.dynamodb.peers import COUNTERS

HOST = "127.0.0.1"
MAX_CONNECTIONS = 10_000
"""That are accepted, one after the other."""

BACKLOG = 128
ANSWERS = {
    b"PutItem": b'{"ConsumedCapacity":{"TableName":"counters","CapacityUnits":1.0}}',
    b"BatchGetItem": b'{"Responses":{"%s":[]},"UnprocessedKeys":{}}' % COUNTERS.encode(),
}
"""To PutItem that it happened, to BatchGetItem that there is nothing, and else just an answer."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def answering() -> Iterator[int]:
    """Start the server in a process of its own, and give its port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    with ExitStack() as stack, ours, theirs:
        server.start()
        stack.callback(server.join)
        stack.callback(server.terminate)
        yield ours.recv()


def serve(told: Connection) -> None:
    """Answer until the process ends; the port is told."""
    with socket.create_server((HOST, 0), backlog=BACKLOG) as server:
        told.send(server.getsockname()[1])
        for _ in range(MAX_CONNECTIONS):
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as asked:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := asked.readline():
            length, target = 0, b""
            while line not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                target = value if name.lower() == b"x-amz-target" else target
                line = asked.readline()
            asked.read(length)
            answer = ANSWERS.get(target.rpartition(b".")[2].strip(), b"{}")
            connection.sendall(HEAD % len(answer) + answer)
