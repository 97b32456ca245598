"""A TCP proxy on loopback whose connections can go silent: no reset, no end, and no answer."""

import contextlib
import socket
import threading

CHUNK_BYTES = 65_536
HOST = "127.0.0.1"


class SilentProxy:
    """A context manager. `silence` stops what is forwarded on the connections that there are."""

    def __init__(self, port):
        self._to = (HOST, port)
        self._listener = socket.create_server((HOST, 0))
        self._silences = []
        self._sockets = []
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]

    @property
    def connections(self):
        """How many were opened so far."""
        return len(self._silences)

    def silence(self):
        """From now on the connections that there are lead nowhere; new ones work."""
        for silence in self._silences:
            silence.set()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            for client, _ in iter(self._listener.accept, None):
                silence = threading.Event()
                server = socket.create_connection(self._to)
                with self._lock:
                    self._silences.append(silence)
                    self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    arguments = (source, target, silence)
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source, target, silence):
        with contextlib.suppress(OSError):
            for data in iter(lambda: source.recv(CHUNK_BYTES), b""):
                if not silence.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
