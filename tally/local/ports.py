"""Which ports of this machine can be listened on."""

import socket
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
"""The one address that servers here listen on: whoever reaches a port may read and write."""

NO_PROXY = (("grpc.enable_http_proxy", 0),)
"""For a gRPC channel to loopback: it must not use the proxy of this process's environment."""

LOOPBACK_NAMES = frozenset({LOOPBACK, "localhost"})
"""The names by which programs and browsers may reach a server of ours. Any other name belongs to a
foreign page, and was made to point here (DNS rebinding)."""


def why_not(port: int) -> str | None:
    """The operating system's reason why nobody can listen on a port of 127.0.0.1 now, if any.

    The check sets the option that every server here sets: without it a port would count as taken
    for a minute after its last connections have ended.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def refusals(ports: Mapping[str, int]) -> list[str]:
    """A line for each port that cannot be had, with the option that sets it. 0 is any free one."""
    found = []
    first: dict[int, str] = {}
    for option, port in ports.items():
        owner = first.setdefault(port, option)
        shared = port and owner != option
        if reason := f"{owner} has the same" if shared else why_not(port):
            found.append(f"{option} {port}: {reason}")
    return found


def is_loopback(host: str) -> bool:
    """Whether a `Host` header has one of our own names, with any port."""
    return host.partition(":")[0] in LOOPBACK_NAMES
