"""Sets in Momento what a table has stored; nobody relies on it."""

from collections.abc import Sequence
from typing import Any

import grpc

from tally.stores.momento.calls import Calls
from tally.stores.momento.channel import Channel
from tally.stores.momento.troubles import failed
from tally.stores.port import Failed, Trouble

CANCELLED = Failed(Trouble.UNKNOWN_OUTCOME, "cancelled")


class MomentoMirror:
    """Sets values, all at once.

    Args:
        channel: to Momento; it stays its store's to close.
        calls: with the time to live that copies have.
        key: in no text of an error.
    """

    def __init__(self, channel: Channel, calls: Calls, key: str) -> None:
        self._channel = channel
        self._calls = calls
        self._key = key
        self._sent: list[Any] = []

    def set(self, values: Sequence[tuple[str, bytes]], deadline_s: float) -> list[Failed | None]:
        """Set values of counters; why not, of each that was not."""
        with self._channel.calling() as stub:
            sent = [self._calls.set(stub, *value, deadline_s) for value in values]
        self._sent = sent
        return [self._failure(call) for call in sent]

    def cancel(self) -> None:
        """Take back what has not left yet, from another thread."""
        for call in self._sent:
            call.cancel()

    def _failure(self, call: Any) -> Failed | None:  # noqa: ANN401 (a gRPC future)
        try:
            call.result()
        except grpc.FutureCancelledError:
            return CANCELLED
        except grpc.RpcError as error:
            return failed(error, self._key)
        return None
