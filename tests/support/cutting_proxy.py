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
        self._threads = []
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        self.silences = 0

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        _shut(self._listener)
        self._threads[0].join()  # after which there is no other socket
        for each in self._sockets:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, work, *arguments):
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            for client, _ in iter(self._listener.accept, None):
                self._sockets.append(client)
                server = socket.create_connection(self._to)
                self._sockets.append(server)
                is_silent = self._random.random() < self._silent_share
                for source, target in ((client, server), (server, client)):
                    span = self._random.randint(1, self._most_bytes)
                    self._start(self._pump, source, target, span, is_silent)

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
            _shut(source)
            _shut(target)


def _shut(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
