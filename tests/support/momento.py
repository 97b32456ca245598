"""The embedded Momento server for tests: a clock to turn by hand, and the bare protocol."""

import contextlib
import dataclasses

import grpc
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc
from momento_wire_types import controlclient_pb2 as control_pb
from momento_wire_types import controlclient_pb2_grpc as control_rpc

from tally.local.momento import MomentoServer

CACHE = "tally"
TTL_MS = 60_000
DEADLINE_S = 10
SERVICES = {pb: "Scs", control_pb: "ScsControl"}
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class HandClock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self):
        self.ns = 10**18

    def __call__(self):
        return self.ns

    def advance_ms(self, ms):
        self.ns += int(ms * 1_000_000)


@dataclasses.dataclass
class RefusalError(Exception):
    """An error status, as its receiver sees it."""

    status: str
    details: str = dataclasses.field(default="", compare=False)
    err: str | None = dataclasses.field(default=None, compare=False)


def refusal(error):
    """The refusal that an RpcError is."""
    err = dict(error.trailing_metadata() or ()).get("err")
    return RefusalError(error.code().name, error.details(), err)


class Raw:
    """The generated stubs, with `raw.scs("SetIf", cache_key=b"a", …)` for any call of the two."""

    def __init__(self, server, **headers):
        self.server = server
        self._headers = {"authorization": "", "cache": CACHE, **headers}
        self.channel = grpc.insecure_channel(
            server.endpoint, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
        )
        self.scs_stub = rpc.ScsStub(self.channel)
        self.control_stub = control_rpc.ScsControlStub(self.channel)

    def with_headers(self, **headers):
        """The same, with more headers: `request_id="a"` is `request-id: a`; None takes one away."""
        other = object.__new__(Raw)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        other.__dict__ = {**self.__dict__, "_headers": {**self._headers, **named}}
        return other

    def metadata(self):
        return [(name, value) for name, value in self._headers.items() if value is not None]

    def scs(self, call, **fields):
        """A data call; a stream's answer is the list of its messages."""
        return self._call(self.scs_stub, pb, call, fields)

    def control(self, call, **fields):
        return self._call(self.control_stub, control_pb, call, fields)

    def _call(self, stub, messages, call, fields):
        method = messages.DESCRIPTOR.services_by_name[SERVICES[messages]].methods_by_name[call]
        request = getattr(messages, method.input_type.name)(**fields)
        try:
            answer = getattr(stub, call)(request, metadata=self.metadata(), timeout=DEADLINE_S)
            return list(answer) if method.server_streaming else answer
        except grpc.RpcError as error:
            raise refusal(error) from None

    def get(self, key, cache=CACHE):
        answer = self.with_headers(cache=cache).scs("Get", cache_key=key)
        return answer.cache_body if answer.result == pb.Hit else None

    def set(self, key, value, ttl_ms=TTL_MS):
        self.scs("Set", cache_key=key, cache_body=value, ttl_milliseconds=ttl_ms)

    def set_if_not_exists(self, key, value, ttl_ms=TTL_MS):
        answer = self.scs(
            "SetIfNotExists", cache_key=key, cache_body=value, ttl_milliseconds=ttl_ms
        )
        return answer.HasField("stored")

    def increment(self, key, amount=1, ttl_ms=TTL_MS):
        return self.scs("Increment", cache_key=key, amount=amount, ttl_milliseconds=ttl_ms).value

    def delete(self, key):
        self.scs("Delete", cache_key=key)

    def create_cache(self, name):
        try:
            self.control("CreateCache", cache_name=name)
        except RefusalError as error:
            if error.status != "ALREADY_EXISTS":
                raise
            return False
        return True

    def delete_cache(self, name):
        self.control("DeleteCache", cache_name=name)

    def flush(self, name):
        self.control("FlushCache", cache_name=name)

    def list_caches(self):
        return [cache.cache_name for cache in self.control("ListCaches").cache]

    def create_signing_key(self, minutes):
        answer = self.control("CreateSigningKey", ttl_minutes=minutes)
        return answer.key, answer.expires_at

    def list_signing_keys(self):
        return [(key.key_id, key.expires_at) for key in self.control("ListSigningKeys").signing_key]

    def revoke_signing_key(self, key_id):
        self.control("RevokeSigningKey", key_id=key_id)

    def close(self):
        self.channel.close()


@contextlib.contextmanager
def raw_server(caches=(CACHE,), **options):
    """A server with a cache, and the bare protocol to it."""
    with MomentoServer(caches, **options) as server:
        raw = Raw(server)
        yield raw
        raw.close()
