"""Counters in a Momento cache: many calls in flight at once, and what each answer means."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import grpc
from momento.auth import CredentialProvider

from tally.counters.ledger import Limits
from tally.environment import MAX_MOMENTO_TTL_S
from tally.stores.momento.calls import Calls, billed, cost, values_of
from tally.stores.momento.channel import Channel
from tally.stores.momento.connection import connect, metadata
from tally.stores.momento.connection import deadline_s as sdk_deadline_s
from tally.stores.momento.mirror import MomentoMirror
from tally.stores.momento.troubles import KEY_REFUSED, failed, is_silence
from tally.stores.port import (
    ABSENT,
    NOT_SENT,
    Addition,
    Copy,
    Failed,
    LostRace,
    Stored,
    Usage,
    Write,
)
from tally.stores.secret import OTHER_KEY, RENEWAL_S, Key

MAX_CALLS_IN_FLIGHT = 256
"""The most reads without an answer, and the most swaps: a round has both on their way. More would
only wait in line while their deadlines run."""

MIN_CALL_S = 0.005
"""How long a call is taken to last until the first answer shows it."""

ADDITION_MARGIN = 2
"""An addition is sent only if this many times the time of the slowest call is left: if it is cut
off, no later read can tell whether it happened."""

Item = TypeVar("Item")


class MomentoStore:
    """The calls that counters need, up to MAX_CALLS_IN_FLIGHT at once.

    Args:
        cache_name: the cache that holds the counters.
        credentials: the SDK's; the key is in no error and no repr.
        key: the credentials' own, if it can be fetched again when Momento refuses it.
        ttl_s: how long a counter lives after each of its swaps, in seconds; MAX_MOMENTO_TTL_S by
            default.
        deadline_s: how long one call may take, in seconds; by default the SDK's in a Lambda.
        limits: how much a counter may remember.
        open_channel: opens a channel to Momento, or to a peer of it; this store closes it.
        clock: monotonic, in seconds.
        wall_clock: the time of day, in seconds.
    """

    max_calls_in_flight = MAX_CALLS_IN_FLIGHT

    def __init__(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
        self,
        cache_name: str,
        credentials: CredentialProvider,
        *,
        key: Key | None = None,
        ttl_s: int | None = None,
        deadline_s: float | None = None,
        limits: Limits | None = None,
        open_channel: Callable[[], grpc.Channel] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.usage = Usage()
        self.deadline_s = sdk_deadline_s() if deadline_s is None else deadline_s
        self._channel = Channel(open_channel or partial(connect, credentials), wall_clock)
        self._key = key or Key(credentials.auth_token)
        self._metadata = metadata(cache_name)
        self._calls = Calls(self._metadata, (ttl_s or MAX_MOMENTO_TTL_S) * 1_000)
        self._limits = limits or Limits()
        self._clock = clock

    def limits(self, _counter: str) -> Limits:
        """How much a counter may remember; its name does not matter, since Momento bills values."""
        return self._limits

    def renew(self) -> None:
        """Use a new channel from now on."""
        self._channel.renew()

    def mirror(self, ttl_s: int) -> MomentoMirror:
        """A mirror that sets copies here, on the same channel, for `ttl_s` seconds."""
        return MomentoMirror(self._channel, Calls(self._metadata, ttl_s * 1_000), self._key)

    def finish(self, _ends_at: float) -> int:
        """No work runs beside the rounds."""
        return 0

    def close(self) -> None:
        """Close the channel, and open no more."""
        self._channel.close()

    def read(self, counters: Iterable[str], ends_at: float) -> Iterator[tuple[str, Copy | Failed]]:
        """Read counters with their hashes, in the order given; a stale answer is harmless."""
        for counter, answer in self._in_flight(self._calls.read, counters, ends_at):
            if isinstance(answer, Failed):
                self.usage.operations += answer is not NOT_SENT
                yield counter, answer
            elif answer.HasField("found"):
                self.usage.operations += billed(answer.found.value)
                yield counter, Copy(answer.found.value, answer.found.hash)
            else:
                self.usage.operations += 1
                yield counter, ABSENT

    def write(
        self, writes: Iterable[Write], ends_at: float
    ) -> Iterator[tuple[Write, Stored | LostRace | Failed]]:
        """Swap and add, in the order given; each is taken when there is room to send it."""
        for write, answer in self._in_flight(self._calls.write, writes, ends_at):
            if answer is not NOT_SENT:
                self.usage.operations += cost(write)
            if isinstance(answer, Failed):
                yield write, answer
            elif isinstance(write, Addition):
                yield write, Stored(None)
            elif answer.HasField("stored"):
                by_hash = write.seen.token is not None
                yield write, Stored(answer.stored.new_hash if by_hash else None)
            else:
                yield write, LostRace()

    def values(
        self, counters: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values of counters in one GetBatch; each costs at least one operation.

        Raises:
            StoreClosedError: close() was called.
        """
        answers: list[Any] = []
        failure = None
        key = self._key.text
        with self._channel.calling() as stub:
            answering = self._calls.values(stub, counters, deadline_s, key)
        try:
            answers.extend(answering)  # keeps the answers before an error
        except grpc.RpcError as error:
            # A reader has no deadline that it could miss by fetching a key again.
            failure = self._failed(error, key, math.inf)
            if is_silence(error) and not answers:
                self._channel.renew(stub)
        return values_of(counters, answers, failure)

    def _in_flight(
        self, start: Callable[[Any, Item, float, str], Any], items: Iterable[Item], ends_at: float
    ) -> Iterator[tuple[Item, Any]]:
        """Start calls ahead of the answer that is awaited, and yield the answers in order."""
        with self._channel.calling() as stub:
            pass
        waiting: deque[tuple[Item, Any, str, float]] = deque()
        call_s = MIN_CALL_S
        for item in items:
            if len(waiting) == MAX_CALLS_IN_FLIGHT:
                sent, call, key, sent_at = waiting.popleft()
                answered = self._finish(sent, call, key, ends_at)
                call_s = max(call_s, self._clock() - sent_at)
                yield answered
            now = self._clock()
            left_s = ends_at - now
            timeout_s = min(self.deadline_s, left_s)
            needed_s = ADDITION_MARGIN * call_s if isinstance(item, Addition) else 0.0
            in_time = left_s > min(self.deadline_s, needed_s)
            key = self._key.text
            waiting.append((item, start(stub, item, timeout_s, key) if in_time else None, key, now))
        while waiting:
            sent, call, key, _ = waiting.popleft()
            yield self._finish(sent, call, key, ends_at)

    def _finish(self, item: Item, call: Any, key: str, ends_at: float) -> tuple[Item, Any]:  # noqa: ANN401 (a gRPC future)
        if call is None:
            return item, NOT_SENT
        try:
            answer = call.result()
        except grpc.RpcError as error:
            answer = self._failed(error, key, ends_at)
            if is_silence(error):
                self.usage.unanswered += 1
                return item, answer
        self.usage.answered += 1
        return item, answer

    def _failed(self, error: Any, key: str, ends_at: float) -> Failed:  # noqa: ANN401 (RpcError's type hides its code)
        """What an error means; a refused key is fetched again, if there is time for it."""
        if error.code() in KEY_REFUSED:
            may_ask = ends_at - self._clock() >= RENEWAL_S
            if self._key.renewed(key, may_ask=may_ask):
                return OTHER_KEY
        return failed(error, key)
