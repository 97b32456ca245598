"""Exactly once: rounds of read, decide and compare-and-swap, on counts with their ledgers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from tally.counters.counter import Fold, fold
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.settling.copies import Copies
from tally.settling.progress import Activity, Progress
from tally.settling.reason import Reason, Unsettled
from tally.settling.rounds import Rounds, Start
from tally.stores.port import Copy, Failed, LostRace, Stored, Swap


class Writer:
    """Settles the events of a batch, counter by counter, until all are settled or time is up.

    Args:
        rounds: plays the rounds, and has the store.
        copies: the values that this environment wrote last.
    """

    def __init__(self, rounds: Rounds, copies: Copies) -> None:
        self.clock = rounds.clock
        self._rounds = rounds
        self._store = rounds.store
        self._copies = copies

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
            BrokenSetupError: the store refuses the set-up; some counters may have been written,
                which is harmless, since their ledgers know it.
        """
        return self._rounds.play(groups, ends_at, activity, self._round)

    def _round(self, progress: Progress, start: Start) -> None:
        """Read, fold and swap each open counter; a known copy takes the place of a read."""
        used = self._copies.of(progress.open) if start is Start.WARM else {}
        progress.warm = used or progress.warm
        winners, progress.winners = progress.winners, {}
        swaps = self._swaps(progress, winners if start is Start.WINNERS else used)
        for swap, answer in self._store.write(swaps, progress.ends_at):
            counter = swap.counter
            match answer:
                case Stored(token=token):
                    progress.stored(swap)
                    if token is not None:
                        self._copies.put(counter, Copy(swap.value, token))
                    if counter in used:
                        self._copies.hit(counter)
                case LostRace(winner=winner):
                    progress.lost(counter, winner)
                    if counter in used:
                        self._copies.missed(counter)
                case Failed():
                    progress.failed(counter, answer)
                case _:
                    assert_never(answer)

    def _swaps(self, progress: Progress, known: Mapping[str, Copy]) -> Iterator[Swap]:
        """The swaps of a round: first those on known copies, then the others, as they are read."""
        # All known copies are folded before the first swap is sent: calls that are sent together
        # share system calls, and the copies hardly grow older. Counters just read do not wait.
        first = [self._swap(progress, counter, copy, known=True) for counter, copy in known.items()]
        yield from filter(None, first)
        unread = [counter for counter in progress.open if counter not in known]
        for counter, read in self._store.read(unread, progress.ends_at):
            if isinstance(read, Failed):
                progress.failed(counter, read)
            elif swap := self._swap(progress, counter, read, known=False):
                yield swap

    def _swap(self, progress: Progress, counter: str, copy: Copy, *, known: bool) -> Swap | None:
        """The swap that a counter needs; None if all its events are decided already.

        If events would be reported because of a known copy, the copy may be old: the counter stays
        open, and is read in the next round.
        """
        progress.saw(counter, copy.value)
        try:
            folded = fold(copy.value, progress.groups[counter], self._store.limits(counter))
        except UnreadableValueError as error:
            progress.close(counter, Unsettled(Reason.UNREADABLE, str(error)))
            return None
        if known and folded.value is None and not _all_settled(folded):
            return None
        progress.decided(counter, folded)
        if folded.value is None:
            self._copies.put(counter, copy)
            return None
        return Swap(counter, copy, folded.value)


def _all_settled(folded: Fold) -> bool:
    return all(decision.is_settled for decision in folded.decisions)
