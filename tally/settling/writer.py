"""Exactly once: rounds of read, decide and compare-and-swap, on counts with their ledgers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from tally.counters.counter import Fold, fold
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.counters.ledger import Limits
from tally.settling.activity import Activity
from tally.settling.copies import Copies
from tally.settling.progress import Progress, Unsettled
from tally.settling.reason import Reason
from tally.settling.rounds import Rounds
from tally.stores.port import Copy, Failed, LostRace, Stored, Swap


class Writer:
    """Settles the events of a batch, counter by counter, until all are settled or time is up.

    Args:
        rounds: what it plays, and the store.
        copies: of what this environment wrote last.
        limits: how much a counter remembers.
    """

    def __init__(self, rounds: Rounds, copies: Copies, limits: Limits) -> None:
        self.clock = rounds.clock
        self._rounds = rounds
        self._store = rounds.store
        self._copies = copies
        self._limits = limits

    def settle(
        self, groups: Mapping[str, Sequence[Event]], ends_at: float, activity: Activity
    ) -> Progress:
        """Decide each counter's events and write what is new; `progress.Settler` has the terms.

        Raises:
            BrokenSetupError: Momento refuses the set-up; some counters may have been written,
                which the ledger makes harmless.
        """
        return self._rounds.play(groups, ends_at, activity, self._round)

    def _round(self, progress: Progress, number: int) -> None:
        """Read, fold and swap each open counter; the first round does without reading if it can."""
        copies = {} if number else {each: self._copies.take(each) for each in progress.open}
        used = {counter: copy for counter, copy in copies.items() if copy is not None}
        swaps = self._swaps(progress, used)
        for swap, answer in self._store.write(swaps, progress.ends_at):
            counter = swap.counter
            match answer:
                case Stored(hash=new_hash):
                    progress.stored(swap)
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
        for counter, read in self._store.read(unread, progress.ends_at):
            if isinstance(read, Failed):
                progress.failed(counter, read)
            elif swap := self._swap(progress, counter, read, warm=False):
                yield swap

    def _swap(self, progress: Progress, counter: str, copy: Copy, *, warm: bool) -> Swap | None:
        """The swap that a counter needs, if it needs one: none if all its events are decided.

        A warm copy that would have events reported may be old: the counter stays open, to be read.
        """
        progress.saw(counter, copy.value)
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
