"""The calls that a batch of ours cannot do without, and nothing else: what gRPC itself takes."""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Self

import grpc
from momento.auth import CredentialProvider
from momento_wire_types import cacheclient_pb2 as pb
from momento_wire_types import cacheclient_pb2_grpc as rpc
from momento_wire_types import common_pb2 as conditions

from benchmarks.speed.consumers import MiscountedError
from benchmarks.speed.peers import DEADLINE_S, TTL_MS
from tally.counters.body import increments
from tally.stores.momento.connection import connect, metadata
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT

VALUE = bytes(70)
"""What each swap writes: as long as a counter's value is with the sources of a comparison."""


class Swapper:
    """Swaps counters by SetIfHash, through the generated stub, as many at once as ours does.

    Args:
        channel: to Momento.
        metadata: of every call.
    """

    def __init__(self, channel: grpc.Channel, metadata: Sequence[tuple[str, str]]) -> None:
        self._stub: Any = rpc.ScsStub(channel)  # type: ignore[no-untyped-call] # generated code
        self._metadata = metadata
        self._hashes: dict[str, bytes] = {}

    @classmethod
    @contextlib.contextmanager
    def on(cls, endpoint: str, cache: str) -> Iterator[Self]:
        """One on the embedded Momento, in a cache of its own, by a channel as ours opens it."""
        host, _, port = endpoint.partition(":")
        credentials = CredentialProvider.for_momento_local(host, int(port))
        with connect(credentials) as channel:
            key = ("authorization", credentials.auth_token)
            yield cls(channel, (key, *metadata(cache)))

    def prepared(self, event: dict[str, Any]) -> list[str]:
        """The counters of a batch; those that are new are created here."""
        counters = dict.fromkeys(
            each.counter for record in event["Records"] for each in increments(record["body"])
        )
        for counter in counters.keys() - self._hashes.keys():
            self._hashes[counter] = self._created(counter)
        return list(counters)

    def swap(self, counters: list[str]) -> None:
        """Swap each counter once, by the hash that its last swap gave."""
        waiting: deque[tuple[str, Any]] = deque()
        for counter in counters:
            if len(waiting) == MAX_CALLS_IN_FLIGHT:
                self._finish(*waiting.popleft())
            request = pb._SetIfHashRequest(
                cache_key=counter.encode(),
                cache_body=VALUE,
                ttl_milliseconds=TTL_MS,
                present_and_hash_equal=conditions.PresentAndHashEqual(
                    hash_to_check=self._hashes[counter]
                ),
            )
            call = self._stub.SetIfHash.future(request, DEADLINE_S, self._metadata)
            waiting.append((counter, call))
        while waiting:
            self._finish(*waiting.popleft())

    def _finish(self, counter: str, call: Any) -> None:  # noqa: ANN401 (a gRPC future)
        answer = call.result()
        if not answer.HasField("stored"):
            raise MiscountedError(counter)
        self._hashes[counter] = answer.stored.new_hash

    def _created(self, counter: str) -> bytes:
        request = pb._SetIfHashRequest(
            cache_key=counter.encode(),
            cache_body=VALUE,
            ttl_milliseconds=TTL_MS,
            unconditional=conditions.Unconditional(),
        )
        answer = self._stub.SetIfHash(request, DEADLINE_S, self._metadata)
        new: bytes = answer.stored.new_hash
        return new
