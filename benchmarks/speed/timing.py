"""Times, and what many of them say: medians, spreads, and ratios of what ran side by side."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

Told = TypeVar("Told")


class Spread(msgspec.Struct, frozen=True):
    """What repeats came to: the median, the least and the greatest."""

    median: float
    low: float
    high: float


class Timed(msgspec.Struct, frozen=True):
    """How long a piece of work took, by the clock and in CPU of this process, all its threads."""

    wall_s: float
    cpu_s: float


def spread(values: Iterable[float]) -> Spread:
    """The median of some values, and how far they lie apart."""
    ordered = sorted(values)
    return Spread(statistics.median(ordered), ordered[0], ordered[-1])


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Repeat by repeat: what two did one after the other had the same machine, noise included."""
    return [top / bottom for top, bottom in zip(numerators, denominators, strict=True)]


def timed(work: Callable[[], object]) -> Timed:
    """Time a piece of work; the garbage of others is collected before it, not in it."""
    gc.collect()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return Timed(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def interleaved(
    runs: Mapping[str, Callable[[int], Told]], repeats: Iterable[int]
) -> dict[str, list[Told]]:
    """Let each run in turn, A B C A B C …, and give what each told.

    Args:
        runs: what is compared, by name; each is told the repeat's number.
        repeats: the numbers of the repeats.
    """
    told: dict[str, list[Told]] = {name: [] for name in runs}
    for number in repeats:
        for name, run in runs.items():
            told[name].append(run(number))
    return told
