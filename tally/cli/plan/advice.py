"""Which setting to change to what, when a load does not fit: found by trying, not by rule."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tally.cli.plan.batches import body_bytes
from tally.cli.plan.checks import Check, check, misfits
from tally.cli.plan.model import estimate
from tally.cli.plan.settings import (
    MAX_BATCH_SIZE,
    MAX_CONSUMERS,
    MAX_UNGATHERED,
    MEMORIES_MB,
    MIN_CONSUMERS,
    TIMEOUTS_S,
    WINDOWS_S,
    Identity,
    Settings,
)
from tally.publishing.packing import BILLED_BYTES

MAX_ADVICE = 8
"""Pieces of advice at most: one for each setting, or as many of the pairs."""

Steps = Sequence[float]
"""In each power of ten the values worth trying: people set round numbers."""

FINE: Steps = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
COARSE: Steps = (1.0, 2.0, 5.0)
"""For two settings at once, which are many more to try."""


@dataclass(frozen=True)
class Change:
    """A setting by the name of its field, its value, and what to make it."""

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Advice:
    """One or two changes with which everything fits.

    Attributes:
        changes: to the settings that were asked about.
        settings: with the changes made.
        checks: of the limits that were broken, kept now.
    """

    changes: list[Change]
    settings: Settings
    checks: list[Check]


def advise(settings: Settings) -> list[Advice]:
    """Find the least change of each setting that makes everything fit, of pairs where none does.

    Nothing is advised for a load that fits, and for one that no two changes help.
    """
    broken = {each.name for each in misfits(settings)}
    if not broken:
        return []
    found = [least for knob in KNOBS for least in _least(settings, [knob], FINE)]
    if not found:
        pairs = itertools.combinations(KNOBS, 2)
        found = [least for pair in pairs for least in _least(settings, pair, COARSE)]
    return [_told(settings, changed, broken) for changed in found[:MAX_ADVICE]]


Knob = Callable[[Settings, Steps], Iterable[Settings]]
"""The settings with another value of one of them, the least change first."""


def _least(settings: Settings, knobs: Sequence[Knob], steps: Steps) -> Iterator[Settings]:
    """The first combination that fits, if there is one; the first knob is turned the least."""
    yield from itertools.islice(_fitting(settings, knobs, steps), 1)


def _fitting(settings: Settings, knobs: Sequence[Knob], steps: Steps) -> Iterator[Settings]:
    if knobs:
        for changed in knobs[0](settings, steps):
            yield from _fitting(changed, knobs[1:], steps)
    elif not misfits(settings):
        yield settings


def _windows(settings: Settings, _: Steps) -> Iterator[Settings]:
    for window_s in WINDOWS_S:
        if window_s > settings.window_s:
            yield replace(settings, window_s=window_s)


def _batch_sizes(settings: Settings, steps: Steps) -> Iterator[Settings]:
    most = MAX_BATCH_SIZE if settings.window_s else MAX_UNGATHERED
    for size in _around(settings.batch_size, _round_numbers(1, most, steps)):
        yield replace(settings, batch_size=size)


def _consumers(settings: Settings, steps: Steps) -> Iterator[Settings]:
    possible = _round_numbers(MIN_CONSUMERS, MAX_CONSUMERS, steps)
    for consumers in _around(settings.consumers, possible):
        yield replace(settings, consumers=consumers)


def _packed(settings: Settings, steps: Steps) -> Iterator[Settings]:
    """More increments in a message, as far as SQS bills it as one request."""
    fewer = settings.packed * BILLED_BYTES // body_bytes(settings)
    for packed in _round_numbers(settings.packed + 1, fewer, steps):
        yield replace(settings, packed=packed)


def _memories(settings: Settings, _: Steps) -> Iterator[Settings]:
    for memory_mb in _around(settings.memory_mb, MEMORIES_MB):
        yield replace(settings, memory_mb=memory_mb)


def _timeouts(settings: Settings, _: Steps) -> Iterator[Settings]:
    for timeout_s in TIMEOUTS_S:
        if timeout_s > settings.timeout_s:
            yield replace(settings, timeout_s=timeout_s)


def _sources(settings: Settings, steps: Steps) -> Iterator[Settings]:
    """Fewer: producers that live longer, or each counter published by fewer of them."""
    for sources in reversed(_round_numbers(1, settings.sources - 1, steps)):
        yield replace(settings, sources=sources)


def _identities(settings: Settings, _: Steps) -> Iterator[Settings]:
    if settings.identity is not Identity.NATIVE:
        yield replace(settings, identity=Identity.NATIVE)


def _quotas(settings: Settings, _: Steps) -> Iterator[Settings]:
    """What is needed, rounded up."""
    needed = math.ceil(estimate(settings).momento.operations_per_s)
    if needed > settings.quota_per_s:
        yield replace(settings, quota_per_s=float(_round_numbers(needed, 10 * needed, FINE)[0]))


KNOBS: Sequence[Knob] = (
    *(_windows, _consumers, _batch_sizes, _packed, _memories, _timeouts, _identities, _sources),
    _quotas,  # the last, since what it needs depends on the others
)


def _round_numbers(low: int, high: int, steps: Steps) -> list[int]:
    """The round numbers from low to high, ascending."""
    powers = range(len(str(high)))
    numbers = {round(step * 10**power) for power in powers for step in steps}
    return sorted(number for number in numbers if low <= number <= high)


def _around(current: int, numbers: Iterable[int]) -> list[int]:
    """Numbers other than the current one, by how many times as much or as little they are."""
    others = {number for number in numbers if number != current}
    return sorted(others, key=lambda number: abs(math.log(number / current)))


def _told(before: Settings, after: Settings, broken: set[str]) -> Advice:
    old, new = vars(before), vars(after)
    changes = [Change(name, old[name], new[name]) for name in old if old[name] != new[name]]
    mended = [each for each in check(after, estimate(after)) if each.name in broken]
    return Advice(changes, after, mended)
