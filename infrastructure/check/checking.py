"""What a check is made of: something holds, or will soon, or the check has failed."""

import socket
import sys
import time
from collections.abc import Callable

HOST = "127.0.0.1"
"""Where whatever a check starts listens, and nowhere else."""

POLL_S = 0.2


class CheckFailedError(Exception):
    """What was to be proven is not so."""


def expect(holds: object, otherwise: str) -> None:
    """Go on only if something holds.

    Raises:
        CheckFailedError: it does not; its text is `otherwise`.
    """
    if not holds:
        raise CheckFailedError(otherwise)


def expect_same(found: object, expected: object, what: str) -> None:
    """Go on only if something is what it should be, whole.

    Raises:
        CheckFailedError: it is not; its text has both.
    """
    expect(found == expected, f"{what}: expected {expected!r}, found {found!r}")


def wait_until(
    holds: Callable[[], object],
    seconds: float,
    otherwise: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look again and again until something holds.

    Raises:
        CheckFailedError: it did not hold in time; its text is `otherwise`.
    """
    for _ in range(round(seconds / POLL_S)):
        if holds():
            return
        sleep(POLL_S)
    raise CheckFailedError(otherwise)


def say(where: str, what: str) -> None:
    """Tell what holds, as soon as it is known."""
    sys.stdout.write(f"{where}: {what}\n")
    sys.stdout.flush()


def free_port() -> int:
    """A port of HOST where nobody listens yet."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port
