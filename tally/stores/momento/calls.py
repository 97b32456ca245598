"""The calls that counters need, over Momento's wire protocol, and what each costs.

The SDK has neither GetWithHash nor SetIfHash nor GetBatch, so these call the generated stub;
credentials, endpoints, deadlines and channel options are the SDK's own.
"""

from collections.abc import Sequence
from typing import Any

from momento_wire_types import cacheclient_pb2 as messages
from momento_wire_types import common_pb2 as conditions

from tally.stores.port import Addition, Failed, Swap, Trouble

BILLED_BYTES = 1_024
"""Momento bills each begun chunk of this size as one operation."""

CONDITIONAL_FACTOR = 2
"""A conditional write is billed this many times."""


class Calls:
    """Begins calls on a stub; a call with a single answer is a gRPC future.

    Args:
        metadata: sent with every call, beside the key.
        ttl_ms: how long a counter lives after a write, in ms.
    """

    def __init__(self, metadata: Sequence[tuple[str, str]], ttl_ms: int) -> None:
        self._metadata = metadata
        self._ttl_ms = ttl_ms

    def read(self, stub: Any, counter: str, timeout_s: float, key: str) -> Any:  # noqa: ANN401 (generated code)
        """The value and its hash."""
        request = messages._GetWithHashRequest(cache_key=counter.encode())  # noqa: SLF001 (so named)
        return stub.GetWithHash.future(request, timeout_s, self._carried(key))

    def write(self, stub: Any, write: Swap | Addition, timeout_s: float, key: str) -> Any:  # noqa: ANN401 (generated code)
        """A swap by what was seen, or an addition."""
        if isinstance(write, Swap):
            return self._swap(stub, write, timeout_s, key)
        request = messages._IncrementRequest(  # noqa: SLF001 (so named)
            cache_key=write.counter.encode(), amount=write.amount, ttl_milliseconds=self._ttl_ms
        )
        return stub.Increment.future(request, timeout_s, self._carried(key))

    def set(self, stub: Any, counter: str, value: bytes, timeout_s: float, key: str) -> Any:  # noqa: ANN401 (generated code)
        """Set a value, whatever was there."""
        request = messages._SetRequest(  # noqa: SLF001 (so named)
            cache_key=counter.encode(), cache_body=value, ttl_milliseconds=self._ttl_ms
        )
        return stub.Set.future(request, timeout_s, self._carried(key))

    def values(self, stub: Any, counters: Sequence[str], timeout_s: float, key: str) -> Any:  # noqa: ANN401 (generated code)
        """A stream with an answer for each counter."""
        items = [messages._GetRequest(cache_key=each.encode()) for each in counters]  # noqa: SLF001 (so named)
        request = messages._GetBatchRequest(items=items)  # noqa: SLF001 (so named)
        return stub.GetBatch(request, timeout_s, self._carried(key))

    def _carried(self, key: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", key), *self._metadata)

    def _swap(self, stub: Any, swap: Swap, timeout_s: float, key: str) -> Any:  # noqa: ANN401 (generated code)
        fields: dict[str, Any] = {
            "cache_key": swap.counter.encode(),
            "cache_body": swap.value,
            "ttl_milliseconds": self._ttl_ms,
        }
        if swap.seen.value is None:
            request = messages._SetIfRequest(absent=conditions.Absent(), **fields)  # noqa: SLF001 (so named)
            return stub.SetIf.future(request, timeout_s, self._carried(key))
        if swap.seen.token is None:
            equal = conditions.Equal(value_to_check=swap.seen.value)
            request = messages._SetIfRequest(equal=equal, **fields)  # noqa: SLF001 (so named)
            return stub.SetIf.future(request, timeout_s, self._carried(key))
        unchanged = conditions.PresentAndHashEqual(hash_to_check=swap.seen.token)
        hashed = messages._SetIfHashRequest(present_and_hash_equal=unchanged, **fields)  # noqa: SLF001 (so named)
        return stub.SetIfHash.future(hashed, timeout_s, self._carried(key))


def values_of(
    counters: Sequence[str], answers: Sequence[Any], failure: Failed | None
) -> tuple[list[bytes | None], Failed | None]:
    """The values in the answers of a batch, and, if some are missing, why.

    Args:
        counters: the counters asked for.
        answers: the answers, in that order; a call that is cut off has answered the first ones.
        failure: why no more came.
    """
    if len(answers) > len(counters) or (failure is None and len(answers) < len(counters)):
        # Nobody knows which counters the answers belong to.
        detail = f"{len(answers)} answers to {len(counters)} keys"
        return [], Failed(Trouble.UNKNOWN_OUTCOME, detail)
    values: list[bytes | None] = []
    for counter, answer in zip(counters, answers, strict=False):
        if answer.result not in {messages.Hit, messages.Miss}:
            # Momento tells no status of a single key. Its text is left out: it might quote a key.
            return [], Failed(Trouble.UNKNOWN_OUTCOME, f"{counter}: no hit and no miss")
        values.append(answer.cache_body if answer.result == messages.Hit else None)
    return values, failure if len(values) < len(counters) else None


def cost(write: Swap | Addition) -> int:
    """The operations of a write: an integer is one chunk."""
    return CONDITIONAL_FACTOR * billed(write.value) if isinstance(write, Swap) else 1


def billed(value: bytes) -> int:
    """The operations that a value costs, one for each 1,024 bytes begun.

    Source: docs/architecture.md, "Cost".
    """
    return max(1, -(-len(value) // BILLED_BYTES))
