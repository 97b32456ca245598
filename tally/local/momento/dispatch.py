"""Where each call arrives: the way from a gRPC method to the caches and back."""

import functools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
import msgspec
from google.protobuf.message import Message

from tally.local.momento.control_calls import Account
from tally.local.momento.errors import UNAUTHENTICATED, RefusedError
from tally.local.momento.faults import Fault, Faults, Plan
from tally.local.momento.metering import MIN_OPERATIONS, Meter, item_sizes_bytes, operations
from tally.local.momento.routes import Answer, Behaviour, Handler, InPool, Route, routes
from tally.local.momento.store import Cache

STATS_METHOD = "/tally.Local/Stats"
"""Our one call beside Momento's: it answers the Stats as JSON, to an empty request."""

MAX_DELAYED_CALLS = 256
"""How many calls wait out an injected delay at a time, each in a thread; others wait for those."""

_NO_FAULT = Fault()


class Dispatch(grpc.GenericRpcHandler):
    """Serves the calls that have a route; gRPC answers UNIMPLEMENTED to every other, quietly.

    One handler for all, and not the generated servicers: those log a NotImplementedError for
    each call that they inherit, and would need a method for each of some fifty.

    Args:
        account: what the calls read and write.
        meter: where they are counted.
        pause: waits so many seconds, for injected delays.
        api_keys: the keys that are accepted; where it is empty, any key and none.
        plan: what befalls the calls that bring no fault in their headers.
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
        self._api_keys = frozenset(api_keys)
        self._faults = Faults()
        self._plan = plan
        self._lock = threading.Lock()
        self._delayed = ThreadPoolExecutor(MAX_DELAYED_CALLS, thread_name_prefix="momento-delayed")
        self._routes = routes()
        self._handlers = {name: self._handler(route) for name, route in self._routes.items()}
        self._handlers[STATS_METHOD] = grpc.unary_unary_rpc_method_handler(self._stats)

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
            with self._lock:
                answer = route.call(self._subject(route, headers), request)
            if route.is_data:
                consistent = headers.get("read-concern") == "consistent"
                sizes_bytes = item_sizes_bytes(route.name, request, answer)
                billed = operations(route.name, sizes_bytes, consistent=consistent)
            return answer
        finally:
            self._meter.add(route.name, billed)

    def _subject(self, route: Route, headers: Mapping[str, str]) -> Cache | Account:
        return self._account.caches[headers.get("cache", "")] if route.is_data else self._account

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        if self._api_keys and headers.get("authorization") not in self._api_keys:
            raise RefusedError(UNAUTHENTICATED)

    def _stats(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return msgspec.json.encode(self._meter.stats())


def _headers(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    return {name: value for name, value in metadata if isinstance(value, str)}
