"""What all parts of a run share: the time, the dice, the truth, and the history if one is kept."""

from collections import Counter
from concurrent.futures import Executor

import msgspec

from tests.simulation.faults import Dice
from tests.simulation.oracle import Oracle
from tests.simulation.plan import MAX_THREADS, Plan
from tests.simulation.timeline import Timeline


class World:
    """One run's surroundings."""

    def __init__(self, plan: Plan, executor: Executor, history: list[str] | None = None) -> None:
        self.plan = plan
        self.executor = executor
        self.timeline = Timeline(most_actors=MAX_THREADS)
        self.dice = Dice(plan.seed, plan.rates)
        self.oracle = Oracle(plan)
        self.totals: Counter[str] = Counter()
        self._history = history

    def note(self, what: str, *details: object) -> None:
        """Write a line of history; costs little where none is kept."""
        if self._history is not None:
            text = " ".join(map(_shown, details))
            self._history.append(f"{self.timeline.now_s:12.4f}  {what:<12} {text}")


def _shown(detail: object) -> str:
    """As a person reads it: of a stored value its count and which seqs are decided."""
    if not isinstance(detail, bytes):
        return str(detail)
    count, newline, ledger = detail.partition(b"\n")
    if not newline:
        return repr(detail)
    _, ids, times, decided, rejected = msgspec.msgpack.decode(ledger)
    sources = [ids[at : at + 8][::-1].hex() for at in range(0, len(ids), 8)]
    known = " ".join(f"{source}:{runs}" for source, runs in zip(sources, decided, strict=True))
    return f"count {count.decode()} times {times} rejected {rejected} {known}"
