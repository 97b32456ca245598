"""Redis with a conditional Lua script: the peer that counts in the store itself."""

import contextlib
import importlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.speed.consumers import Handle, MiscountedError
from tally.counters.body import increments
from tally.counters.event import Increment

HOST = "127.0.0.1"
READY_TIMEOUT_S = 10.0
READY_POLL_S = 0.02

SCRIPT = """
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return false end
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""
"""Increment if there is room. Ours also sets a time to live, which this one is spared."""

SHELL = '"$@" & cat >/dev/null; kill $!; wait'
"""Runs a command until standard input ends, and so ends it with this process, however that ends."""

Count = Callable[[list[Increment]], None]
"""Counts the increments of a batch."""


class Server(NamedTuple):
    """A running redis-server."""

    port: int
    version: str


@contextlib.contextmanager
def serving(name: str = "redis-server") -> Iterator[Server | None]:
    """A server on a free port of 127.0.0.1 that keeps nothing; None where it is not installed."""
    path = shutil.which(name)
    if path is None:
        yield None
        return
    port = _free_port()
    options = ["--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(  # noqa: S603 (our own words, and a path that `which` found)
        ["/bin/sh", "-c", SHELL, "sh", path, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    with process:  # whose end closes that standard input, and waits
        with _connected(port) as client:
            version = _await(client)
        yield Server(port, version)


@contextlib.contextmanager
def one_by_one(port: int, prefix: str) -> Iterator[Handle]:
    """A call of the script an event."""
    with _connected(port) as client:
        sha = client.script_load(SCRIPT)

        def count(batch: list[Increment]) -> None:
            for increment in batch:
                if client.evalsha(sha, 1, *_arguments(prefix, increment)) is None:
                    raise MiscountedError

        yield _of_batches(count)


@contextlib.contextmanager
def pipelined(port: int, prefix: str) -> Iterator[Handle]:
    """A call of the script an event, a whole batch of them in one pipeline."""
    with _connected(port) as client:
        sha = client.script_load(SCRIPT)

        def count(batch: list[Increment]) -> None:
            pipeline = client.pipeline(transaction=False)
            for increment in batch:
                pipeline.evalsha(sha, 1, *_arguments(prefix, increment))
            if None in pipeline.execute():
                raise MiscountedError

        yield _of_batches(count)


def read_counts(port: int, prefix: str, counters: list[str]) -> Mapping[str, int]:
    """The counts as they stand."""
    with _connected(port) as client:
        values = client.mget([prefix + counter for counter in counters])
    pairs = zip(counters, values, strict=True)
    return {counter: int(value) for counter, value in pairs if value is not None}


def _of_batches(count: Count) -> Handle:
    def handle(event: dict[str, Any]) -> None:
        count([each for record in event["Records"] for each in increments(record["body"])])

    return handle


def _arguments(prefix: str, increment: Increment) -> tuple[str, int, int]:
    return prefix + increment.counter, 1, int(str(increment.max))


def _connected(port: int) -> Any:  # noqa: ANN401 (of a group that only `make bench` installs)
    redis = importlib.import_module("redis")
    return redis.Redis(host=HOST, port=port)


def _await(client: Any) -> str:  # noqa: ANN401 (as above)
    """Wait for a server to answer, and give its version."""
    until_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until_s:
        with contextlib.suppress(ConnectionError, importlib.import_module("redis").ConnectionError):
            return str(client.info("server")["redis_version"])
        time.sleep(READY_POLL_S)
    message = f"redis-server did not listen in {READY_TIMEOUT_S} s"
    raise TimeoutError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
