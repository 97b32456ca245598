"""The control calls, `control_client.ScsControl`: caches and signing keys come and go."""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from momento_wire_types import controlclient_pb2 as pb

from tally.local.momento.errors import UNKNOWN_SIGNING_KEY, RefusedError
from tally.local.momento.store import MAX_ITEM_KIB, MAX_TTL_MS, Caches

KEY_ID_BYTES = 16

MAX_TRAFFIC_RATE = 500
"""Calls a second. This and the next two are what ListCaches tells; nothing here enforces them."""

MAX_THROUGHPUT_KBPS = 10_240

MAX_OF_TOPICS = 100
"""Each limit of topics: messages a second, subscriptions, and kB in a message."""


class SigningKeys:
    """Ids that expire, which is all that an SDK sees of signing keys. Nothing here signs."""

    def __init__(
        self,
        now_s: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(KEY_ID_BYTES),
    ) -> None:
        self._now_s = now_s
        self._new_id = new_id
        self._expiry_s: dict[str, int] = {}

    def create(self, ttl_minutes: int) -> tuple[str, int]:
        """A new id, and when it expires, in seconds since the epoch."""
        key_id, expires_at = self._new_id(), int(self._now_s()) + ttl_minutes * 60
        self._expiry_s[key_id] = expires_at
        return key_id, expires_at

    def revoke(self, key_id: str) -> None:
        """Forget an id; RefusedError if there is none."""
        if key_id not in self.listed():
            raise RefusedError(UNKNOWN_SIGNING_KEY)
        del self._expiry_s[key_id]

    def listed(self) -> dict[str, int]:
        """The ids that have not expired, in the order of their creation, and when they will."""
        now_s = self._now_s()
        self._expiry_s = {key: at for key, at in self._expiry_s.items() if at > now_s}
        return self._expiry_s


@dataclass(frozen=True, slots=True)
class Account:
    """All that a server holds."""

    caches: Caches
    signing_keys: SigningKeys


def _create_cache(account: Account, request: pb._CreateCacheRequest) -> pb._CreateCacheResponse:
    account.caches.create(request.cache_name)
    return pb._CreateCacheResponse()


def _delete_cache(account: Account, request: pb._DeleteCacheRequest) -> pb._DeleteCacheResponse:
    account.caches.delete(request.cache_name)
    return pb._DeleteCacheResponse()


def _flush_cache(account: Account, request: pb._FlushCacheRequest) -> pb._FlushCacheResponse:
    """FlushCache: empty a cache and keep it."""
    account.caches[request.cache_name].clear()
    return pb._FlushCacheResponse()


def _list_caches(account: Account, _request: pb._ListCachesRequest) -> pb._ListCachesResponse:
    """ListCaches: all on one page, with the limits of each."""
    limits = pb._CacheLimits(
        max_traffic_rate=MAX_TRAFFIC_RATE,
        max_throughput_kbps=MAX_THROUGHPUT_KBPS,
        max_item_size_kb=MAX_ITEM_KIB,
        max_ttl_seconds=MAX_TTL_MS // 1000,
    )
    topics = pb._TopicLimits(
        max_publish_rate=MAX_OF_TOPICS,
        max_subscription_count=MAX_OF_TOPICS,
        max_publish_message_size_kb=MAX_OF_TOPICS,
    )
    caches = [
        pb._Cache(cache_name=name, cache_limits=limits, topic_limits=topics)
        for name in account.caches.names()
    ]
    return pb._ListCachesResponse(cache=caches, next_token="")


def _create_signing_key(
    account: Account, request: pb._CreateSigningKeyRequest
) -> pb._CreateSigningKeyResponse:
    """CreateSigningKey: a JSON Web Key, of which SDKs read `kid`; it holds no secret."""
    key_id, expires_at = account.signing_keys.create(request.ttl_minutes)
    return pb._CreateSigningKeyResponse(key=json.dumps({"kid": key_id}), expires_at=expires_at)


def _revoke_signing_key(
    account: Account, request: pb._RevokeSigningKeyRequest
) -> pb._RevokeSigningKeyResponse:
    account.signing_keys.revoke(request.key_id)
    return pb._RevokeSigningKeyResponse()


def _list_signing_keys(
    account: Account, _request: pb._ListSigningKeysRequest
) -> pb._ListSigningKeysResponse:
    """ListSigningKeys: all on one page, without the keys themselves."""
    listed = [
        pb._SigningKey(key_id=key_id, expires_at=expires_at)
        for key_id, expires_at in account.signing_keys.listed().items()
    ]
    return pb._ListSigningKeysResponse(signing_key=listed, next_token="")


CONTROL_CALLS: Mapping[str, Callable[[Account, Any], Any]] = {
    "CreateCache": _create_cache,
    "DeleteCache": _delete_cache,
    "FlushCache": _flush_cache,
    "ListCaches": _list_caches,
    "CreateSigningKey": _create_signing_key,
    "RevokeSigningKey": _revoke_signing_key,
    "ListSigningKeys": _list_signing_keys,
}
"""The calls by their name."""
