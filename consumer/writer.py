"""The bounded rounds of read, decide and compare-and-swap that settle a batch."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import assert_never

from consumer.activity import Activity
from consumer.copies import Copies
from consumer.momento import (
    MAX_CALLS_IN_FLIGHT,
    Copy,
    LostRace,
    Momento,
    Stored,
    Swap,
)
from consumer.progress import Progress, Unsettled
from consumer.reason import Reason
from counters.counter import Fold, fold
from counters.errors import UnreadableValueError
from counters.event import Event
from counters.ledger import Limits
from store.troubles import Failed

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


class Writer:
    """Settles the events of a batch, counter by counter, until all are settled or time is up.

    Args:
        momento: the store.
        copies: of what this environment wrote last.
        limits: how much a counter remembers.
        clock: monotonic, in seconds.
        sleep: waits the seconds given.
        uniform: draws between two numbers.
    """

    def __init__(
        self,
        momento: Momento,
        copies: Copies,
        *,
        limits: Limits = Limits(),  # noqa: B008 (it is frozen)
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.momento = momento
        self.clock = clock
        self._copies = copies
        self._limits = limits
        self._sleep = sleep
        self._uniform = uniform

    def settle(
        self, groups: Mapping[str, Sequence[Event]], ends_at: float, activity: Activity
    ) -> Progress:
        """Decide each counter's events and write what is new.

        Args:
            groups: the events by counter, in the order in which to decide them.
            ends_at: the clock's time by which no call may be in flight any more.
            activity: counts what is done.

        Returns:
            What became of every counter, and how many races each lost.

        Raises:
            BrokenSetupError: Momento refuses the set-up; some counters may have been written,
                which the ledger makes harmless.
        """
        progress = Progress(groups, ends_at, activity)
        operations = self.momento.operations
        round_s = MIN_ROUND_S
        try:
            for number in range(MAX_ROUNDS):
                room_s = ends_at - self.clock() - ROUND_MARGIN * round_s
                if not progress.open or room_s < 0:
                    break
                # A wait that would end too late is cut short, and leaves time for a last round.
                pause_s = min(room_s, self._pause_s(number, round_s, progress))
                if pause_s:
                    self._sleep(pause_s)
                started_at, waves = self.clock(), _waves(progress)
                self._round(progress, warm=number == 0)
                # The next round is as much shorter as fewer counters are open.
                wave_s = (self.clock() - started_at) / waves
                round_s = max(MIN_ROUND_S, wave_s * _waves(progress))
        finally:
            activity.momento_operations += self.momento.operations - operations
        return progress

    def _pause_s(self, number: int, round_s: float, progress: Progress) -> float:
        """None before the first round, nor before its repeat; then full jitter, doubling.

        Where Momento throttles, the repeat waits as well, and all wait longer.
        """
        if number == 0 or (number == 1 and not progress.throttled):
            return 0.0
        unit_s = max(THROTTLED_ROUND_S, round_s) if progress.throttled else round_s
        return self._uniform(0.0, min(MAX_BACKOFF_ROUNDS, 2 ** (number - 1)) * unit_s)

    def _round(self, progress: Progress, *, warm: bool) -> None:
        """Read, fold and swap each open counter."""
        copies = {counter: self._copies.take(counter) for counter in progress.open} if warm else {}
        used = {counter: copy for counter, copy in copies.items() if copy is not None}
        swaps = self._swaps(progress, used)
        for swap, answer in self.momento.swap(swaps, progress.ends_at):
            counter = swap.counter
            match answer:
                case Stored(hash=new_hash):
                    progress.stored(counter, swap.value)
                    if new_hash is not None:
                        self._copies.put(counter, Copy(swap.value, new_hash))
                    if counter in used:
                        self._copies.hit(counter)
                case LostRace():
                    progress.lost(counter)
                    if counter in used:
                        self._copies.missed(counter)
                case Failed():
                    progress.failed(counter, answer)
                case _:
                    assert_never(answer)

    def _swaps(self, progress: Progress, used: Mapping[str, Copy]) -> Iterator[Swap]:
        """The swaps of a round: those on warm copies first, the others as they are read."""
        # All are folded before one is sent: calls that leave together share their system calls,
        # and a copy of the batch before is hardly older for it. What was just read is not kept.
        warm = [self._swap(progress, counter, copy, warm=True) for counter, copy in used.items()]
        yield from filter(None, warm)
        unread = [counter for counter in progress.open if counter not in used]
        for counter, read in self.momento.read(unread, progress.ends_at):
            if isinstance(read, Failed):
                progress.failed(counter, read)
            elif swap := self._swap(progress, counter, read, warm=False):
                yield swap

    def _swap(self, progress: Progress, counter: str, copy: Copy, *, warm: bool) -> Swap | None:
        """The swap that a counter needs, if it needs one: none if all its events are decided.

        A warm copy that would have events reported may be old: the counter stays open, to be read.
        """
        try:
            folded = fold(copy.value, progress.groups[counter], self._limits)
        except UnreadableValueError as error:
            progress.close(counter, Unsettled(Reason.UNREADABLE, str(error)))
            return None
        if warm and folded.value is None and not _all_settled(folded):
            return None
        progress.decided(counter, folded)
        if folded.value is None:
            self._copies.put(counter, copy)
            return None
        return Swap(counter, copy, folded.value)


def _all_settled(folded: Fold) -> bool:
    return all(decision.is_settled for decision in folded.decisions)


def _waves(progress: Progress) -> int:
    """How many times as many calls as may be in flight at once a round takes."""
    return -(-len(progress.open) // MAX_CALLS_IN_FLIGHT)
