"""One gRPC channel at a time: opened at its first use, and anew when it has gone silent.

A peer that vanishes without a reset (a frozen Lambda, a load balancer) leaves a channel that looks
well, and on which every call runs into its deadline. Keep-alive pings are no help: a Lambda sends
none while it is frozen.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from momento_wire_types import cacheclient_pb2_grpc as service

from tally.stores.errors import StoreClosedError

MAX_IDLE_S = 240.0
"""A channel unused for longer is not trusted: load balancers forget connections after 350 s. By
the wall clock, since a monotonic one may stand still while a Lambda is frozen."""

CLOSE_S = 2.0
"""How long a channel may take to close; after that the process's end closes it."""


class Channel:
    """The channel in use, for any number of threads; none is open before the first call.

    Args:
        connect: opens a channel.
        wall_clock: the time of day, in seconds.
    """

    def __init__(
        self, connect: Callable[[], grpc.Channel], wall_clock: Callable[[], float]
    ) -> None:
        self._connect = connect
        self._wall_clock = wall_clock
        self._lock = threading.RLock()
        self._channel: grpc.Channel | None = None
        self._stub: Any = None
        self._used_at = 0.0
        self._closed = False

    @contextlib.contextmanager
    def calling(self) -> Iterator[Any]:
        """The stub on which to begin a call; its channel stays open meanwhile.

        Raises:
            StoreClosedError: close() was called.
        """
        with self._lock:
            if self._closed:
                raise StoreClosedError
            now = self._wall_clock()
            if self._channel is not None and abs(now - self._used_at) > MAX_IDLE_S:
                self.renew()
            if self._channel is None:
                self._channel = self._connect()
                self._stub = service.ScsStub(self._channel)  # type: ignore[no-untyped-call] # generated code
            self._used_at = now
            yield self._stub

    def renew(self, stub: Any = None) -> None:  # noqa: ANN401 (generated code, which has no types)
        """Have the next call open a new channel.

        Args:
            stub: the one that did not answer; if another is in use by now, nothing happens.
        """
        with self._lock:
            if stub is None or stub is self._stub:
                self._shut()

    def close(self) -> None:
        """Close the channel, within CLOSE_S, and open no more."""
        with self._lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            # If an interrupt cut off a call that was beginning, gRPC waits for it without a bound.
            closing = threading.Thread(target=channel.close, daemon=True)
            closing.start()
            closing.join(CLOSE_S)
