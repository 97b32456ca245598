"""Stored values, read anew while that may help."""

from collections.abc import Callable, Sequence

from tally.reading.errors import ReaderClosedError, ReadError
from tally.stores.errors import BrokenSetupError, StoreClosedError
from tally.stores.port import Store, Trouble

MAX_COUNTERS_PER_CALL = 100
"""Counters that one call reads. It costs an operation for each, at least; and 100 operations a
second are Momento's default quota."""

MAX_TRIES = 4
"""How often a call is made, the first time included, as often as Momento's SDK makes a read."""

BACKOFF_S = 0.05
"""The k-th repeat waits for U(0, BACKOFF_S · 2^k): a lost connection is there again at once."""

THROTTLED_BACKOFF_S = 0.25
"""The same while the store throttles, which Momento does by the second."""

PASSING = frozenset({Trouble.UNKNOWN_OUTCOME, Trouble.THROTTLED})
"""What another try may cure: a read has no effect, so any number of them is safe."""


class Values:
    """The values of counters, from any number of threads.

    Args:
        store: holds them; it stays the caller's to close.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(
        self,
        store: Store,
        *,
        sleep: Callable[[float], object],
        uniform: Callable[[float, float], float],
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._uniform = uniform

    def read(
        self, counters: Sequence[str], deadline_s: float, tries: int = MAX_TRIES
    ) -> list[bytes | None]:
        """The values of at most MAX_COUNTERS_PER_CALL counters, None where there is none.

        Each try may take `deadline_s`, and asks for what the tries before it did not bring: many
        large values may take longer than one.

        Raises:
            BrokenSetupError: the store refuses the key, or has no such cache or table.
            ReadError: it did not answer, however often it was asked.
            ReaderClosedError: it was closed, be it meanwhile.
        """
        try:
            values, failure = self._store.values(counters, deadline_s)
            for repeat in range(1, tries):
                if failure is None or failure.trouble not in PASSING:
                    break
                self._back_off(failure.trouble, repeat)
                more, failure = self._store.values(counters[len(values) :], deadline_s)
                values += more
        except StoreClosedError:
            raise ReaderClosedError from None
        if failure is None:
            return values
        if failure.trouble is Trouble.BROKEN_SETUP:
            raise BrokenSetupError(failure.detail, is_missing=failure.is_missing)
        raise ReadError(failure.detail, failure.trouble)

    def _back_off(self, trouble: Trouble, repeat: int) -> None:
        base_s = THROTTLED_BACKOFF_S if trouble is Trouble.THROTTLED else BACKOFF_S
        self._sleep(self._uniform(0, base_s * 2**repeat))
