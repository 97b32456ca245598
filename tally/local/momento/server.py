"""The server, on a port of loopback: in this process, or in one of its own."""
# ruff: noqa: SLF001 -- Momento's generated messages begin with an underscore

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import grpc
from momento_wire_types import controlclient_pb2 as pb
from momento_wire_types import controlclient_pb2_grpc as rpc

from tally.local.child import Child, ChildError
from tally.local.momento.control_calls import Account, SigningKeys
from tally.local.momento.dispatch import Dispatch
from tally.local.momento.faults import Plan, fair_weather
from tally.local.momento.metering import Meter, MomentoStats, read_stats
from tally.local.momento.store import Caches, Clock
from tally.local.ports import LOOPBACK, NO_PROXY, why_not

HOST = LOOPBACK

WORKERS = 32
"""Threads that answer calls; with one lock around the store, more do not help."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""More than any SDK sends (JS: 10,486,000): the server, not gRPC, must refuse an item too large."""

MIN_PING_INTERVAL_MS = 1_000
"""SDKs ping an idle connection every 5 s; gRPC's own policy would cut them off for it."""

FLUSH_S = 5.0
"""How long a server may take to empty a cache."""

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
    """The port cannot be listened on; the text has the operating system's reason."""


class MomentoServer:
    """A Momento of one's own, for a test or a try, in three lines.

        with MomentoServer(caches=["tally"]) as server:
            provider = CredentialProvider.for_momento_local(HOST, server.port)
            ...

    Args:
        caches: the caches to create at the start.
        port: where to listen; 0 for a free one.
        api_keys: the keys that are accepted; if it is empty, no key is needed and any is accepted.
            Each call looks into it, so a test can rotate a key by changing it.
        now_ns: a monotonic clock in nanoseconds, for the times to live.
        pause: waits the seconds of an injected delay; by default a wait that stop() ends.
        signing_keys: the signing keys at the start, with their clock and their ids.
        faults: what befalls the calls of clients that bring no fault headers of their own.
    """

    def __init__(  # noqa: PLR0913 (all that a test may want to be otherwise, by keyword)
        self,
        caches: Iterable[str] = (),
        *,
        port: int = 0,
        api_keys: Collection[str] = (),
        now_ns: Clock = time.monotonic_ns,
        pause: Callable[[float], object] | None = None,
        signing_keys: SigningKeys | None = None,
        faults: Plan = fair_weather,
    ) -> None:
        store = Caches(now_ns)
        for name in caches:
            store.create(name)
        self.port = port
        self._meter = Meter()
        self._stopping = threading.Event()
        account = Account(store, signing_keys or SigningKeys())
        wait = pause or self._stopping.wait
        self._dispatch = Dispatch(account, self._meter, wait, api_keys, faults)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="momento")
        self._server = grpc.server(self._pool, handlers=[self._dispatch], options=_OPTIONS)

    @property
    def endpoint(self) -> str:
        """Where it listens, as `host:port`, which is the form of MOMENTO_LOCAL."""
        return f"{HOST}:{self.port}"

    def stats(self) -> MomentoStats:
        """The calls so far, and what Momento would have billed for them."""
        return self._meter.stats()

    def start(self) -> None:
        """Listen; from then on `port` is the one that it got.

        Raises:
            PortTakenError: the port cannot be had.
            RuntimeError: another process took it in the very moment of the start.
        """
        # gRPC's own refusal tells no reason, and logs a line of its own to stderr.
        if reason := why_not(self.port):
            text = f"cannot listen on {self.endpoint}: {reason}"
            raise PortTakenError(text)
        self.port = self._server.add_insecure_port(self.endpoint)
        self._server.start()

    def stop(self) -> None:
        """End at once; calls under way fail at their clients."""
        self._stopping.set()
        self._server.stop(grace=None).wait()
        self._dispatch.close()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class MomentoProcess(Child):
    """The server in a process of its own; `endpoint` is its host:port once it is started."""

    name = "the embedded Momento server"
    store = "Momento"

    def __init__(self, caches: Sequence[str], *, port: int = 0) -> None:
        self.cache = caches[0]
        self._options = [f"--cache={cache}" for cache in caches]
        super().__init__("tally.local.momento", [f"--port={port}", *self._options])
        self.endpoint = ""

    def start(self) -> str:
        """Start the server, again on the port that it had; raises as a Child does."""
        line = super().start()
        self.endpoint = line.rpartition(" ")[2]
        self._arguments = [f"--port={self.endpoint.rpartition(':')[2]}", *self._options]
        return line

    def flush(self) -> None:
        """Empty its first cache; ChildError if it does not say that it has."""
        request = pb._FlushCacheRequest(cache_name=self.cache)
        with grpc.insecure_channel(self.endpoint, NO_PROXY) as channel:
            control = rpc.ScsControlStub(channel)  # type: ignore[no-untyped-call] # generated code
            try:
                control.FlushCache(request, timeout=FLUSH_S, metadata=[("authorization", "")])
            except grpc.RpcError as error:
                message = "the embedded Momento server was not emptied"
                raise ChildError(message) from error

    @property
    def variables(self) -> dict[str, str]:
        """The environment that keeps counters in its first cache."""
        return {"MOMENTO_LOCAL": self.endpoint, "MOMENTO_CACHE_NAME": self.cache}

    def operations(self) -> int:
        """The operations that Momento would have billed so far."""
        return sum(read_stats(self.endpoint).operations.values())
