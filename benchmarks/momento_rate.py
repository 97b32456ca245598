"""How fast the embedded Momento is: 64 calls in flight, against a server that only echoes.

Run it with `.venv/bin/python benchmarks/momento_rate.py`. Both servers are processes of their own
and take turns within one run: the ratio means something on any machine, and the rate does not.
"""
# ruff: noqa: INP001, SLF001 -- a script; Momento's generated messages begin with an underscore

import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import grpc
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc

from tally.local.momento import HOST, MomentoServer

IN_FLIGHT = 64
CALLS = 4_000
ROUNDS = 7
WORKERS = 32
VALUE = b"x" * 256
METADATA = (("cache", "rate"), ("authorization", ""))
TTL_MS = 60_000
READY_TIMEOUT_S = 20

Call = Callable[[], Any]
Server = Callable[[Connection], None]


class Echo(rpc.ScsServicer):
    """The least that a generated servicer can do for the two calls of a swap."""

    def GetWithHash(self, _request: Any, _context: Any) -> pb._GetWithHashResponse:  # noqa: ANN401, N802 -- gRPC's
        """Answer the same to everyone."""
        found = pb._GetWithHashResponse._Found(value=VALUE, hash=b"h" * 32)
        return pb._GetWithHashResponse(found=found)

    def SetIfHash(self, _request: Any, _context: Any) -> pb._SetIfHashResponse:  # noqa: ANN401, N802 -- gRPC's
        """Answer the same to everyone."""
        stored = pb._SetIfHashResponse._Stored(new_hash=b"h" * 32)
        return pb._SetIfHashResponse(stored=stored)


def serve_echo(parent: Connection) -> None:
    """Serve the echo until the parent says otherwise."""
    server = grpc.server(ThreadPoolExecutor(WORKERS))
    rpc.add_ScsServicer_to_server(Echo(), server)  # type: ignore[no-untyped-call] # generated
    parent.send(server.add_insecure_port(f"{HOST}:0"))
    server.start()
    parent.recv()
    server.stop(None).wait()


def serve_momento(parent: Connection) -> None:
    """Serve the embedded Momento until the parent says otherwise."""
    with MomentoServer(["rate"]) as server:
        parent.send(server.port)
        parent.recv()


@contextmanager
def running(server: Server) -> Iterator[rpc.ScsStub]:
    """A server in a process of its own, and a stub that is connected to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=server, args=(theirs,), daemon=True)
    process.start()
    try:
        with grpc.insecure_channel(f"{HOST}:{ours.recv()}") as channel:
            grpc.channel_ready_future(channel).result(timeout=READY_TIMEOUT_S)
            yield rpc.ScsStub(channel)  # type: ignore[no-untyped-call] # generated
    finally:
        ours.send("stop")
        process.join()


def calls_per_second(call: Call) -> float:
    """The rate of CALLS calls with IN_FLIGHT of them under way at a time."""
    slots = threading.Semaphore(IN_FLIGHT)
    begin = time.perf_counter()
    for _ in range(CALLS):
        slots.acquire()
        call().add_done_callback(lambda _done: slots.release())
    for _ in range(IN_FLIGHT):
        slots.acquire()
    return CALLS / (time.perf_counter() - begin)


def read(stub: rpc.ScsStub) -> Call:
    """GetWithHash of one key."""
    request = pb._GetWithHashRequest(cache_key=b"key")
    return lambda: stub.GetWithHash.future(request, metadata=METADATA)


def swap(stub: rpc.ScsStub) -> Call:
    """SetIfHash of one key, which always stores."""
    request = pb._SetIfHashRequest(
        cache_key=b"key", cache_body=VALUE, ttl_milliseconds=TTL_MS, unconditional={}
    )
    return lambda: stub.SetIfHash.future(request, metadata=METADATA)


def main() -> None:
    """Print the rates and their ratio, for a read and for a swap."""
    with running(serve_echo) as echo, running(serve_momento) as momento:
        for name, call in (("SetIfHash", swap), ("GetWithHash", read)):
            echoes, answers = [], []
            for _ in range(ROUNDS):
                echoes.append(calls_per_second(call(echo)))
                answers.append(calls_per_second(call(momento)))
            ratio = statistics.median(a / e for a, e in zip(answers, echoes, strict=True))
            sys.stdout.write(
                f"{name:12} {statistics.median(answers):6.0f} calls/s, "
                f"echo {statistics.median(echoes):6.0f}, ratio {ratio:.2f}\n"
            )


if __name__ == "__main__":
    main()
