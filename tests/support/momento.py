"""Momento for tests: a clock to turn by hand, and one client over each way to the server.

The three clients have the same calls and give the same plain answers, so that one test asks the
server through Momento's SDK, its asyncio SDK and the bare protocol.
"""

import asyncio
import contextlib
import dataclasses
from datetime import timedelta

import grpc
from momento import CacheClient, CacheClientAsync, Configurations, CredentialProvider
from momento.responses import CacheGet, CacheSetIfNotExists, CreateCache
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


class Sdk:
    """`momento.CacheClient`, with its answers made plain and its errors raised."""

    def __init__(self, server, configuration=None, key=""):
        provider = CredentialProvider.for_momento_local("127.0.0.1", server.port)
        provider.auth_token = key
        configuration = configuration or Configurations.Lambda.latest()
        self._client = self._create(
            configuration.with_client_timeout(timedelta(seconds=DEADLINE_S)), provider
        )

    def _create(self, configuration, provider):
        # Not create(), which connects eagerly: that costs 0.2 s at the end of a client.
        return CacheClient(configuration, provider, timedelta(milliseconds=TTL_MS))

    def call(self, name, *args):
        """Any call of the SDK, in the SDK's own answer."""
        return self._plain(getattr(self._client, name)(*args))

    def _plain(self, answer):
        if not type(answer).__qualname__.endswith(".Error"):
            return answer
        error = answer.inner_exception
        details = error.transport_details
        raise RefusalError(details.grpc.code.name, answer.message, details.grpc.metadata.get("err"))

    def get(self, key, cache=CACHE):
        answer = self.call("get", cache, key)
        return answer.value_bytes if isinstance(answer, CacheGet.Hit) else None

    def set(self, key, value, ttl_ms=TTL_MS):
        self.call("set", CACHE, key, value, timedelta(milliseconds=ttl_ms))

    def set_if_not_exists(self, key, value, ttl_ms=TTL_MS):
        answer = self.call("set_if_not_exists", CACHE, key, value, timedelta(milliseconds=ttl_ms))
        return isinstance(answer, CacheSetIfNotExists.Stored)

    def increment(self, key, amount=1, ttl_ms=TTL_MS):
        return self.call("increment", CACHE, key, amount, timedelta(milliseconds=ttl_ms)).value

    def delete(self, key):
        self.call("delete", CACHE, key)

    def create_cache(self, name):
        return isinstance(self.call("create_cache", name), CreateCache.Success)

    def delete_cache(self, name):
        self.call("delete_cache", name)

    def flush(self, name):
        self.call("flush_cache", name)

    def list_caches(self):
        return [cache.name for cache in self.call("list_caches").caches]

    def create_signing_key(self, minutes):
        answer = self.call("create_signing_key", timedelta(minutes=minutes))
        return answer.key, int(answer.expires_at.timestamp())

    def list_signing_keys(self):
        keys = self.call("list_signing_keys").signing_keys
        return [(key.key_id, int(key.expires_at.timestamp())) for key in keys]

    def revoke_signing_key(self, key_id):
        self.call("revoke_signing_key", key_id)

    def close(self):
        self._client.__exit__(None, None, None)


class AsyncSdk(Sdk):
    """`momento.CacheClientAsync`, on an event loop of its own."""

    def __init__(self, server, configuration=None, key=""):
        self._loop = asyncio.Runner()
        super().__init__(server, configuration, key)

    def _create(self, configuration, provider):
        async def create():
            return CacheClientAsync(configuration, provider, timedelta(milliseconds=TTL_MS))

        return self._loop.run(create())

    def call(self, name, *args):
        return self._plain(self._loop.run(getattr(self._client, name)(*args)))

    def close(self):
        self._loop.run(self._client.__aexit__(None, None, None))
        self._loop.close()
