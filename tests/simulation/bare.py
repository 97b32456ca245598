"""What at-least-once promises of a counter that is a bare integer, and no more than that.

Every write is the sum, or the decisions in their order, of the events that its consumer was handed,
each once. So the count is never less than what was acknowledged, and no bound is crossed.
"""

from collections.abc import Iterable, Sequence

from tally.counters.event import INT64_MAX, INT64_MIN
from tests.simulation.facts import NO_MAX, Fact
from tests.simulation.timeline import violated


def once_each(facts: Iterable[Fact]) -> list[Fact]:
    """The events of a batch, each by its first copy."""
    first: dict[tuple[int | None, int], Fact] = {}
    for fact in facts:
        first.setdefault((fact.source, fact.seq), fact)
    return list(first.values())


def check_sum(amount: int, facts: Sequence[Fact], most: int) -> None:
    """An addition is the sum of what was handed over, none of which a bound can reject."""
    if any(_is_bounded(fact, most) for fact in facts):
        violated(f"added without asking a bound: {amount}")
    if amount != (total := sum(fact.amount for fact in facts)):
        violated(f"added {amount}, handed over was {total}")


def check_swap(before: int, after: int, facts: Iterable[Fact], most: int) -> None:
    """A swap is what the events make of the count that was there, in their order."""
    count = before
    for fact in facts:
        if fact.reset is not None:
            count = fact.reset
            continue
        high = most if fact.high == NO_MAX else fact.high
        told = count + fact.amount
        if told <= high if fact.amount > 0 else fact.amount == 0 or told >= fact.low:
            count = told
    if after != count:
        violated(f"wrote {after} over {before}, which the events make {count}")


def _is_bounded(fact: Fact, most: int) -> bool:
    high = most if fact.high == NO_MAX else fact.high
    is_up, is_down = fact.amount > 0, fact.amount < 0
    is_bounded = (is_up and high < INT64_MAX) or (is_down and fact.low > INT64_MIN)
    return fact.reset is not None or is_bounded
