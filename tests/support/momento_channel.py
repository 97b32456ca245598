"""Momento as a peer of grpc.Channel: a store in memory, a clock that calls move, faults by script.

A call takes effect when it is sent and is answered `latency_s` later, so calls in flight at once
cost the time of one. `tests/stores/test_momento_contract.py` holds it against real gRPC.
"""

import dataclasses
import enum
import functools
import hashlib
import re
from collections.abc import Callable
from typing import Any

import grpc
from momento_wire_types import cacheclient_pb2 as pb

CACHE = "tally"
LATENCY_S = 0.01
START_S = 1_000.0
MS = 1_000


class Clock:
    """Seconds that only calls and sleeps move."""

    def __init__(self) -> None:
        self.now_s = START_S
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Effect(enum.Enum):
    """What a failed call did."""

    NONE = "it never arrived"
    DONE = "it happened, and the answer was lost"
    LATE = "it happens later, just before another call"


@dataclasses.dataclass
class Fault:
    """What befalls the next `times` calls of a method, on one key or on any.

    `status` None lets the call succeed, but late (`latency_s`), or on a value that is no longer
    there (`stale`), or after another writer (`before`). `late_calls` is for Effect.LATE: so many
    other calls come first.
    """

    method: str
    status: grpc.StatusCode | None = None
    effect: Effect = Effect.NONE
    key: str | None = None
    times: int = 1
    details: str | None = "told by a test"
    latency_s: float | None = None
    stale: bool = False
    before: Callable[[], object] | None = None
    late_calls: int = 1


NO_FAULT = Fault("")


@dataclasses.dataclass(frozen=True)
class Call:
    """A call as it was sent; `value` is what it would write."""

    method: str
    key: str
    value: bytes | None
    timeout_s: float
    sent_at_s: float
    metadata: tuple[tuple[str, str], ...]
    request: Any


class FakeRpcError(grpc.RpcError):
    """What a gRPC future raises, as far as a client looks at it."""

    def __init__(self, status: grpc.StatusCode, details: str | None) -> None:
        self._status, self._details = status, details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str | None:
        return self._details


class Store:
    """The items of one cache, with what each key held before; writers share it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._items: dict[str, tuple[bytes, float]] = {}
        self._before: dict[str, bytes | None] = {}
        self.late: list[tuple[int, Callable[[], object]]] = []

    def get(self, key: str) -> bytes | None:
        value, expires_at_s = self._items.get(key, (None, 0.0))
        return value if expires_at_s > self._clock() else None

    def stale(self, key: str) -> bytes | None:
        """What the key held before its last write."""
        return self._before.get(key)

    def put(self, key: str, value: bytes, ttl_ms: int = 86_400_000) -> None:
        self._before[key] = self.get(key)
        self._items[key] = (value, self._clock() + ttl_ms / MS)

    def drop(self, key: str) -> None:
        """Evict an item."""
        del self._items[key]

    def land(self) -> None:
        """Let the late writes that are due take effect."""
        due = [write for calls, write in self.late if calls == 0]
        self.late = [(calls - 1, write) for calls, write in self.late if calls]
        for write in due:
            write()


class FakeChannel:
    """One client's channel to a store; `calls` is all that it sent."""

    def __init__(
        self, clock: Clock, store: Store | None = None, methods: "Methods | None" = None
    ) -> None:
        self.clock = clock
        self.closed = 0
        self.methods = EXACTLY_ONCE if methods is None else methods
        self.store = Store(clock) if store is None else store
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.before_call: Callable[[Call], object] | None = None
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def sent(self) -> list[tuple[str, str]]:
        """The calls in their order, each by method and key."""
        return [(call.method, call.key) for call in self.calls]

    def close(self) -> None:
        """Count it; the next call works all the same."""
        self.closed += 1

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> "FakeMethod":
        name = method.removeprefix("/cache_client.Scs/")
        return FakeMethod(self, name, request_serializer, response_deserializer)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> None:
        """No counter needs a stream; the generated stub asks for them all the same."""

    def drawn(self, call: Call) -> Fault:
        for fault in self.faults:
            if fault.times and fault.method == call.method and fault.key in {None, call.key}:
                fault.times -= 1
                return fault
        return NO_FAULT


class FakeMethod:
    """A peer of grpc.UnaryUnaryMultiCallable; only futures are asked of it."""

    def __init__(
        self, channel: FakeChannel, name: str, serialize: Callable[..., bytes], parse: Any
    ) -> None:
        self._channel, self._name = channel, name
        self._serialize, self._parse = serialize, parse

    def future(
        self, request: Any, timeout: float, metadata: tuple[tuple[str, str], ...]
    ) -> "FakeAnswer":
        channel = self._channel
        self._serialize(request)
        key, value = request.cache_key.decode(), getattr(request, "cache_body", None)
        call = Call(self._name, key, value, timeout, channel.clock(), metadata, request)
        channel.calls.append(call)
        if channel.before_call:
            channel.before_call(call)
        fault = channel.drawn(call)
        if fault.before:
            fault.before()
        channel.store.land()
        try:
            answer = _carried_out(channel, call, fault).SerializeToString()
        except FakeRpcError as error:
            return FakeAnswer(channel, call, fault, error)
        return FakeAnswer(channel, call, fault, self._parse(answer))


class FakeAnswer:
    """A peer of grpc.Future: waiting for it moves the clock to when it is there."""

    def __init__(self, channel: FakeChannel, call: Call, fault: Fault, answer: Any) -> None:
        self._channel, self._answer = channel, answer
        latency_s = LATENCY_S if fault.latency_s is None else fault.latency_s
        if latency_s > call.timeout_s:
            latency_s = call.timeout_s
            self._answer = FakeRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        self._answered_at_s = call.sent_at_s + latency_s
        channel.in_flight += 1
        channel.most_in_flight = max(channel.most_in_flight, channel.in_flight)

    def result(self) -> Any:
        self._channel.in_flight -= 1
        clock = self._channel.clock
        clock.now_s = max(clock.now_s, self._answered_at_s)
        if isinstance(self._answer, FakeRpcError):
            raise self._answer
        return self._answer


def value_hash(value: bytes) -> bytes:
    """As opaque to a client as Momento's."""
    return hashlib.sha256(value).digest()


def _carried_out(channel: FakeChannel, call: Call, fault: Fault) -> Any:
    """The answer to a call, which takes effect here, or later, or never."""
    store = channel.store
    cache = dict(call.metadata)["cache"]
    if cache != CACHE:
        raise FakeRpcError(grpc.StatusCode.NOT_FOUND, f"cache not found: {cache}")
    carry_out = functools.partial(channel.methods[call.method], store, call)
    if fault.status is None:
        return _found(store.stale(call.key)) if fault.stale else carry_out()
    if fault.effect is Effect.DONE:
        carry_out()
    elif fault.effect is Effect.LATE:
        store.late.append((fault.late_calls - 1, carry_out))
    raise FakeRpcError(fault.status, fault.details)


def _get_with_hash(store: Store, call: Call) -> Any:
    return _found(store.get(call.key))


def _found(value: bytes | None) -> Any:
    if value is None:
        return pb._GetWithHashResponse(missing=pb._GetWithHashResponse._Missing())
    found = pb._GetWithHashResponse._Found(value=value, hash=value_hash(value))
    return pb._GetWithHashResponse(found=found)


def _set_if(store: Store, call: Call) -> Any:
    assert call.request.WhichOneof("condition") == "absent"
    return _set_if_is(store, call, None)


def _set_if_bare(store: Store, call: Call) -> Any:
    equal = call.request.WhichOneof("condition") == "equal"
    return (
        _set_if_is(store, call, call.request.equal.value_to_check)
        if equal
        else _set_if(store, call)
    )


def _set_if_is(store: Store, call: Call, expected: bytes | None) -> Any:
    if store.get(call.key) != expected:
        return pb._SetIfResponse(not_stored=pb._SetIfResponse._NotStored())
    store.put(call.key, call.request.cache_body, call.request.ttl_milliseconds)
    return pb._SetIfResponse(stored=pb._SetIfResponse._Stored())


def _set_if_hash(store: Store, call: Call) -> Any:
    assert call.request.WhichOneof("condition") == "present_and_hash_equal"
    current = store.get(call.key)
    if current is None or value_hash(current) != call.request.present_and_hash_equal.hash_to_check:
        return pb._SetIfHashResponse(not_stored=pb._SetIfHashResponse._NotStored())
    store.put(call.key, call.request.cache_body, call.request.ttl_milliseconds)
    new_hash = value_hash(call.request.cache_body)
    return pb._SetIfHashResponse(stored=pb._SetIfHashResponse._Stored(new_hash=new_hash))


def _increment(store: Store, call: Call) -> Any:
    value = store.get(call.key)
    if value is not None and not re.fullmatch(rb"-?[0-9]+", value):
        raise FakeRpcError(grpc.StatusCode.FAILED_PRECONDITION, "no integer")
    total = int(value or b"0") + call.request.amount
    if not -(2**63) <= total < 2**63:
        raise FakeRpcError(grpc.StatusCode.FAILED_PRECONDITION, "no 64 bits")
    store.put(call.key, b"%d" % total, call.request.ttl_milliseconds)
    return pb._IncrementResponse(value=total)


Methods = dict[str, Callable[[Store, Call], Any]]
EXACTLY_ONCE: Methods = {
    "GetWithHash": _get_with_hash,
    "SetIf": _set_if,
    "SetIfHash": _set_if_hash,
}
"""What an exactly-once counter may be touched with; any other call is a KeyError."""

AT_LEAST_ONCE: Methods = {
    "GetWithHash": _get_with_hash,
    "SetIf": _set_if_bare,
    "Increment": _increment,
}
"""And one that is a bare integer."""
