"""A TCP proxy on loopback that cuts connections at any byte, or goes silent there."""

import contextlib
import random
import socket
import threading

CHUNK_BYTES = 4_096
HOST = "127.0.0.1"


class CuttingProxy:
    """A context manager. Of either direction of a connection some bytes pass, and then no more.

    Args:
        port: where the server listens.
        seed: of chance.
        most_bytes: how many may pass at most.
        silent_share: of the ends that are a silence, and no reset.
    """

    def __init__(self, port, seed, most_bytes, silent_share):
        self._to = (HOST, port)
        self._random = random.Random(seed)
        self._most_bytes = most_bytes
        self._silent_share = silent_share
        self._listener = socket.create_server((HOST, 0))
        self._sockets = []
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        self.silences = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                _end(each)

    def _accept(self):
        with contextlib.suppress(OSError):
            for client, _ in iter(self._listener.accept, None):
                server = socket.create_connection(self._to)
                with self._lock:
                    self._sockets += [client, server]
                    silent = self._random.random() < self._silent_share
                    spans = [self._random.randint(1, self._most_bytes) for _ in range(2)]
                for source, target, span in (
                    (client, server, spans[0]),
                    (server, client, spans[1]),
                ):
                    arguments = (source, target, span, silent)
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source, target, left, is_silent):
        with contextlib.suppress(OSError):
            for data in iter(lambda: source.recv(CHUNK_BYTES), b""):
                target.sendall(data[:left])
                left -= len(data)
                if left <= 0:
                    break
        with self._lock:
            self.cuts += left <= 0 and not is_silent
            self.silences += left <= 0 and is_silent
        if not (left <= 0 and is_silent):
            _end(source)
            _end(target)


def _end(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
