"""Momento as a peer of grpc.Channel: the embedded server's cache, faults by script, no time waited.

A call takes effect when it is sent and is answered `latency_s` later, so calls in flight at once
cost the time of one. `tests/stores/test_momento_contract.py` holds it against real gRPC.
"""

import dataclasses
import enum
import functools
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import grpc

from tally.local.momento.data_calls import DATA_CALLS, get_batch, get_with_hash
from tally.local.momento.errors import UNKNOWN_CACHE, RefusedError
from tally.local.momento.store import MAX_TTL_MS, LocalCache
from tests.support.clock import Clock

CACHE = "tally"
LATENCY_S = 0.01
NS_PER_S = 1_000_000_000
STATUS = grpc.StatusCode
UNKNOWN = (
    *(STATUS.UNAVAILABLE, STATUS.DEADLINE_EXCEEDED, STATUS.INTERNAL, STATUS.ABORTED),
    *(STATUS.CANCELLED, STATUS.UNKNOWN, STATUS.DATA_LOSS),
)
REFUSED = (
    *(STATUS.INVALID_ARGUMENT, STATUS.FAILED_PRECONDITION),
    *(STATUS.OUT_OF_RANGE, STATUS.ALREADY_EXISTS),
)
BROKEN = (
    *(STATUS.UNAUTHENTICATED, STATUS.PERMISSION_DENIED),
    *(STATUS.NOT_FOUND, STATUS.UNIMPLEMENTED),
)
"""What a status says of a call: it may have happened, it never will, no call can."""

EXACTLY_ONCE = {("GetWithHash", ""), ("SetIf", "absent"), ("SetIfHash", "present_and_hash_equal")}
"""The calls, with their conditions, with which an exactly-once counter may be touched."""

AT_LEAST_ONCE = {("GetWithHash", ""), ("SetIf", "absent"), ("SetIf", "equal"), ("Increment", "")}
"""And those of one that is a bare integer."""


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
class SentCall:
    """A call as it was sent; `value` is what it would write."""

    method: str
    key: str
    value: bytes | None
    timeout_s: float
    sent_at_s: float
    metadata: tuple[tuple[str, str], ...]
    request: Any

    @property
    def condition(self) -> str:
        """The name of what a write asks for, as the request has it."""
        return self.request.WhichOneof("condition") if self.method.startswith("SetIf") else ""


class FakeRpcError(grpc.RpcError):
    """What a gRPC future raises, as far as a client looks at it."""

    def __init__(self, status: grpc.StatusCode, details: str | None = "told by a test") -> None:
        self._status, self._details = status, details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str | None:
        return self._details


class FakeStore(LocalCache):
    """The items of one cache by their names, with what each held before; writers share it."""

    def __init__(self, clock):
        super().__init__(lambda: int(clock() * NS_PER_S))
        self._before: dict[bytes, bytes | None] = {}
        self.late: list[tuple[int, Callable[[], object]]] = []

    def get(self, key):
        return super().get(_encoded(key))

    def stale(self, key):
        """What the key held before its last write."""
        return self._before.get(_encoded(key))

    def put(self, key, value, ttl_ms=MAX_TTL_MS):
        self._before[_encoded(key)] = self.get(key)
        super().put(_encoded(key), value, ttl_ms)

    def drop(self, key):
        """Evict an item."""
        self.delete(_encoded(key))

    def land(self):
        """Let the late writes that are due take effect."""
        due = [write for calls, write in self.late if calls == 0]
        self.late = [(calls - 1, write) for calls, write in self.late if calls]
        for write in due:
            write()


def _encoded(key):
    return key if isinstance(key, bytes) else key.encode()


class FakeChannel:
    """One client's channel to a store; `calls` is all that it sent."""

    def __init__(self, clock, store=None, methods=EXACTLY_ONCE):
        self.clock = clock
        self.closed = 0
        self.methods = methods
        self.store = FakeStore(clock) if store is None else store
        self.calls: list[SentCall] = []
        self.faults: list[Fault] = []
        self.before_call: Callable[[SentCall], object] | None = None
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def sent(self):
        """The calls in their order, each by method and key."""
        return [(call.method, call.key) for call in self.calls]

    def close(self):
        """Count it; the next call works all the same."""
        self.closed += 1

    def unary_unary(self, method, request_serializer, response_deserializer, **_):
        """A peer of grpc.UnaryUnaryMultiCallable; only futures are asked of it."""
        name = method.removeprefix("/cache_client.Scs/")
        coding = (request_serializer, response_deserializer)
        return SimpleNamespace(future=functools.partial(self._future, name, *coding))

    def unary_stream(self, *_, **__):
        """No counter needs a stream; the generated stub asks for them all the same."""

    def _future(self, name, serialize, parse, request, timeout, metadata):
        serialize(request)
        key, value = request.cache_key.decode(), getattr(request, "cache_body", None)
        call = SentCall(name, key, value, timeout, self.clock(), metadata, request)
        self.calls.append(call)
        if self.before_call:
            self.before_call(call)
        fault = self._drawn(call)
        if fault.before:
            fault.before()
        self.store.land()
        try:
            answer = parse(self._answer(call, fault).SerializeToString())
        except FakeRpcError as error:
            answer = error
        except RefusedError as error:
            answer = refused(error)
        return FakeAnswer(self, call, fault, answer)

    def _drawn(self, call):
        for fault in self.faults:
            if fault.times and fault.method == call.method and fault.key in {None, call.key}:
                fault.times -= 1
                return fault
        return NO_FAULT

    def _carry_out(self, call):
        """The effect of a call, and its answer."""
        assert (call.method, call.condition) in self.methods
        check_cache(call.metadata)
        return DATA_CALLS[call.method](self.store, call.request)

    def _answer(self, call, fault):
        """The answer to a call, which takes effect here, or later, or never."""
        if fault.status is None:
            stale: Any = SimpleNamespace(get=self.store.stale)
            return get_with_hash(stale, call.request) if fault.stale else self._carry_out(call)
        if fault.effect is Effect.DONE:
            self._carry_out(call)
        elif fault.effect is Effect.LATE:
            self.store.late.append((fault.late_calls - 1, lambda: self._carry_out(call)))
        raise FakeRpcError(fault.status, fault.details)


class FakeAnswer:
    """A peer of grpc.Future: waiting for it moves the clock to when it is there."""

    def __init__(self, channel, call, fault, answer):
        self._channel, self._answer = channel, answer
        latency_s = LATENCY_S if fault.latency_s is None else fault.latency_s
        if latency_s > call.timeout_s:
            latency_s = call.timeout_s
            self._answer = FakeRpcError(STATUS.DEADLINE_EXCEEDED, "Deadline Exceeded")
        self._answered_at_s = call.sent_at_s + latency_s
        channel.in_flight += 1
        channel.most_in_flight = max(channel.most_in_flight, channel.in_flight)

    def result(self):
        self._channel.in_flight -= 1
        clock = self._channel.clock
        clock.now_s = max(clock.now_s, self._answered_at_s)
        if isinstance(self._answer, FakeRpcError):
            raise self._answer
        return self._answer


class ReadChannel:
    """A channel with values by key; `calls` has of each call its keys, deadline and metadata.

    The script has a step for each of the first calls: an error, which comes after some of the
    answers; a function from the right answers to those that are given; or None.
    """

    def __init__(self, *script, values=None):
        self.clock = Clock()
        self.values = {} if values is None else values
        self._cache: Any = SimpleNamespace(get=lambda key: self.values.get(key.decode()))
        self.script = deque(script)
        self.calls: list[tuple[list[str], float, Any]] = []
        self.is_closed = False

    def unary_unary(self, *_, **__):
        """No read needs a call of one answer; the generated stub asks for them all the same."""

    def unary_stream(self, method, request_serializer, response_deserializer, **_):
        def call(request, timeout, metadata):
            request_serializer(request)
            for answer in self._answers(request, timeout, metadata):
                yield response_deserializer(answer.SerializeToString())

        return call if method == "/cache_client.Scs/GetBatch" else None

    def close(self):
        self.is_closed = True

    @property
    def keys(self):
        """The keys of each call."""
        return [keys for keys, _, _ in self.calls]

    def _answers(self, request, timeout_s, metadata):
        keys = [item.cache_key.decode() for item in request.items]
        self.calls.append((keys, timeout_s, metadata))
        self.clock.now_s += min(LATENCY_S, timeout_s)
        try:
            check_cache(metadata)
        except RefusedError as error:
            raise refused(error) from None
        step = self.script.popleft() if self.script else None
        answers = get_batch(self._cache, request)
        if isinstance(step, FakeRpcError):
            yield from answers[:-1]
            raise step
        yield from step(answers) if step else answers


def check_cache(metadata):
    """See that a call is for the one cache that there is."""
    if (cache := dict(metadata)["cache"]) != CACHE:
        raise RefusedError(UNKNOWN_CACHE.about(cache))


def refused(error):
    """What a client gets in place of the answer."""
    return FakeRpcError(grpc.StatusCode[error.refusal.status], error.refusal.text)
