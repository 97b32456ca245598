"""Momento's two SDKs with the calls and the plain answers of `Raw`: one test asks through each."""

import asyncio
from datetime import timedelta

from momento import CacheClient, CacheClientAsync, Configurations, CredentialProvider
from momento.responses import CacheGet, CacheSetIfNotExists, CreateCache

from tests.support.momento import CACHE, DEADLINE_S, TTL_MS, RefusalError


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
