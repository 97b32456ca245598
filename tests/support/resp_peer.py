"""A server of RESP on loopback that answers each command as a test says, in TLS if it is to."""

import contextlib
import socket
import threading

import hiredis

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
PAUSE_S = 0.02
MAX_PAUSES = 250
WAIT_S = 20.0
TRICKLE = b"+"
"""What `trickle` repeats for some seconds: the beginning of an answer that never ends."""


class Peer:
    """A context manager; `commands` has the words of each command, of all connections.

    Args:
        answer: gets the number of the connection, from 1 on, and the words of a command; it gives
            the bytes of an answer, `trickle`, or None to close the connection.
        tls: of the server's side.
    """

    def __init__(self, answer, tls=None):
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server((HOST, 0))
        self._sockets = []
        self._threads = []
        self._ended = threading.Event()
        self.port = self._listener.getsockname()[1]
        self.commands = []
        self.connections = 0

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._ended.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def push(self, data):
        """Say on each connection what nobody asked for."""
        for each in self._sockets:
            each.sendall(data)

    def _start(self, work, *arguments):
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            for connection, _ in iter(self._listener.accept, None):
                self.connections += 1
                self._start(self._serve, connection, self.connections)

    def _serve(self, connection, number):
        with contextlib.suppress(OSError, hiredis.ProtocolError), connection:
            connection.settimeout(WAIT_S)
            spoken_on = (
                self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            )
            with spoken_on:
                self._sockets.append(spoken_on)
                self._converse(spoken_on, number)

    def _converse(self, connection, number):
        parser = hiredis.Reader(notEnoughData=...)
        for data in iter(lambda: connection.recv(CHUNK_BYTES), b""):
            parser.feed(data)
            for words in iter(parser.gets, ...):
                self.commands.append(words)
                if not self._say(connection, self._answer(number, words)):
                    return

    def _say(self, connection, answer):
        if answer is None:
            return False
        if answer is not trickle:
            connection.sendall(answer)
            return True
        for _ in range(MAX_PAUSES):
            if self._ended.wait(PAUSE_S):
                break
            connection.sendall(TRICKLE)
        return False


def trickle():
    """An answer that comes byte by byte, and never ends."""
