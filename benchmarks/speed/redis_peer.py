"""A conditional Lua script an event: the peer that counts in Valkey or Redis itself."""

import contextlib
import importlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import hiredis

from benchmarks.speed.consumers import Handle, MiscountedError
from tally.counters.body import increments
from tally.counters.event import Increment

HOST = "127.0.0.1"
DEADLINE_S = 10.0
CHUNK_BYTES = 65_536
SENT_AT_ONCE = 256
"""Commands, so that the server has work while the next are written down."""

NOT_YET = object()
"""What the parser says of an answer that has not come whole."""

SCRIPT = """
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return false end
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""
"""Increment if there is room. Ours also sets a time to live, which this one is spared."""

Count = Callable[[list[Increment]], None]
"""Counts the increments of a batch."""


@contextlib.contextmanager
def one_by_one(port: int) -> Iterator[Handle]:
    """A call of the script an event."""
    with _connected(port) as client:
        sha = client.script_load(SCRIPT)

        def count(batch: list[Increment]) -> None:
            for increment in batch:
                if client.evalsha(sha, 1, *_arguments(increment)) is None:
                    raise MiscountedError

        yield _of_batches(count)


@contextlib.contextmanager
def pipelined(port: int) -> Iterator[Handle]:
    """A call of the script an event, a whole batch of them in one pipeline."""
    with _connected(port) as client:
        sha = client.script_load(SCRIPT)

        def count(batch: list[Increment]) -> None:
            pipeline = client.pipeline(transaction=False)
            for increment in batch:
                pipeline.evalsha(sha, 1, *_arguments(increment))
            if None in pipeline.execute():
                raise MiscountedError

        yield _of_batches(count)


@contextlib.contextmanager
def lean(port: int) -> Iterator[Handle]:
    """The same without a client: hiredis alone, whose answers are looked at and nothing else."""
    with _connected(port) as client, socket.create_connection((HOST, port), DEADLINE_S) as server:
        script = ("EVALSHA", client.script_load(SCRIPT), 1)
        parser = hiredis.Reader(notEnoughData=NOT_YET)

        def answer() -> object:
            while (told := parser.gets()) is NOT_YET:
                parser.feed(server.recv(CHUNK_BYTES))
            return told

        def count(batch: list[Increment]) -> None:
            for start in range(0, len(batch), SENT_AT_ONCE):
                chunk = batch[start : start + SENT_AT_ONCE]
                commands = [hiredis.pack_command((*script, *_arguments(each))) for each in chunk]
                server.sendall(b"".join(commands))
            if not all(type(answer()) is int for _ in batch):
                raise MiscountedError

        yield _of_batches(count)


def read_counts(port: int, counters: list[str]) -> Mapping[str, int]:
    """The counts as they stand."""
    with _connected(port) as client:
        values = client.mget(counters)
    pairs = zip(counters, values, strict=True)
    return {counter: int(value) for counter, value in pairs if value is not None}


def _of_batches(count: Count) -> Handle:
    def handle(event: dict[str, Any]) -> None:
        count([each for record in event["Records"] for each in increments(record["body"])])

    return handle


def _arguments(increment: Increment) -> tuple[Any, ...]:
    return increment.counter, 1, increment.max


def _connected(port: int) -> Any:  # noqa: ANN401 (of a group that only `make bench` installs)
    redis = importlib.import_module("redis")
    return redis.Redis(host=HOST, port=port)
