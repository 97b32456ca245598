# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore
"""The control calls, `control_client.ScsControl`: caches created, listed, emptied and deleted."""

from collections.abc import Callable, Mapping
from typing import Any

from momento_wire_types import controlclient_pb2 as pb

from local.momento.store import MAX_ITEM_KIB, MAX_TTL_MS, Caches


def create_cache(caches: Caches, request: pb._CreateCacheRequest) -> pb._CreateCacheResponse:
    """CreateCache."""
    caches.create(request.cache_name)
    return pb._CreateCacheResponse()


def delete_cache(caches: Caches, request: pb._DeleteCacheRequest) -> pb._DeleteCacheResponse:
    """DeleteCache."""
    caches.delete(request.cache_name)
    return pb._DeleteCacheResponse()


def flush_cache(caches: Caches, request: pb._FlushCacheRequest) -> pb._FlushCacheResponse:
    """FlushCache: empty a cache and keep it."""
    caches[request.cache_name].clear()
    return pb._FlushCacheResponse()


def list_caches(caches: Caches, _request: pb._ListCachesRequest) -> pb._ListCachesResponse:
    """ListCaches: all on one page, with the limits that the store keeps."""
    limits = pb._CacheLimits(max_item_size_kb=MAX_ITEM_KIB, max_ttl_seconds=MAX_TTL_MS // 1000)
    listed = [pb._Cache(cache_name=name, cache_limits=limits) for name in caches.names()]
    return pb._ListCachesResponse(cache=listed, next_token="")


CONTROL_CALLS: Mapping[str, Callable[[Caches, Any], Any]] = {
    "CreateCache": create_cache,
    "DeleteCache": delete_cache,
    "FlushCache": flush_cache,
    "ListCaches": list_caches,
}
"""The calls by their name."""
