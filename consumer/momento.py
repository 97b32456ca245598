"""Conditional writes over Momento's wire protocol, and what each of its statuses means.

The SDK has neither GetWithHash nor SetIfHash, so this calls the generated stub; credentials,
endpoints, deadlines and channel options are the SDK's own.
"""

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import grpc
import momento
from momento.auth import CredentialProvider
from momento.config import Configurations
from momento.internal._utilities._grpc_channel_options import (
    grpc_data_channel_options_from_grpc_config,
)
from momento_wire_types import cacheclient_pb2 as messages
from momento_wire_types import cacheclient_pb2_grpc as service
from momento_wire_types import common_pb2 as conditions

MAX_CALLS_IN_FLIGHT = 256
"""Reads sent and not answered, and swaps likewise: a round has both on their way. More only wait in
line, at the cost of their own deadlines."""

BILLED_BYTES = 1_024
"""Momento bills each chunk of this size that is begun as one operation …"""

CONDITIONAL_FACTOR = 2
"""… and a conditional write twice."""

TLS_PORT = 443
"""The SDK's own rule: any other port is a local server without TLS."""


Item = TypeVar("Item")


class Trouble(enum.Enum):
    """What is to be done about a call that failed."""

    NOT_SENT = "no time was left to send it: what is known of the counter stays known"
    UNKNOWN_OUTCOME = "it may have happened: read again, the ledger tells"
    THROTTLED = "over a quota: wait longer, then give the messages back"
    REFUSED = "this counter cannot be written so: report its messages, its neighbours go on"
    BROKEN_SETUP = "no call can succeed: stop, and delete nothing"


_STATUS = grpc.StatusCode
TROUBLES = {
    _STATUS.UNAVAILABLE: Trouble.UNKNOWN_OUTCOME,
    _STATUS.DEADLINE_EXCEEDED: Trouble.UNKNOWN_OUTCOME,
    _STATUS.INTERNAL: Trouble.UNKNOWN_OUTCOME,
    _STATUS.ABORTED: Trouble.UNKNOWN_OUTCOME,
    _STATUS.CANCELLED: Trouble.UNKNOWN_OUTCOME,
    _STATUS.UNKNOWN: Trouble.UNKNOWN_OUTCOME,
    _STATUS.DATA_LOSS: Trouble.UNKNOWN_OUTCOME,
    _STATUS.RESOURCE_EXHAUSTED: Trouble.THROTTLED,
    _STATUS.INVALID_ARGUMENT: Trouble.REFUSED,
    _STATUS.FAILED_PRECONDITION: Trouble.REFUSED,
    _STATUS.OUT_OF_RANGE: Trouble.REFUSED,
    _STATUS.ALREADY_EXISTS: Trouble.REFUSED,
    _STATUS.UNAUTHENTICATED: Trouble.BROKEN_SETUP,
    _STATUS.PERMISSION_DENIED: Trouble.BROKEN_SETUP,
    _STATUS.NOT_FOUND: Trouble.BROKEN_SETUP,
    _STATUS.UNIMPLEMENTED: Trouble.BROKEN_SETUP,
}
"""Every status but OK is in one class, and none in NOT_SENT; a test walks the enum."""


class Copy(NamedTuple):
    """A counter as it was read or stored: its value, None if absent, and Momento's hash of it."""

    value: bytes | None
    hash: bytes | None


class Swap(NamedTuple):
    """A write that is to happen only if the counter is still as `seen`."""

    counter: str
    seen: Copy
    value: bytes


class Stored(NamedTuple):
    """The swap happened; Momento tells no hash of a counter that it created."""

    hash: bytes | None


class LostRace(NamedTuple):
    """The swap did not happen: another writer was first, or `seen` was stale."""


class Failed(NamedTuple):
    """The call failed; `detail` is Momento's status and text, for people."""

    trouble: Trouble
    detail: str


ABSENT = Copy(None, None)
NOT_SENT = Failed(Trouble.NOT_SENT, "no time was left")


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
        self._stub = service.ScsStub(channel)  # type: ignore[no-untyped-call] # generated code
        self._key = credentials.auth_token
        self._metadata = (
            ("authorization", self._key),
            ("cache", cache_name),
            ("agent", f"python:cache:{momento.__version__}"),
        )
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

    def swap(
        self, swaps: Iterable[Swap], ends_at: float
    ) -> Iterator[tuple[Swap, Stored | LostRace | Failed]]:
        """Write what is still as it was seen; each is pulled when there is room to send it."""
        for swap, answer in self._in_flight(self._start_swap, swaps, ends_at):
            if answer is not NOT_SENT:
                self.operations += CONDITIONAL_FACTOR * billed(swap.value)
            if isinstance(answer, Failed):
                yield swap, answer
            elif answer.HasField("stored"):
                created = swap.seen.hash is None
                yield swap, Stored(None if created else answer.stored.new_hash)
            else:
                yield swap, LostRace()

    def _start_read(self, counter: str, timeout_s: float) -> Any:  # noqa: ANN401 (a gRPC future)
        request = messages._GetWithHashRequest(cache_key=counter.encode())  # noqa: SLF001 (so named)
        return self._stub.GetWithHash.future(request, timeout_s, self._metadata)

    def _start_swap(self, swap: Swap, timeout_s: float) -> Any:  # noqa: ANN401 (a gRPC future)
        fields: dict[str, Any] = {
            "cache_key": swap.counter.encode(),
            "cache_body": swap.value,
            "ttl_milliseconds": self._ttl_ms,
        }
        if swap.seen.hash is None:
            request = messages._SetIfRequest(absent=conditions.Absent(), **fields)  # noqa: SLF001 (so named)
            return self._stub.SetIf.future(request, timeout_s, self._metadata)
        unchanged = conditions.PresentAndHashEqual(hash_to_check=swap.seen.hash)
        hashed = messages._SetIfHashRequest(present_and_hash_equal=unchanged, **fields)  # noqa: SLF001 (so named)
        return self._stub.SetIfHash.future(hashed, timeout_s, self._metadata)

    def _in_flight(
        self, start: Callable[[Item, float], Any], items: Iterable[Item], ends_at: float
    ) -> Iterator[tuple[Item, Any]]:
        """Start calls ahead of the answer that is waited for, and give the answers in order."""
        waiting: deque[tuple[Item, Any]] = deque()
        for item in items:
            if len(waiting) == MAX_CALLS_IN_FLIGHT:
                yield self._finish(*waiting.popleft())
            timeout_s = min(self._deadline_s, ends_at - self._clock())
            waiting.append((item, start(item, timeout_s) if timeout_s > 0 else None))
        while waiting:
            yield self._finish(*waiting.popleft())

    def _finish(self, item: Item, call: Any) -> tuple[Item, Any]:  # noqa: ANN401 (a gRPC future)
        if call is None:
            return item, NOT_SENT
        try:
            return item, call.result()
        except grpc.RpcError as error:
            return item, self._failed(error)

    def _failed(self, error: Any) -> Failed:  # noqa: ANN401 (RpcError's type hides code and details)
        status = error.code()
        detail = f"{status.name}: {error.details()}" if error.details() else status.name
        if self._key:
            detail = detail.replace(self._key, "…")
        return Failed(TROUBLES[status], detail)


def billed(value: bytes) -> int:
    """The operations that a value costs, one for each 1,024 bytes begun.

    Source: DESIGN's measure of Momento's pricing, on the value; docs/architecture.md, "Cost".
    """
    return max(1, -(-len(value) // BILLED_BYTES))


def connect(credentials: CredentialProvider) -> grpc.Channel:
    """Open the channel that the SDK would open in a Lambda; TLS except to a local server."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    options = grpc_data_channel_options_from_grpc_config(transport)
    if credentials.port == TLS_PORT:
        tls = grpc.ssl_channel_credentials()
        return grpc.secure_channel(credentials.cache_endpoint, tls, options)
    return grpc.insecure_channel(f"{credentials.cache_endpoint}:{credentials.port}", options)


def deadline_s() -> float:
    """How long the SDK lets a call take in a Lambda, in seconds."""
    transport = Configurations.Lambda.latest().get_transport_strategy().get_grpc_configuration()
    return transport.get_deadline().total_seconds()
