"""The rounds in which a batch is settled, whatever one round does: their pace and their end."""

from collections.abc import Callable, Mapping, Sequence

from tally.counters.event import Event
from tally.settling.activity import Activity
from tally.settling.progress import Progress
from tally.stores.port import Store

MAX_ROUNDS = 1_000
"""Rounds of a batch. The time ends them first; this ends them if a clock stands still."""

MAX_BACKOFF_ROUNDS = 16
"""The longest wait before a round, in rounds; the wait is drawn between none and it."""

MIN_ROUND_S = 0.005
"""What a round is taken to last at the least: a refused connection answers at once, and is no
reason to try again at once."""

ROUND_MARGIN = 2
"""A round needs this many times what the last one took: cut off, it would leave answers unknown."""

THROTTLED_ROUND_S = 0.1
"""What a round is taken to last when Momento throttles: its quota is one of a second."""


class Rounds:
    """Has rounds played until all counters are settled or time is up.

    Args:
        store: holds the counters; its operations are counted.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        uniform: Callable[[float, float], float],
    ) -> None:
        self.store = store
        self.clock = clock
        self._sleep = sleep
        self._uniform = uniform

    def play(
        self,
        groups: Mapping[str, Sequence[Event]],
        ends_at: float,
        activity: Activity,
        play_round: Callable[[Progress, int], object],
    ) -> Progress:
        """Settle the groups.

        Args:
            groups: the events by counter.
            ends_at: the clock's time by which no call may be in flight any more.
            activity: counts what is done.
            play_round: tries each open counter once; it is told the number of the round, from 0.
        """
        progress = Progress(groups, ends_at, activity)
        operations = self.store.operations
        round_s = MIN_ROUND_S * self._waves(progress)
        try:
            for number in range(MAX_ROUNDS):
                room_s = ends_at - self.clock() - ROUND_MARGIN * round_s
                if not progress.open or progress.is_late or room_s < 0:
                    break
                # A wait that would end too late is cut short, and leaves time for a last round.
                pause_s = min(room_s, self._pause_s(number, round_s, progress))
                if pause_s:
                    self._sleep(pause_s)
                started_at, waves = self.clock(), self._waves(progress)
                play_round(progress, number)
                # The next round is as much shorter as fewer counters are open.
                wave_s = (self.clock() - started_at) / waves
                round_s = max(MIN_ROUND_S, wave_s * self._waves(progress))
        finally:
            activity.momento_operations += self.store.operations - operations
        return progress

    def _pause_s(self, number: int, round_s: float, progress: Progress) -> float:
        """None before the first round, nor before its repeat; then full jitter, 4, 8, 16 rounds.

        Where Momento throttles, the repeat waits as well, and all wait longer.
        """
        if number == 0 or (number == 1 and not progress.throttled):
            return 0.0
        unit_s = max(THROTTLED_ROUND_S, round_s) if progress.throttled else round_s
        return self._uniform(0.0, min(MAX_BACKOFF_ROUNDS, 2**number) * unit_s)

    def _waves(self, progress: Progress) -> int:
        """How many times as many calls as may be in flight at once a round takes."""
        return -(-len(progress.open) // self.store.max_calls_in_flight)
