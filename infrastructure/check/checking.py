"""What a check is made of: something holds, or will soon, or the check has failed."""

import time
from collections.abc import Callable

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
