"""What people would write instead, each in its best fair form; none knows an increment again.

All of them read a body with the decoder that ours has, the fastest there is, and none repeats a
call: on this machine none fails.
"""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from momento import CacheClient, Configurations, CredentialProvider
from momento.responses import CacheGet, CacheIncrement, CacheSetIfNotExists
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc
from momento_wire_types import common_pb2 as conditions

from benchmarks.speed.consumers import Handle, MiscountedError
from tally.counters.body import increments
from tally.counters.event import Increment

TTL = timedelta(days=1)
TTL_MS = TTL // timedelta(milliseconds=1)
DEADLINE_S = 10.0

Count = Callable[[Increment], None]
"""Counts one increment, which is by 1."""


@contextlib.contextmanager
def plain(endpoint: str, cache: str) -> Iterator[Handle]:
    """`increment` an event, in a loop: the least that can be done, and no bound."""
    with _client(endpoint) as client:
        yield _one_by_one(_increment(client, cache))


@contextlib.contextmanager
def powertools(endpoint: str, cache: str) -> Iterator[Handle]:
    """The same in a record handler of Powertools' BatchProcessor, as its manual has it."""
    processor = BatchProcessor(EventType.SQS)
    with _client(endpoint) as client:
        count = _increment(client, cache)

        def handle_record(record: SQSRecord) -> None:
            for increment in increments(record.body):
                count(increment)

        def handle(event: dict[str, Any]) -> None:
            process_partial_response(event, handle_record, processor)

        yield handle


@contextlib.contextmanager
def seed(endpoint: str, cache: str) -> Iterator[Handle]:
    """The article's: get, then setIfPresentAndNotEqual(next, max), or SetIfNotExists for the first.

    Momento's SDK for Python has the first and the last; for the other this calls the stub.
    """
    metadata = (("authorization", ""), ("cache", cache))
    with _client(endpoint) as client, grpc.insecure_channel(endpoint) as channel:
        stub = rpc.ScsStub(channel)  # type: ignore[no-untyped-call] # generated code

        def count(increment: Increment) -> None:
            match client.get(cache, increment.counter):
                case CacheGet.Hit(value_bytes=value):
                    stub.SetIf(_next(increment, int(value)), DEADLINE_S, metadata)
                case CacheGet.Miss():
                    answer = client.set_if_not_exists(cache, increment.counter, b"1", TTL)
                    if not isinstance(answer, CacheSetIfNotExists.Stored):
                        raise MiscountedError
                case _:
                    raise MiscountedError

        yield _one_by_one(count)


def read_counts(endpoint: str, cache: str, counters: Iterable[str]) -> Mapping[str, int]:
    """The counts as they stand, theirs or ours: the first line of a value."""
    with _client(endpoint) as client:
        values = {counter: _value(client, cache, counter) for counter in counters}
    return {counter: int(value.partition(b"\n")[0]) for counter, value in values.items() if value}


def read_value(endpoint: str, cache: str, counter: str) -> bytes:
    """What stands under a counter's name; empty if nothing does."""
    with _client(endpoint) as client:
        return _value(client, cache, counter)


def _value(client: CacheClient, cache: str, counter: str) -> bytes:
    answer = client.get(cache, counter)
    return answer.value_bytes if isinstance(answer, CacheGet.Hit) else b""


@contextlib.contextmanager
def _client(endpoint: str) -> Iterator[CacheClient]:
    """Momento's SDK as it is meant for a Lambda."""
    host, _, port = endpoint.partition(":")
    provider = CredentialProvider.for_momento_local(host, int(port))
    # Not create(), which connects eagerly: that costs 0.2 s at the end of a client.
    with CacheClient(Configurations.Lambda.latest(), provider, TTL) as client:
        yield client


def _one_by_one(count: Count) -> Handle:
    def handle(event: dict[str, Any]) -> None:
        for record in event["Records"]:
            for increment in increments(record["body"]):
                count(increment)

    return handle


def _increment(client: CacheClient, cache: str) -> Count:
    def count(increment: Increment) -> None:
        answer = client.increment(cache, increment.counter, 1, TTL)
        if not isinstance(answer, CacheIncrement.Success):
            raise MiscountedError

    return count


def _next(increment: Increment, value: int) -> pb._SetIfRequest:
    bound = conditions.PresentAndNotEqual(value_to_check=b"%d" % int(str(increment.max)))
    return pb._SetIfRequest(
        cache_key=increment.counter.encode(),
        cache_body=b"%d" % (value + 1),
        ttl_milliseconds=TTL_MS,
        present_and_not_equal=bound,
    )
