"""At least once: additions by the store, and swaps if there is a bound, on bare integers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from tally.counters.bare import Sum, fold_bare, summed
from tally.counters.counter import Fold
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.settling.progress import Activity, Progress
from tally.settling.reason import Reason, Unsettled
from tally.settling.rounds import Rounds
from tally.stores.port import AddingStore, Addition, Copy, Failed, LostRace, Stored, Swap, Trouble


class BareWriter:
    """Settles the events of a batch on integers that other programs increment as well.

    No event is remembered: if it comes again, or its answer was lost, it counts again.

    Args:
        store: holds the counters, and adds to a bare integer natively.
        rounds: what it plays.
    """

    def __init__(self, store: AddingStore, rounds: Rounds) -> None:
        self.clock = rounds.clock
        self._rounds = rounds
        self._store = store

    def settle(
        self, groups: Mapping[str, Sequence[Event]], ends_at: float, activity: Activity
    ) -> Progress:
        """Add up each counter's events, or decide them; arguments and result as `Writer.settle`.

        Raises:
            BrokenSetupError: the store refuses the set-up; some counters may have been written, and
                count again when SQS brings the batch back.
        """
        found = {counter: summed(events) for counter, events in groups.items()}
        sums = {counter: total for counter, total in found.items() if total is not None}
        return self._rounds.play(
            groups, ends_at, activity, lambda progress, _start: self._round(progress, sums)
        )

    def _round(self, progress: Progress, sums: dict[str, Sum]) -> None:
        """Add to each open counter that has a sum; read, decide and swap the others."""
        for write, answer in self._store.write(self._writes(progress, sums), progress.ends_at):
            if isinstance(write, Addition):
                _added(progress, sums, write.counter, answer)
                continue
            match answer:
                case Stored():
                    progress.stored(write)
                case LostRace():
                    progress.lost(write.counter, None)
                case Failed():
                    progress.failed(write.counter, answer)
                case _:
                    assert_never(answer)

    def _writes(self, progress: Progress, sums: Mapping[str, Sum]) -> Iterator[Addition | Swap]:
        """The writes of a round: additions first, since they need no read; then swaps, as read."""
        unread = [counter for counter in progress.open if counter not in sums]
        for counter in [counter for counter in progress.open if counter in sums]:
            yield Addition(counter, sums[counter].amount)
        for counter, read in self._store.read(unread, progress.ends_at):
            if isinstance(read, Failed):
                progress.failed(counter, read)
            elif swap := _swap(progress, counter, read.value):
                yield swap


def _added(
    progress: Progress, sums: dict[str, Sum], counter: str, answer: Stored | LostRace | Failed
) -> None:
    """What became of a native increment."""
    if not isinstance(answer, Failed):
        progress.added(counter, sums[counter].decisions)
    elif answer.trouble is Trouble.UNKNOWN_OUTCOME:
        # It may have happened, and no read tells. A repeat may count twice, so it is left to SQS,
        # which repeats once in a visibility timeout, and stops with the dead letters.
        progress.close(counter, Unsettled(Reason.UNKNOWN_OUTCOME, answer.detail))
    elif answer.trouble is Trouble.REFUSED:
        # It did not happen: the sum overflows, or the value is no integer. A read will show which.
        del sums[counter]
        progress.open[counter] = Unsettled(Reason.REFUSED, answer.detail)
    else:
        progress.failed(counter, answer)


def _swap(progress: Progress, counter: str, value: bytes | None) -> Swap | None:
    """The swap of a counter, by the value itself; None if that is no bare integer."""
    progress.saw(counter, value)
    try:
        after, decisions = fold_bare(value, progress.groups[counter])
    except UnreadableValueError as error:
        progress.close(counter, Unsettled(Reason.UNREADABLE, str(error)))
        return None
    progress.decided(counter, Fold(after, decisions))
    return Swap(counter, Copy(value, None), after)
