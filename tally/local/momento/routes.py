"""The calls that are served, by their gRPC method: what each takes, answers and is called."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from momento_wire_types import cacheclient_pb2, controlclient_pb2

from tally.local.momento.control_calls import CONTROL_CALLS
from tally.local.momento.data_calls import DATA_CALLS

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Behaviour = Callable[[Message, grpc.ServicerContext], Message | Iterator[Message]]
Answer = Message | list[Message]


@dataclass(frozen=True, slots=True)
class Route:
    """One of Momento's calls, and the function that answers it.

    Attributes:
        call: takes the cache that a data call names, or else the whole account, and the request.
        is_data: whether it is a data call: those are billed, and may have faults.
    """

    method: MethodDescriptor
    call: Callable[[Any, Any], Answer]
    is_data: bool

    @property
    def name(self) -> str:
        """The name of the call, as `SetIfHash`."""
        return self.method.name

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream, for which `call` returns a list."""
        return self.method.server_streaming

    def handler(self, behaviour: Behaviour) -> Handler:
        """What gRPC needs to serve it."""
        request = message_factory.GetMessageClass(self.method.input_type)
        answer = message_factory.GetMessageClass(self.method.output_type)
        kind = (
            grpc.unary_stream_rpc_method_handler
            if self.streams
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
