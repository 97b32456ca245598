"""What a call costs at Momento, and the counters of calls and operations that a server keeps."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
import msgspec
from google.protobuf.message import Message

from tally.local.ports import NO_PROXY

STATS_METHOD = "/tally.Local/Stats"
"""Our one call beside Momento's: it answers MomentoStats as JSON, to an empty request."""

STATS_TIMEOUT_S = 5.0

CHUNK_BYTES = 1_024
"""Each begun chunk of an item is one operation."""

MIN_OPERATIONS = 1
"""Of every authenticated call, whatever became of it."""

FACTORS: Mapping[str, int] = {"SetIf": 2, "SetIfHash": 2, "SetIfNotExists": 2}
"""How many operations a call costs for each chunk, if not one. Momento's table has the six
conditions of SetIf. It does not mention the forms on hashes: we count them, and SetIfNotExists,
which is SetIfAbsent, alike."""

CONSISTENT_FACTOR = 2
"""How many times as much a call with the header `read-concern: consistent` costs."""


def operations(call: str, sizes_bytes: Iterable[int], *, consistent: bool = False) -> int:
    """The operations that Momento bills for a call with items of these sizes.

    The number of 1,024-byte chunks in each item that request and answer transfer, times the
    factor of the call, and at least 1. Source: https://docs.momentohq.com/cache/manage/operations.
    """
    chunks = sum(max(1, -(-size // CHUNK_BYTES)) for size in sizes_bytes)
    factor = FACTORS.get(call, 1) * (CONSISTENT_FACTOR if consistent else 1)
    return max(MIN_OPERATIONS, chunks) * factor


def item_sizes_bytes(call: str, request: Message, answer: Message | list[Message]) -> list[int]:
    """The sizes of the values that a call transfers.

    If it has none, "the user-supplied data it contains is treated as a single item": its keys.
    A condition's operand is no item here; Momento does not publish whether it bills that.
    """
    return _SIZES_BYTES.get(call, lambda request, _answer: [len(request.cache_key)])(
        request, answer
    )


_SIZES_BYTES: Mapping[str, Callable[[Any, Any], list[int]]] = {
    "Get": lambda _request, answer: [len(answer.cache_body)],
    "GetWithHash": lambda _request, answer: [len(answer.found.value)],
    "GetBatch": lambda _request, answers: [len(item.cache_body) for item in answers],
    **dict.fromkeys(
        ("Set", "SetIf", "SetIfHash", "SetIfNotExists"),
        lambda request, _answer: [len(request.cache_body)],
    ),
    "SetBatch": lambda request, _answers: [len(item.cache_body) for item in request.items],
    "KeysExist": lambda request, _answer: [sum(map(len, request.cache_keys))],
}


class MomentoStats(msgspec.Struct, frozen=True):
    """What a server has done since its start, by the names of the calls (`SetIfHash`)."""

    calls: dict[str, int]
    """How often each arrived with an accepted key, including those that got an injected error."""
    operations: dict[str, int]
    """What Momento would have billed for them."""


class Meter:
    """Counts calls and operations, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()

    def add(self, call: str, operations: int) -> None:
        """Count one call."""
        with self._lock:
            self._calls[call] += 1
            self._operations[call] += operations

    def stats(self) -> MomentoStats:
        """The counters as they are now."""
        with self._lock:
            return MomentoStats(dict(self._calls), dict(self._operations))


def read_stats(endpoint: str, timeout_s: float = STATS_TIMEOUT_S) -> MomentoStats:
    """The counters of the embedded server at `host:port`; grpc.RpcError if there is none."""
    with grpc.insecure_channel(endpoint, NO_PROXY) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(STATS_METHOD)
        answer = call(b"", timeout=timeout_s)
    return msgspec.json.decode(answer, type=MomentoStats)
