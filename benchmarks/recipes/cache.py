"""The calls that the usual recipes make, with the deadline and the repeats of Momento's own SDK."""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

from typing import Any, NamedTuple

import grpc
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as service
from momento_wire_types import common_pb2 as conditions

DEADLINE_S = 1.1
"""Of the SDK's configuration for Lambda."""

MAX_TRIES = 4
"""Of a read, Set and Delete: the SDK repeats them three times, and no other call."""

TTL_MS = 86_400_000


class Copy(NamedTuple):
    """A value, and Momento's hash of it."""

    value: bytes
    hash: bytes


class CacheClient:
    """Momento's calls, each for one key; any may raise grpc.RpcError."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = service.ScsStub(channel)  # type: ignore[no-untyped-call] # generated code

    def get(self, key: str) -> bytes | None:
        """The value; None if there is none."""
        answer = self._repeat(self._stub.Get, pb._GetRequest(cache_key=key.encode()))
        return answer.cache_body if answer.result == pb.Hit else None

    def get_with_hash(self, key: str) -> Copy | None:
        """The value and its hash; None if there is none."""
        request = pb._GetWithHashRequest(cache_key=key.encode())
        answer = self._repeat(self._stub.GetWithHash, request)
        return Copy(answer.found.value, answer.found.hash) if answer.HasField("found") else None

    def set(self, key: str, value: bytes) -> None:
        """Write, whatever is there."""
        self._repeat(self._stub.Set, pb._SetRequest(**_item(key, value)))

    def delete(self, key: str) -> None:
        """Remove, if it is there."""
        self._repeat(self._stub.Delete, pb._DeleteRequest(cache_key=key.encode()))

    def increment(self, key: str, amount: int) -> int:
        """Add to a number, and tell the sum."""
        request = pb._IncrementRequest(
            cache_key=key.encode(), amount=amount, ttl_milliseconds=TTL_MS
        )
        return int(self._once(self._stub.Increment, request).value)

    def set_if_absent(self, key: str, value: bytes) -> bool:
        """Write if nothing is there; tells whether it did."""
        return self._set_if(key, value, absent=conditions.Absent())

    def set_if_present_and_not_equal(self, key: str, value: bytes, other: bytes) -> bool:
        """Write if something is there that is not `other`; tells whether it did."""
        present = conditions.PresentAndNotEqual(value_to_check=other)
        return self._set_if(key, value, present_and_not_equal=present)

    def set_if_unchanged(self, key: str, value: bytes, read: Copy) -> bool:
        """Write if what was read is still there; tells whether it did."""
        unchanged = conditions.PresentAndHashEqual(hash_to_check=read.hash)
        request = pb._SetIfHashRequest(present_and_hash_equal=unchanged, **_item(key, value))
        return bool(self._once(self._stub.SetIfHash, request).HasField("stored"))

    def _set_if(self, key: str, value: bytes, **condition: Any) -> bool:  # noqa: ANN401 (generated)
        request = pb._SetIfRequest(**condition, **_item(key, value))
        return bool(self._once(self._stub.SetIf, request).HasField("stored"))

    def _repeat(self, method: Any, request: Any) -> Any:  # noqa: ANN401 (generated)
        for _ in range(MAX_TRIES - 1):
            try:
                return self._once(method, request)
            except grpc.RpcError:
                continue
        return self._once(method, request)

    def _once(self, method: Any, request: Any) -> Any:  # noqa: ANN401 (generated)
        return method.future(request, DEADLINE_S, ()).result()


def _item(key: str, value: bytes) -> dict[str, Any]:
    return {"cache_key": key.encode(), "cache_body": value, "ttl_milliseconds": TTL_MS}
