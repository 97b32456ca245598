"""How Momento fares in a check: fair, until one of its calls turns slow and then silent."""

import time
from collections.abc import Callable

from tally.local.momento.errors import injected
from tally.local.momento.faults import Fault

FAILING_S, FAILS_AFTER_S = 2.5, 0.2
"""At first slow calls fail, so that the consumer tries on until its time is nearly over; then …"""

HANGS_S = 2.0
"""… they hang for longer than the SDK waits (1.1 s) or the consumer can; they still happen."""


class Weather:
    """What befalls the calls to a server.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slow_call, self._quick, self._began_at = "", 0, clock()

    def slow(self, call: str, quick: int) -> None:
        """Answer this call so many times more at once, and then no more in time."""
        self._slow_call, self._quick, self._began_at = call, quick, self._clock()

    def fair(self) -> None:
        """Answer every call at once."""
        self._slow_call = ""

    def __call__(self, call: str) -> Fault | None:
        """The fault of a call by its name; the server asks in one thread."""
        if call != self._slow_call:
            return None
        self._quick -= 1
        if self._quick >= 0:
            return None
        if self._clock() - self._began_at < FAILING_S:
            return Fault(FAILS_AFTER_S, injected("UNAVAILABLE"))
        return Fault(HANGS_S)
