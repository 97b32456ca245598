"""Conditional writes over Momento's wire protocol.

The SDK has neither GetWithHash nor SetIfHash, so this calls the generated stub; credentials,
endpoints, deadlines and channel options are the SDK's own.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from momento.auth import CredentialProvider
from momento_wire_types import cacheclient_pb2 as messages
from momento_wire_types import cacheclient_pb2_grpc as service
from momento_wire_types import common_pb2 as conditions

from tally.stores.momento.connection import metadata
from tally.stores.momento.troubles import failed
from tally.stores.port import (
    ABSENT,
    NOT_SENT,
    Addition,
    Copy,
    Failed,
    LostRace,
    Stored,
    Swap,
    Write,
)

MAX_CALLS_IN_FLIGHT = 256
"""Reads sent and not answered, and swaps likewise: a round has both on their way. More only wait in
line, at the cost of their own deadlines."""

MIN_CALL_S = 0.005
"""What a call is taken to last before the first answer tells."""

ADDITION_MARGIN = 2
"""An addition is sent only if this many times what the slowest call took is left: of one that is
cut off, no read tells whether it happened."""

BILLED_BYTES = 1_024
"""Momento bills each chunk of this size that is begun as one operation …"""

CONDITIONAL_FACTOR = 2
"""… and a conditional write twice."""


Item = TypeVar("Item")


class Momento:
    """The calls that a counter needs, as many in flight at once as are worth it.

    Args:
        channel: to Momento, or a peer of it.
        cache_name: the cache that holds the counters.
        credentials: the SDK's; the key is in no error and no repr.
        ttl_s: how long a counter lives after each of its swaps, in seconds.
        deadline_s: how long one call may take, in seconds.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        cache_name: str,
        credentials: CredentialProvider,
        ttl_s: int,
        deadline_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.operations = 0
        self.max_calls_in_flight = MAX_CALLS_IN_FLIGHT
        self._stub = service.ScsStub(channel)  # type: ignore[no-untyped-call] # generated code
        self._key = credentials.auth_token
        self._metadata = metadata(credentials, cache_name)
        self._ttl_ms = ttl_s * 1_000
        self._deadline_s = deadline_s
        self._clock = clock

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters with their hashes, in the order given; a stale answer is harmless."""
        for counter, answer in self._in_flight(self._start_read, counters, ends_at):
            if isinstance(answer, Failed):
                self.operations += answer is not NOT_SENT
                yield counter, answer
            elif answer.HasField("found"):
                self.operations += billed(answer.found.value)
                yield counter, Copy(answer.found.value, answer.found.hash)
            else:
                self.operations += 1
                yield counter, ABSENT

    def write(
        self, writes: Iterable[Write], ends_at: float
    ) -> Iterator[tuple[Write, Stored | LostRace | Failed]]:
        """Swap and add, in the order given; each is pulled when there is room to send it."""
        for write, answer in self._in_flight(self._start_write, writes, ends_at):
            if answer is not NOT_SENT:
                self.operations += _cost(write)
            if isinstance(answer, Failed):
                yield write, answer
            elif isinstance(write, Addition):
                yield write, Stored(None)
            elif answer.HasField("stored"):
                by_hash = write.seen.hash is not None
                yield write, Stored(answer.stored.new_hash if by_hash else None)
            else:
                yield write, LostRace()

    def _start_read(self, counter: str, timeout_s: float) -> Any:  # noqa: ANN401 (a gRPC future)
        request = messages._GetWithHashRequest(cache_key=counter.encode())  # noqa: SLF001 (so named)
        return self._stub.GetWithHash.future(request, timeout_s, self._metadata)

    def _start_write(self, write: Swap | Addition, timeout_s: float) -> Any:  # noqa: ANN401 (a gRPC future)
        if isinstance(write, Swap):
            return self._start_swap(write, timeout_s)
        request = messages._IncrementRequest(  # noqa: SLF001 (so named)
            cache_key=write.counter.encode(), amount=write.amount, ttl_milliseconds=self._ttl_ms
        )
        return self._stub.Increment.future(request, timeout_s, self._metadata)

    def _start_swap(self, swap: Swap, timeout_s: float) -> Any:  # noqa: ANN401 (a gRPC future)
        fields: dict[str, Any] = {
            "cache_key": swap.counter.encode(),
            "cache_body": swap.value,
            "ttl_milliseconds": self._ttl_ms,
        }
        if swap.seen.value is None:
            request = messages._SetIfRequest(absent=conditions.Absent(), **fields)  # noqa: SLF001 (so named)
            return self._stub.SetIf.future(request, timeout_s, self._metadata)
        if swap.seen.hash is None:
            equal = conditions.Equal(value_to_check=swap.seen.value)
            request = messages._SetIfRequest(equal=equal, **fields)  # noqa: SLF001 (so named)
            return self._stub.SetIf.future(request, timeout_s, self._metadata)
        unchanged = conditions.PresentAndHashEqual(hash_to_check=swap.seen.hash)
        hashed = messages._SetIfHashRequest(present_and_hash_equal=unchanged, **fields)  # noqa: SLF001 (so named)
        return self._stub.SetIfHash.future(hashed, timeout_s, self._metadata)

    def _in_flight(
        self, start: Callable[[Item, float], Any], items: Iterable[Item], ends_at: float
    ) -> Iterator[tuple[Item, Any]]:
        """Start calls ahead of the answer that is waited for, and give the answers in order."""
        waiting: deque[tuple[Item, Any, float]] = deque()
        call_s = MIN_CALL_S
        for item in items:
            if len(waiting) == MAX_CALLS_IN_FLIGHT:
                sent, call, sent_at = waiting.popleft()
                answered = self._finish(sent, call)
                call_s = max(call_s, self._clock() - sent_at)
                yield answered
            now = self._clock()
            left_s = ends_at - now
            timeout_s = min(self._deadline_s, left_s)
            needed_s = ADDITION_MARGIN * call_s if isinstance(item, Addition) else 0.0
            in_time = left_s > min(self._deadline_s, needed_s)
            waiting.append((item, start(item, timeout_s) if in_time else None, now))
        while waiting:
            sent, call, _ = waiting.popleft()
            yield self._finish(sent, call)

    def _finish(self, item: Item, call: Any) -> tuple[Item, Any]:  # noqa: ANN401 (a gRPC future)
        if call is None:
            return item, NOT_SENT
        try:
            return item, call.result()
        except grpc.RpcError as error:
            return item, failed(error, self._key)


def _cost(write: Swap | Addition) -> int:
    """The operations of a write: an integer is one chunk."""
    return CONDITIONAL_FACTOR * billed(write.value) if isinstance(write, Swap) else 1


def billed(value: bytes) -> int:
    """The operations that a value costs, one for each 1,024 bytes begun.

    Source: docs/architecture.md, "Cost".
    """
    return max(1, -(-len(value) // BILLED_BYTES))
