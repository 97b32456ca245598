"""The way of each call from a gRPC method to the caches and back."""

import functools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import msgspec
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from momento_wire_types import cacheclient_pb2, controlclient_pb2

from tally.local.momento.control_calls import CONTROL_CALLS, Account
from tally.local.momento.data_calls import DATA_CALLS
from tally.local.momento.errors import REQUEST_TOO_LARGE, UNAUTHENTICATED, RefusedError
from tally.local.momento.faults import Fault, Faults, Plan
from tally.local.momento.metering import (
    MIN_OPERATIONS,
    STATS_METHOD,
    Meter,
    item_sizes_bytes,
    operations,
)

MAX_DELAYED_CALLS = 256
"""How many calls may wait out an injected delay at once, each in a thread; others wait in line."""

MAX_REQUEST_BYTES = 5_243_000
"""Checked before the limit of an item. Momento refuses 5,300,000 bytes, and does not publish its
limit: this is the longest message that its SDK for Python sends."""

PING_METHOD = "/cache_client.Ping/Ping"
"""SDKs for Go and .NET connect by it; both of its messages are empty. The wire types lack it."""

_NO_FAULT = Fault()

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Behaviour = Callable[[Message, grpc.ServicerContext], Message | Iterator[Message]]
Answer = Message | list[Message]


@dataclass(frozen=True, slots=True)
class Route:
    """One of Momento's calls, and the function that answers it.

    The function of a data call gets the cache that the call names, and the request; the call is
    billed, and may have faults. The function of any other call gets the account. That of a
    streaming call returns a list.
    """

    method: MethodDescriptor
    call: Callable[[Any, Any], Answer]
    is_data: bool

    @property
    def name(self) -> str:
        """The name of the call, as `SetIfHash`."""
        return self.method.name

    def handler(self, behaviour: Behaviour) -> Handler:
        """What gRPC needs to serve it."""
        request = message_factory.GetMessageClass(self.method.input_type)
        answer = message_factory.GetMessageClass(self.method.output_type)
        kind = (
            grpc.unary_stream_rpc_method_handler
            if self.method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return kind(
            behaviour,
            request_deserializer=request.FromString,
            response_serializer=answer.SerializeToString,
        )


@dataclass(frozen=True, slots=True)
class InPool:
    """A behaviour in threads of its own: gRPC takes the pool from this attribute (`_server.py`)."""

    behaviour: Behaviour
    experimental_thread_pool: ThreadPoolExecutor

    def __call__(
        self, request: Message, context: grpc.ServicerContext
    ) -> Message | Iterator[Message]:
        """Answer the call."""
        return self.behaviour(request, context)


class Dispatch(grpc.GenericRpcHandler):
    """Serves the calls that have a route; gRPC answers UNIMPLEMENTED to every other, quietly.

    There is one handler for all, since the generated servicers log an error for each call that they
    inherit. `pause` waits for injected delays; if `api_keys` is empty, no key is needed, and any is
    accepted.
    """

    def __init__(
        self,
        account: Account,
        meter: Meter,
        pause: Callable[[float], object],
        api_keys: Collection[str],
        plan: Plan,
    ) -> None:
        self._account = account
        self._meter = meter
        self._pause = pause
        self._api_keys = api_keys
        self._faults = Faults()
        self._plan = plan
        self._lock = threading.Lock()
        self._delayed = ThreadPoolExecutor(MAX_DELAYED_CALLS, thread_name_prefix="momento-delayed")
        self._routes = routes()
        self._handlers = {name: self._handler(route) for name, route in self._routes.items()}
        self._handlers[STATS_METHOD] = grpc.unary_unary_rpc_method_handler(self._stats)
        self._handlers[PING_METHOD] = grpc.unary_unary_rpc_method_handler(_ping)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler of a call, by its method; gRPC asks in one thread, in order of arrival."""
        route = self._routes.get(handler_call_details.method)
        if route is not None and route.is_data:
            headers = _headers(handler_call_details.invocation_metadata)
            fault = self._faults.draw(route.name, headers) or self._plan(route.name)
            if fault is not None:
                return self._handler(route, fault)
        return self._handlers.get(handler_call_details.method)

    def close(self) -> None:
        """End the threads of delayed calls, once nothing pauses any more."""
        self._delayed.shutdown()

    def _handler(self, route: Route, fault: Fault = _NO_FAULT) -> Handler:
        behaviour: Behaviour = functools.partial(self._answer, route, fault)
        if fault.delay_s:
            # Delayed calls must not take the workers of all others.
            behaviour = InPool(behaviour, self._delayed)
        return route.handler(behaviour)

    def _answer(
        self, route: Route, fault: Fault, request: Message, context: grpc.ServicerContext
    ) -> Message | Iterator[Message]:
        try:
            headers = _headers(context.invocation_metadata())
            self._authenticate(headers)
            answer = self._with_fault(route, fault, request, headers)
        except RefusedError as error:
            status, text, trailer = error.refusal
            if trailer:
                context.set_trailing_metadata((("err", trailer),))
            context.abort(grpc.StatusCode[status], text)
        return iter(answer) if isinstance(answer, list) else answer

    def _with_fault(
        self, route: Route, fault: Fault, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        if fault.delay_s:
            self._pause(fault.delay_s)
        if fault.error is None:
            return self._carry_out(route, request, headers)
        if fault.after:
            self._carry_out(route, request, headers)
        else:
            self._meter.add(route.name, 0)
        raise RefusedError(fault.error)

    def _carry_out(self, route: Route, request: Message, headers: Mapping[str, str]) -> Answer:
        billed = MIN_OPERATIONS if route.is_data else 0
        try:
            _check_size(request)
            with self._lock:
                caches = self._account.caches
                subject = caches[headers.get("cache", "")] if route.is_data else self._account
                answer = route.call(subject, request)
            if route.is_data:
                consistent = headers.get("read-concern") == "consistent"
                sizes_bytes = item_sizes_bytes(route.name, request, answer)
                billed = operations(route.name, sizes_bytes, consistent=consistent)
            return answer
        finally:
            self._meter.add(route.name, billed)

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        if self._api_keys and headers.get("authorization") not in self._api_keys:
            raise RefusedError(UNAUTHENTICATED)

    def _stats(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return msgspec.json.encode(self._meter.stats())


def _ping(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    return b""


def _check_size(request: Message) -> None:
    size_bytes = request.ByteSize()
    if size_bytes > MAX_REQUEST_BYTES:
        raise RefusedError(REQUEST_TOO_LARGE.about(size_bytes, MAX_REQUEST_BYTES))


def _headers(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    return {name: value for name, value in metadata if isinstance(value, str)}


def routes() -> dict[str, Route]:
    """Every call that is served, by its method as gRPC has it: `/cache_client.Scs/Get`."""
    data = cacheclient_pb2.DESCRIPTOR.services_by_name["Scs"]
    control = controlclient_pb2.DESCRIPTOR.services_by_name["ScsControl"]
    return {
        **_of_service(data, DATA_CALLS, is_data=True),
        **_of_service(control, CONTROL_CALLS, is_data=False),
    }


def _of_service(
    service: ServiceDescriptor, calls: Mapping[str, Callable[[Any, Any], Any]], *, is_data: bool
) -> dict[str, Route]:
    return {
        f"/{service.full_name}/{name}": Route(service.methods_by_name[name], call, is_data)
        for name, call in calls.items()
    }
