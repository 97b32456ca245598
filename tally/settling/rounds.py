"""The rounds in which a batch is settled: their pace and their end, whatever a round does."""

import enum
from collections.abc import Callable, Mapping, Sequence

from tally.counters.event import Event
from tally.settling.progress import Activity, Progress
from tally.stores.port import Store

MAX_ROUNDS = 1_000
"""The most rounds of a batch. Usually the time ends them; this does if a clock stands still."""

MAX_BACKOFF_ROUNDS = 16
"""The longest wait before a round, in rounds; the wait is drawn from 0 to this."""

MIN_ROUND_S = 0.005
"""The least time that a round counts as: a refused connection answers at once, but the next try
must wait."""

ROUND_MARGIN = 2
"""A round starts only if there is this many times the time of the last one: if it were cut off, it
would leave answers unknown."""

THROTTLED_ROUND_S = 0.1
"""The least time that a round counts as if the store throttles: its quota is per second."""

RESERVE_S = 1.0
"""Time kept for the response and the log: a function that times out returns its whole batch."""

RESERVE_PER_MESSAGE_S = 0.000_2
"""Time kept for each message, since each may have to be logged and named in the answer."""

MAX_RESERVED_SHARE = 0.5
"""The most of a function's time that may be kept, if that is short."""


def usable_s(remaining_s: float, messages: int) -> float:
    """How many of the remaining seconds may be used to settle a batch of so many messages."""
    reserve_s = RESERVE_S + messages * RESERVE_PER_MESSAGE_S
    return remaining_s - min(reserve_s, remaining_s * MAX_RESERVED_SHARE)


class Start(enum.Enum):
    """What a round may begin with instead of a read."""

    READ = "nothing"
    WARM = "what this environment stored last"
    WINNERS = "what the writers stored that won the races of the round before"


class Rounds:
    """Plays rounds until all counters are settled or time is up.

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
        play_round: Callable[[Progress, Start], object],
    ) -> Progress:
        """Settle the groups.

        Args:
            groups: the events by counter.
            ends_at: the clock's time by which no call may be in flight any more.
            activity: counts what is done.
            play_round: tries each open counter once; it is told what it may begin with instead of
                a read: in the first round WARM, in a repeat that follows at once WINNERS.
        """
        progress = Progress(groups, ends_at, activity)
        operations, reads = self.store.usage.operations, self.store.usage.reads
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
                self._hear(play_round, progress, _start(number, pause_s))
                # The next round is shorter in proportion to the counters still open.
                wave_s = (self.clock() - started_at) / waves
                round_s = max(MIN_ROUND_S, wave_s * self._waves(progress))
        finally:
            # Not part of a round's time: no decision depends on what this waits for.
            activity.cache_sets_failed += self.store.finish(ends_at)
            activity.store_operations += self.store.usage.operations - operations
            activity.store_reads += self.store.usage.reads - reads
        return progress

    def _pause_s(self, number: int, round_s: float, progress: Progress) -> float:
        """0 before the first and the second round; then full jitter of up to 4, 8, 16 rounds.

        If the store throttles, the second round waits as well, and all wait longer.
        """
        if number == 0 or (number == 1 and not progress.throttled):
            return 0.0
        unit_s = max(THROTTLED_ROUND_S, round_s) if progress.throttled else round_s
        return self._uniform(0.0, min(MAX_BACKOFF_ROUNDS, 2**number) * unit_s)

    def _hear(
        self, play_round: Callable[[Progress, Start], object], progress: Progress, start: Start
    ) -> None:
        """Play a round; if each of its calls ran into its deadline, the next has new connections.

        If the peer has vanished without a reset, a connection looks well but answers nothing.
        """
        usage = self.store.usage
        answered, unanswered = usage.answered, usage.unanswered
        play_round(progress, start)
        if usage.unanswered > unanswered and usage.answered == answered:
            self.store.renew()

    def _waves(self, progress: Progress) -> int:
        """How many waves of calls a round takes; a wave is as many as may be in flight at once."""
        return -(-len(progress.open) // self.store.max_calls_in_flight)


def _start(number: int, pause_s: float) -> Start:
    """How a round begins. After a pause the winners' values are old: a fifth more swaps fail."""
    if number == 0:
        return Start.WARM
    return Start.READ if pause_s else Start.WINNERS
