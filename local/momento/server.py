"""The server: a port on loopback, with the caches behind it."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import grpc

from local.momento.dispatch import Dispatch
from local.momento.store import Caches, Clock

HOST = "127.0.0.1"
"""Loopback and nothing else: whoever reaches the port may read and write."""

WORKERS = 32
"""Threads that answer calls; with one lock around the store, more do not help."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""More than any SDK sends (JS: 10,486,000): an item too large must be refused by name."""

MIN_PING_INTERVAL_MS = 1_000
"""SDKs ping an idle connection every 5 s; gRPC's own policy would cut them off for it."""

_OPTIONS = (
    # Otherwise a second server on the port starts without an error and takes part of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
    ("grpc.http2.max_ping_strikes", 0),
)


class PortTakenError(OSError):
    """The port cannot be listened on: another process has it, or it is not permitted."""

    def __init__(self, port: int) -> None:
        super().__init__(f"cannot listen on {HOST}:{port}: the port is taken, or not permitted")


class MomentoServer:
    """A Momento of one's own, for a test or a try, in three lines.

        with MomentoServer(caches=["tally"]) as server:
            provider = CredentialProvider.for_momento_local(HOST, server.port)
            ...

    Args:
        caches: the caches to create at the start.
        port: where to listen; 0 for a free one.
        now_ns: a monotonic clock in nanoseconds, for the times to live.
    """

    def __init__(
        self,
        caches: Iterable[str] = (),
        *,
        port: int = 0,
        now_ns: Clock = time.monotonic_ns,
    ) -> None:
        store = Caches(now_ns)
        for name in caches:
            store.create(name)
        self.port = port
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="momento")
        self._server = grpc.server(self._pool, handlers=[Dispatch(store)], options=_OPTIONS)

    @property
    def endpoint(self) -> str:
        """Where it listens, as `host:port`, which is the form of MOMENTO_LOCAL."""
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        """Listen; from here `port` is the port it got.

        Raises:
            PortTakenError: the port cannot be had.
        """
        try:
            self.port = self._server.add_insecure_port(self.endpoint)
        except RuntimeError:
            raise PortTakenError(self.port) from None
        self._server.start()

    def stop(self) -> None:
        """End at once; calls under way fail at their clients."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
