"""The data calls, `cache_client.Scs`: what each answers from a cache."""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

import hashlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from momento_wire_types import cacheclient_pb2 as pb

from tally.local.momento.errors import NO_CONDITION, RefusedError
from tally.local.momento.store import NS_PER_MS, LocalCache, check_item


def value_hash(value: bytes) -> bytes:
    """The hash that GetWithHash and SetIfHash tell of a value.

    Momento says only that it is computed on the value: equal values have equal hashes, under any
    key and at any time, so a value that returns brings its hash back.
    """
    return hashlib.sha256(value).digest()


def get(cache: LocalCache, request: pb._GetRequest) -> pb._GetResponse:
    """Get: the value."""
    value = cache.get(request.cache_key)
    if value is None:
        return pb._GetResponse(result=pb.Miss)
    return pb._GetResponse(result=pb.Hit, cache_body=value)


def get_with_hash(cache: LocalCache, request: pb._GetWithHashRequest) -> pb._GetWithHashResponse:
    """GetWithHash: the value and its hash."""
    value = cache.get(request.cache_key)
    if value is None:
        return pb._GetWithHashResponse(missing=pb._GetWithHashResponse._Missing())
    found = pb._GetWithHashResponse._Found(value=value, hash=value_hash(value))
    return pb._GetWithHashResponse(found=found)


def put(cache: LocalCache, request: pb._SetRequest) -> pb._SetResponse:
    """Set: store unconditionally."""
    cache.put(request.cache_key, request.cache_body, request.ttl_milliseconds)
    return pb._SetResponse(result=pb.Ok)


def set_if(cache: LocalCache, request: pb._SetIfRequest) -> pb._SetIfResponse:
    """SetIf: store if the value that is there meets the condition."""
    if not _stores(request, cache.get(request.cache_key), "value_to_check"):
        return pb._SetIfResponse(not_stored=pb._SetIfResponse._NotStored())
    cache.put(request.cache_key, request.cache_body, request.ttl_milliseconds)
    return pb._SetIfResponse(stored=pb._SetIfResponse._Stored())


def set_if_hash(cache: LocalCache, request: pb._SetIfHashRequest) -> pb._SetIfHashResponse:
    """SetIfHash: store if the hash of the value that is there meets the condition."""
    value = cache.get(request.cache_key)
    if not _stores(request, None if value is None else value_hash(value), "hash_to_check"):
        return pb._SetIfHashResponse(not_stored=pb._SetIfHashResponse._NotStored())
    cache.put(request.cache_key, request.cache_body, request.ttl_milliseconds)
    stored = pb._SetIfHashResponse._Stored(new_hash=value_hash(request.cache_body))
    return pb._SetIfHashResponse(stored=stored)


def set_if_not_exists(
    cache: LocalCache, request: pb._SetIfNotExistsRequest
) -> pb._SetIfNotExistsResponse:
    """SetIfNotExists: SetIf absent, as the Python SDK still calls it."""
    if cache.get(request.cache_key) is not None:
        return pb._SetIfNotExistsResponse(not_stored=pb._SetIfNotExistsResponse._NotStored())
    cache.put(request.cache_key, request.cache_body, request.ttl_milliseconds)
    return pb._SetIfNotExistsResponse(stored=pb._SetIfNotExistsResponse._Stored())


def increment(cache: LocalCache, request: pb._IncrementRequest) -> pb._IncrementResponse:
    """Increment: add to a decimal integer; its time to live becomes the request's."""
    total = cache.increment(request.cache_key, request.amount, request.ttl_milliseconds)
    return pb._IncrementResponse(value=total)


def delete(cache: LocalCache, request: pb._DeleteRequest) -> pb._DeleteResponse:
    """Delete: a success also where nothing is."""
    cache.delete(request.cache_key)
    return pb._DeleteResponse()


def get_batch(cache: LocalCache, request: pb._GetBatchRequest) -> list[pb._GetResponse]:
    """GetBatch: one answer an item, in the order of the request."""
    return [get(cache, item) for item in request.items]


def set_batch(cache: LocalCache, request: pb._SetBatchRequest) -> list[pb._SetResponse]:
    """SetBatch: one answer an item; if one of them cannot be stored, none is."""
    for item in request.items:
        check_item(item.cache_key, item.cache_body, item.ttl_milliseconds)
    return [put(cache, item) for item in request.items]


def keys_exist(cache: LocalCache, request: pb._KeysExistRequest) -> pb._KeysExistResponse:
    """KeysExist: one answer a key, in the order of the request."""
    return pb._KeysExistResponse(exists=[cache.get(key) is not None for key in request.cache_keys])


def update_ttl(cache: LocalCache, request: pb._UpdateTtlRequest) -> pb._UpdateTtlResponse:
    """UpdateTtl: overwrite the time to live, or only increase it, or only decrease it."""
    kind = request.WhichOneof("update_ttl")
    if kind is None:
        raise RefusedError(NO_CONDITION)
    ttl_ms = getattr(request, kind)
    remaining_ns = cache.remaining_ns(request.cache_key)
    if remaining_ns is None:
        return pb._UpdateTtlResponse(missing=pb._UpdateTtlResponse._Missing())
    if not _TTL_UPDATES[kind](ttl_ms * NS_PER_MS, remaining_ns):
        return pb._UpdateTtlResponse(not_set=pb._UpdateTtlResponse._NotSet())
    cache.keep(request.cache_key, ttl_ms)
    return pb._UpdateTtlResponse(set=pb._UpdateTtlResponse._Set())


def item_get_ttl(cache: LocalCache, request: pb._ItemGetTtlRequest) -> pb._ItemGetTtlResponse:
    """ItemGetTtl: the milliseconds left, always fewer than were set, for some time has passed."""
    remaining_ns = cache.remaining_ns(request.cache_key)
    if remaining_ns is None:
        return pb._ItemGetTtlResponse(missing=pb._ItemGetTtlResponse._Missing())
    remaining_ms = (remaining_ns - 1) // NS_PER_MS
    found = pb._ItemGetTtlResponse._Found(remaining_ttl_millis=remaining_ms)
    return pb._ItemGetTtlResponse(found=found)


def item_get_type(cache: LocalCache, request: pb._ItemGetTypeRequest) -> pb._ItemGetTypeResponse:
    """ItemGetType: a scalar, for there is nothing else."""
    if cache.get(request.cache_key) is None:
        return pb._ItemGetTypeResponse(missing=pb._ItemGetTypeResponse._Missing())
    found = pb._ItemGetTypeResponse._Found(item_type=pb._ItemGetTypeResponse.SCALAR)
    return pb._ItemGetTypeResponse(found=found)


DATA_CALLS: Mapping[str, Callable[[LocalCache, Any], Any]] = {
    "Get": get,
    "GetWithHash": get_with_hash,
    "Set": put,
    "SetIf": set_if,
    "SetIfHash": set_if_hash,
    "SetIfNotExists": set_if_not_exists,
    "Increment": increment,
    "Delete": delete,
    "GetBatch": get_batch,
    "SetBatch": set_batch,
    "KeysExist": keys_exist,
    "UpdateTtl": update_ttl,
    "ItemGetTtl": item_get_ttl,
    "ItemGetType": item_get_type,
}
"""The calls by their name; the answer of a streaming one is the list of its messages."""

_TTL_UPDATES: Mapping[str, Callable[[int, int], bool]] = {
    "increase_to_milliseconds": operator.gt,
    "decrease_to_milliseconds": operator.lt,
    "overwrite_to_milliseconds": lambda _new_ns, _remaining_ns: True,
}


def _stores(
    request: pb._SetIfRequest | pb._SetIfHashRequest, current: bytes | None, operand: str
) -> bool:
    """Whether a request's condition is met.

    `current` is the value that is there, or its hash; None if nothing is there. `operand` is the
    field of the condition with what the caller compares it with; some kinds have none.
    """
    kind = request.WhichOneof("condition")
    if kind is None:
        raise RefusedError(NO_CONDITION)
    is_there = current is not None
    is_equal = current == getattr(getattr(request, kind), operand, b"")
    return {
        "absent": not is_there,
        "present": is_there,
        "equal": is_equal,
        "not_equal": not is_equal,
        "present_and_not_equal": is_there and not is_equal,
        "absent_or_equal": not is_there or is_equal,
        "present_and_hash_equal": is_equal,
        "present_and_not_hash_equal": is_there and not is_equal,
        "absent_or_hash_equal": not is_there or is_equal,
        "absent_or_not_hash_equal": not is_equal,
        "unconditional": True,
    }[kind]
