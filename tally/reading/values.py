"""Stored values, many in one call to Momento, read anew while that may help.

The SDK's CacheClient has no call for several keys, so this calls the generated stub; credentials,
endpoints, deadlines and channel options are the SDK's own.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from momento.auth import CredentialProvider
from momento_wire_types import cacheclient_pb2 as messages
from momento_wire_types import cacheclient_pb2_grpc as service

from tally.reading.errors import ReaderClosedError, ReadError
from tally.stores.errors import BrokenSetupError
from tally.stores.momento.connection import connect, metadata
from tally.stores.momento.troubles import failed
from tally.stores.port import Failed, Trouble

MAX_COUNTERS_PER_CALL = 100
"""Counters that one call reads. It costs an operation for each, at least; and 100 operations a
second are Momento's default quota."""

MAX_TRIES = 4
"""How often a call is made, the first time included, as often as the SDK makes a read."""

CLOSE_S = 2.0
"""How long a channel may take to close; after that the process's end closes it."""

BACKOFF_S = 0.05
"""The k-th repeat waits for U(0, BACKOFF_S · 2^k): a lost connection is there again at once."""

THROTTLED_BACKOFF_S = 0.25
"""The same while Momento throttles, which it does by the second."""

PASSING = frozenset({Trouble.UNKNOWN_OUTCOME, Trouble.THROTTLED})
"""What another try may cure: a read has no effect, so any number of them is safe."""


class Values:
    """The values of keys, from any number of threads; nothing connects before the first call.

    Args:
        cache_name: the cache that holds the counters.
        credentials: the SDK's; the key is in no error and no repr.
        channel: to Momento, which stays the caller's to close; by default one of its own.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(
        self,
        cache_name: str,
        credentials: CredentialProvider,
        *,
        channel: grpc.Channel | None,
        sleep: Callable[[float], object],
        uniform: Callable[[float, float], float],
    ) -> None:
        self._credentials = credentials
        self._metadata = metadata(credentials, cache_name)
        self._channel = channel
        self._owns_channel = channel is None
        self._sleep = sleep
        self._uniform = uniform
        self._lock = threading.Lock()
        self._stub: Any = None
        self._closed = False

    def read(
        self, keys: Sequence[str], deadline_s: float, tries: int = MAX_TRIES
    ) -> list[bytes | None]:
        """The values of at most MAX_COUNTERS_PER_CALL keys, None where there is none.

        Each try may take `deadline_s`, and asks for what the tries before it did not bring: many
        large values may take longer than one.

        Raises:
            BrokenSetupError: Momento refuses the key or the cache.
            ReadError: it did not answer, however often it was asked.
            ReaderClosedError: close() was called, be it meanwhile.
        """
        values, failure = self._call(keys, deadline_s)
        for repeat in range(1, tries):
            if failure is None or failure.trouble not in PASSING:
                break
            self._back_off(failure.trouble, repeat)
            more, failure = self._call(keys[len(values) :], deadline_s)
            values += more
        if failure is None:
            return values
        if failure.trouble is Trouble.BROKEN_SETUP:
            raise BrokenSetupError(failure.detail)
        raise ReadError(failure.detail, failure.trouble)

    def close(self) -> None:
        """Close the channel, if it is its own, within CLOSE_S, and read no more."""
        with self._lock:
            self._closed = True
            if self._owns_channel and self._channel is not None:
                # gRPC waits without a bound for a call that an interrupt tore in its beginning.
                closing = threading.Thread(target=self._channel.close, daemon=True)
                closing.start()
                closing.join(CLOSE_S)

    def _back_off(self, trouble: Trouble, repeat: int) -> None:
        base_s = THROTTLED_BACKOFF_S if trouble is Trouble.THROTTLED else BACKOFF_S
        self._sleep(self._uniform(0, base_s * 2**repeat))

    def _call(
        self, keys: Sequence[str], deadline_s: float
    ) -> tuple[list[bytes | None], Failed | None]:
        """The values that came, in the order of the keys, and why not all of them did."""
        items = [messages._GetRequest(cache_key=key.encode()) for key in keys]  # noqa: SLF001 (so named)
        request = messages._GetBatchRequest(items=items)  # noqa: SLF001 (so named)
        answers: list[Any] = []
        failure = None
        try:
            with self._lock:  # or the channel might be closed before the call begins
                answering = self._connected().GetBatch(request, deadline_s, self._metadata)
            answers.extend(answering)  # which keeps what came before an error
        except grpc.RpcError as error:
            failure = failed(error, self._credentials.auth_token)
        # A call that is cut off has answered the first keys; of one that ends so, who knows which?
        if len(answers) > len(keys) or (failure is None and len(answers) < len(keys)):
            detail = f"{len(answers)} answers to {len(keys)} keys"
            return [], Failed(Trouble.UNKNOWN_OUTCOME, detail)
        return _values(keys, answers, failure)

    def _connected(self) -> Any:  # noqa: ANN401 (generated code, which has no types)
        """The stub. Its channel is opened here and not before, since no channel survives a fork.

        Raises:
            ReaderClosedError: there is to be none.
        """
        if self._closed:
            raise ReaderClosedError
        if self._stub is None:
            self._channel = self._channel or connect(self._credentials)
            self._stub = service.ScsStub(self._channel)  # type: ignore[no-untyped-call] # generated code
        return self._stub


def _values(
    keys: Sequence[str], answers: Sequence[Any], failure: Failed | None
) -> tuple[list[bytes | None], Failed | None]:
    """The values that the answers hold, and what failed; none of them if one holds no value."""
    values: list[bytes | None] = []
    for key, answer in zip(keys, answers, strict=False):  # a call that failed answers fewer
        if answer.result not in {messages.Hit, messages.Miss}:
            # Of one key Momento tells no status; its text is left out, as it might quote a key.
            return [], Failed(Trouble.UNKNOWN_OUTCOME, f"{key}: no hit and no miss")
        values.append(answer.cache_body if answer.result == messages.Hit else None)
    return values, failure if len(values) < len(keys) else None
