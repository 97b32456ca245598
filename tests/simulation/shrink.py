"""Cuts a failing plan down: fewer faults, actors, letters and events, as long as it still fails."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tally.counters.ledger import Limits
from tests.simulation.plan import Plan
from tests.simulation.run import Outcome

MAX_TRIES = 600
"""Runs that the search for a shorter history may take."""

RESEEDS = 3
"""A cut moves what is drawn after it, so each is tried on so many seeds."""

SIZES = ("consumers", "producers", "counters", "letters", "letter_events", "batch_letters")


class Shrunk(NamedTuple):
    """The shortest plan found, and after how many runs."""

    plan: Plan
    tries: int


def shrink(plan: Plan, play: Callable[[Plan], Outcome]) -> Shrunk:
    """Take every cut after which a plan still fails, until none is left or MAX_TRIES is reached."""
    tries = 0
    outcome = play(plan)
    progress = bool(outcome.violation)
    while progress and tries < MAX_TRIES:
        progress = False
        for cut in _cuts(plan, outcome.totals["messages"] + len(plan.dropped)):
            tries += 1
            tried = play(cut)
            if tried.violation:
                plan, outcome, progress = cut, tried, True
                break
            if tries == MAX_TRIES:
                break
    return Shrunk(plan, tries)


def _cuts(plan: Plan, letters: int) -> Iterator[Plan]:
    """Plans a little smaller, the greatest cuts first."""
    for cut in _smaller(plan):
        yield cut
        for number in range(RESEEDS - 1):
            yield dataclasses.replace(cut, seed=f"{cut.seed.partition('.')[0]}.{number}")
    yield from _without_letters(plan, letters)


def _smaller(plan: Plan) -> Iterator[Plan]:
    for name in SIZES:
        size = getattr(plan, name)
        for less in dict.fromkeys((1, size // 2, size - 1)):
            if 0 < less < size:
                yield _replaced(plan, name, less)
    for kind in plan.rates:
        rates = {other: rate for other, rate in plan.rates.items() if other is not kind}
        yield dataclasses.replace(plan, rates=rates)
    for name in Limits.__struct_fields__:
        usual = getattr(Limits(), name)
        if getattr(plan.limits, name) != usual:
            limits = Limits(**{**_fields(plan.limits), name: usual})
            yield dataclasses.replace(plan, limits=limits)


def _without_letters(plan: Plan, letters: int) -> Iterator[Plan]:
    """Halves, quarters … and single letters left out: these move no other letter."""
    left = [number for number in range(letters) if number not in plan.dropped]
    size = len(left) // 2
    while size:
        for start in range(0, len(left), size):
            less = plan.dropped | frozenset(left[start : start + size])
            yield dataclasses.replace(plan, dropped=less)
        size //= 2


def _replaced(plan: Plan, name: str, less: int) -> Plan:
    match name:
        case "consumers":
            return dataclasses.replace(plan, consumers=less)
        case "producers":
            return dataclasses.replace(plan, producers=less)
        case "counters":
            return dataclasses.replace(plan, counters=less)
        case "letters":
            return dataclasses.replace(plan, letters=less)
        case "letter_events":
            return dataclasses.replace(plan, letter_events=less)
        case _:
            return dataclasses.replace(plan, batch_letters=less)


def _fields(limits: Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in Limits.__struct_fields__}
