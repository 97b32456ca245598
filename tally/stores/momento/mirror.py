"""Sets in Momento what a table has stored; nobody relies on it."""

from collections.abc import Sequence
from typing import Any

import grpc

from tally.stores.momento.calls import Calls
from tally.stores.momento.channel import Channel
from tally.stores.momento.troubles import KEY_REFUSED, failed
from tally.stores.port import Failed, Trouble
from tally.stores.secret import OTHER_KEY, Key

CANCELLED = Failed(Trouble.UNKNOWN_OUTCOME, "cancelled")


class MomentoMirror:
    """Sets values, all at once.

    Args:
        channel: to Momento; the store closes it.
        calls: with the time to live that copies have.
        key: the store's; it is fetched again if Momento refuses it.
    """

    def __init__(self, channel: Channel, calls: Calls, key: Key) -> None:
        self._channel = channel
        self._calls = calls
        self._key = key
        self._sent: list[Any] = []

    def set(self, values: Sequence[tuple[str, bytes]], deadline_s: float) -> list[Failed | None]:
        """Set the values of counters; for each, why it was not set, or None."""
        key = self._key.text
        with self._channel.calling() as stub:
            sent = [self._calls.set(stub, *value, deadline_s, key) for value in values]
        self._sent = sent
        return [self._failure(call, key) for call in sent]

    def cancel(self, *, is_silent: bool) -> None:
        """Take back what has not left yet, and use a new channel if this one is silent."""
        for call in self._sent:
            call.cancel()
        if is_silent:
            self._channel.renew()

    def _failure(self, call: Any, key: str) -> Failed | None:  # noqa: ANN401 (a gRPC future)
        try:
            call.result()
        except grpc.FutureCancelledError:
            return CANCELLED
        except grpc.RpcError as error:
            # Nobody waits for this thread, so it has time to fetch the key again.
            if error.code() in KEY_REFUSED and self._key.renewed(key, may_ask=True):
                return OTHER_KEY
            return failed(error, key)
        return None
