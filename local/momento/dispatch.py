"""Where each call arrives: the way from a gRPC method to the caches and back."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from momento_wire_types import cacheclient_pb2, controlclient_pb2

from local.momento.control_calls import CONTROL_CALLS
from local.momento.data_calls import DATA_CALLS
from local.momento.errors import RefusedError
from local.momento.store import Cache, Caches

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only

SCS = cacheclient_pb2.DESCRIPTOR.services_by_name["Scs"]
SCS_CONTROL = controlclient_pb2.DESCRIPTOR.services_by_name["ScsControl"]


class Dispatch(grpc.GenericRpcHandler):
    """Serves the calls that the tables name; gRPC answers UNIMPLEMENTED to every other, quietly.

    One handler for all, and not the generated servicers: those log a NotImplementedError for
    each call that they inherit, and would need a method for each of some fifty.
    """

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._lock = threading.Lock()
        self._handlers = {
            **self._service(SCS, DATA_CALLS, self._cache_of),
            **self._service(SCS_CONTROL, CONTROL_CALLS, lambda _context: self._caches),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler of a call, by its method; None is gRPC's UNIMPLEMENTED."""
        return self._handlers.get(handler_call_details.method)

    def _service(
        self,
        service: ServiceDescriptor,
        calls: Mapping[str, Callable[[Any, Any], Any]],
        subject_of: Callable[[grpc.ServicerContext], Any],
    ) -> dict[str, Handler]:
        handlers = {}
        for name, call in calls.items():
            method = service.methods_by_name[name]
            behaviour = self._behaviour(call, subject_of)
            request = message_factory.GetMessageClass(method.input_type)
            answer = message_factory.GetMessageClass(method.output_type)
            handlers[f"/{service.full_name}/{name}"] = grpc.unary_unary_rpc_method_handler(
                behaviour,
                request_deserializer=request.FromString,
                response_serializer=answer.SerializeToString,
            )
        return handlers

    def _behaviour(
        self,
        call: Callable[[Any, Any], Any],
        subject_of: Callable[[grpc.ServicerContext], Any],
    ) -> Callable[[Any, grpc.ServicerContext], Any]:
        def behaviour(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 -- any message
            try:
                with self._lock:
                    return call(subject_of(context), request)
            except RefusedError as error:
                if error.cause:
                    context.set_trailing_metadata((("err", error.cause),))
                context.abort(grpc.StatusCode[error.status], str(error))

        return behaviour

    def _cache_of(self, context: grpc.ServicerContext) -> Cache:
        return self._caches[str(dict(context.invocation_metadata()).get("cache", ""))]
