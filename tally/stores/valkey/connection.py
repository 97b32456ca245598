"""A connection of our own to a server, and the pipelines on it; the parser is hiredis's.

No client library is used. None that we looked at has a deadline for a whole pipeline: slow answers
could take as many deadlines as there are answers. One repeats commands by itself, one puts values
into error texts, and all take longer to import than a batch takes to count.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from tally.environment import Valkey
from tally.stores.valkey.troubles import LATE, LATE_NAME

CHUNK_BYTES = 65_536
"""How much is read from the socket at once."""

NOT_YET = object()
"""What the parser returns for an incomplete answer."""

NO_ADDRESS = "the name has no address"
CLOSED = "the server closed the connection"
NO_RESP = "the server does not speak RESP"
TOO_MANY = "the server gave more answers than it was asked for"

Resolve = Callable[..., Sequence[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or a peer of it."""


class RefusedError(Exception):
    """The server refuses the password, or every client; the text is its own."""


class MuddledError(Exception):
    """The server sent more than the commands asked for, so no answer can be trusted."""


class Connection:
    """A socket with its parser, for one pipeline at a time.

    Args:
        connected: the socket.
        greeting: commands that go before those of the first pipeline, in the same packet.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, connected: socket.socket, greeting: Sequence[bytes], clock: Callable[[], float]
    ) -> None:
        self._socket = connected
        self._greeting = greeting
        self._clock = clock
        self._parser = hiredis.Reader(notEnoughData=NOT_YET)

    def run(self, commands: Sequence[bytes], answers: list[Any], ends_at: float) -> None:
        """Send commands, and take all their answers; after any error the connection is unusable.

        Args:
            commands: each has one answer.
            answers: gets the answers, in their order; those before an error are valid.
            ends_at: the clock's time by which the last answer must have come.

        Raises:
            OSError: the connection, or its time, came to an end.
            RefusedError: the server refused the password, or every client.
            MuddledError: the answers cannot be told apart.
        """
        greeting, self._greeting = self._greeting, ()
        self._send(b"".join([*greeting, *commands]), ends_at)
        try:
            for _ in greeting:
                if isinstance(answer := self._next(ends_at), hiredis.ReplyError):
                    raise RefusedError(str(answer))
            # extend() keeps what came before an error.
            answers.extend(self._next(ends_at) for _ in commands)
        except hiredis.ProtocolError:
            raise MuddledError(NO_RESP) from None
        if self._parser.has_data():
            answers.clear()  # nobody knows which one was too many
            raise MuddledError(TOO_MANY)

    def is_quiet(self) -> bool:
        """Whether the server has sent nothing since: no end of the stream, and no stray answer."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close this process's end, and send nothing, since this may be a fork."""
        self._socket.close()

    def _send(self, packet: bytes, ends_at: float) -> None:
        left = memoryview(packet)
        while left:
            self._socket.settimeout(left_s(ends_at, self._clock))
            left = left[self._socket.send(left) :]

    def _next(self, ends_at: float) -> Any:  # noqa: ANN401 (whatever a server says)
        while (answer := self._parser.gets()) is NOT_YET:
            self._socket.settimeout(left_s(ends_at, self._clock))
            data = self._socket.recv(CHUNK_BYTES)
            if not data:
                raise ConnectionAbortedError(CLOSED)
            self._parser.feed(data)
        return answer


def connect(
    valkey: Valkey,
    ends_at: float,
    *,
    clock: Callable[[], float],
    tls: Callable[[], Any],
    resolve: Resolve = socket.getaddrinfo,
) -> socket.socket:
    """Connect to a server, at the first of its addresses that answers.

    Args:
        valkey: where it is.
        ends_at: the clock's time by which it must be connected.
        clock: monotonic, in seconds.
        tls: gives the `ssl.SSLContext`, which checks the server's certificate and name.
        resolve: looks a name up.

    Raises:
        OSError: it cannot be reached in time, or does not prove to be the server.
    """
    plain = _reached(_resolved(valkey, left_s(ends_at, clock), resolve), ends_at, clock)
    with contextlib.ExitStack() as undone:
        undone.callback(plain.close)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected = plain
        if valkey.is_tls:
            plain.settimeout(left_s(ends_at, clock))
            connected = tls().wrap_socket(plain, server_hostname=valkey.host)
        undone.pop_all()
    return connected


def left_s(ends_at: float, clock: Callable[[], float]) -> float:
    """The seconds that are left.

    Raises:
        TimeoutError: there is none.
    """
    left = ends_at - clock()
    if left <= 0:
        raise TimeoutError(LATE)
    return left


def _reached(
    addresses: Sequence[tuple[Any, ...]], ends_at: float, clock: Callable[[], float]
) -> socket.socket:
    """A socket to the first address that answers; each gets its share of the time."""
    failure = OSError(NO_ADDRESS)
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        with contextlib.ExitStack() as undone:
            try:
                reached = socket.socket(family, kind, protocol)
                undone.callback(reached.close)
                reached.settimeout(left_s(ends_at, clock) / (len(addresses) - place))
                reached.connect(address)
            except OSError as error:
                failure = error
                continue
            undone.pop_all()
            return reached
    raise failure


def _resolved(valkey: Valkey, wait_s: float, resolve: Resolve) -> Sequence[tuple[Any, ...]]:
    """The addresses of a name, looked up in a thread: the system's resolver has no deadline."""
    found: list[Sequence[tuple[Any, ...]] | OSError] = []

    def ask() -> None:
        try:
            found.append(resolve(valkey.host, valkey.port, type=socket.SOCK_STREAM))
        except OSError as error:
            found.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(wait_s)
    if not found:
        raise TimeoutError(LATE_NAME)
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]
