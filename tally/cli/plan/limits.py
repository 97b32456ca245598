"""Whether a load fits; and if not, which setting to change, found by trying."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any

from tally.cli.plan.bill import COPIES_ALARM_METRICS
from tally.cli.plan.figures import Figures
from tally.cli.plan.load import (
    MAX_BATCH_SIZE,
    MAX_CONSUMERS,
    MAX_IN_FLIGHT,
    MAX_UNGATHERED,
    MEMORIES_MB,
    MIN_CONSUMERS,
    TIMEOUTS_S,
    WINDOWS_S,
    IdentityForm,
    Load,
)
from tally.cli.plan.terms import ITEM_UNITS_PER_S, NEW_TABLE_UNITS_PER_S
from tally.publishing.packing import BILLED_BYTES as MESSAGE_BILLED_BYTES
from tally.settling.progress import MAX_THROTTLED_TRIES
from tally.settling.rounds import MAX_RESERVED_SHARE, RESERVE_PER_MESSAGE_S, RESERVE_S
from tally.stores.momento.calls import BILLED_BYTES

MAX_CONTENTION = 0.5
"""M · (round trip + fold) may be at most half of the time between a consumer's batches: past that,
consumers lose more and more swaps to each other, and more consumers do less."""

MAX_ADVICE = 8
"""The most pieces of advice: one for each setting, or as many pairs."""

MAX_CHANGES = 9
"""The most steps to a way with more than two changes; one setting may take several of them."""

Steps = Sequence[float]
"""The values worth trying in each power of ten: people set round numbers."""

FINE: Steps = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
COARSE: Steps = (1.0, 2.0, 5.0)
"""For two settings at once, which have many more combinations."""


@dataclass(frozen=True)
class Limit:
    """What the load needs of something, and its limit, in the same unit."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def fits(self) -> bool:
        """Whether the load keeps the limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Change:
    """A setting by the name of its field, its value, and its better value."""

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Advice:
    """Changes with which everything fits; `mended` has the limits that were broken."""

    changes: list[Change]
    figures: Figures
    mended: list[Limit]


def limits(figures: Figures) -> list[Limit]:
    """All limits, whether the load keeps them or not."""
    load = figures.load
    if load.durable:
        units = figures.hottest_write_units_per_s
        store = Limit("hottest counter", units, ITEM_UNITS_PER_S, "write units/s")
    else:
        store = Limit("operations", figures.operations_per_s, load.quota_per_s, "/s")
    return [
        store,
        Limit("races", figures.contention, MAX_CONTENTION, "of the time"),
        Limit("events", load.events_per_s, figures.capacity_per_s, "/s"),
        Limit("a full batch", figures.longest_s, _usable_s(figures), "s"),
        Limit("value", figures.value_bytes, figures.terms.limits.max_bytes, "bytes"),
        Limit("in flight", figures.in_flight, MAX_IN_FLIGHT, "messages"),
    ]


def misfits(figures: Figures) -> list[Limit]:
    """The limits that the load breaks."""
    return [each for each in limits(figures) if not each.fits]


def _usable_s(figures: Figures) -> float:
    """The part of its timeout that the consumer uses: the response needs the rest."""
    reserve_s = RESERVE_S + figures.most_messages * RESERVE_PER_MESSAGE_S
    timeout_s = figures.load.timeout_s
    return timeout_s - min(reserve_s, timeout_s * MAX_RESERVED_SHARE)


def notes(figures: Figures) -> list[str]:
    """What breaks no limit but is worth knowing."""
    durable, chunks = figures.load.durable, figures.value_chunks
    found = _table_notes(figures) if durable else []
    if not durable and figures.operations_a_batch > figures.load.quota_per_s:
        found.append(
            f"A batch is {figures.operations_a_batch:,.0f} operations at nearly one moment, more "
            "than the quota of a second. How much of a burst Momento lets through is not "
            f"published; what it throttles {MAX_THROTTLED_TRIES} times goes back to SQS."
        )
    if chunks > 1:
        found.append(
            f"The longest value is billed as {chunks:,} chunks of {BILLED_BYTES:,} bytes, so each "
            f"of its calls costs {chunks:,} times."
        )
    if figures.in_flight_failing > MAX_IN_FLIGHT:
        full_s = MAX_IN_FLIGHT / figures.messages_per_s
        found.append(
            f"If all messages fail, the {MAX_IN_FLIGHT:,} that a queue has in flight at most are "
            f"reached after {full_s:,.0f} s, and SQS hands out no more: pause the consumer then."
        )
    return found


def _table_notes(figures: Figures) -> list[str]:
    found = []
    if figures.write_units_per_s > NEW_TABLE_UNITS_PER_S:
        found.append(
            f"A new table on demand gives {NEW_TABLE_UNITS_PER_S:,} write units a second, and up "
            "to twice its former peak within half an hour: warm it up, or let the load grow."
        )
    found.append(
        f"A cache before the table takes {figures.writes_per_s:,.1f} copies a second, at Momento "
        f"{figures.copy_operations_per_s:,.1f} operations. They, and the {COPIES_ALARM_METRICS} "
        "metrics of their alarm, are in no limit and no price here."
    )
    return found


def advise(figures: Figures) -> list[Advice]:
    """Find the least change of each setting that makes everything fit; if none does, of each pair.

    If no pair does, look for one way with more changes. The list is empty if the load fits, or if
    no way was found.
    """
    broken = {each.name for each in misfits(figures)}
    if not broken:
        return []
    load = figures.load
    found = [least for name in KNOBS for least in islice(_fitting(load, [name], FINE), 1)]
    if not found:
        pairs = combinations(KNOBS, 2)
        found = [least for pair in pairs for least in islice(_fitting(load, pair, COARSE), 1)]
    if not found:
        found = list(_together(load))
    return [_advice(load, changed, broken) for changed in found[:MAX_ADVICE]]


def _fitting(load: Load, names: Sequence[str], steps: Steps) -> Iterator[Figures]:
    """The changes of these settings with which all fits; the first changes the least."""
    if names:
        name, *others = names
        for value in KNOBS[name](load, steps):
            yield from _fitting(replace(load, **{name: value}), others, steps)
    elif not misfits(figures := Figures(load)):
        yield figures


def _together(load: Load) -> Iterator[Figures]:
    """One way with more changes with which all fits, if the best change each time leads to it."""
    best = Figures(load)
    for _ in range(MAX_CHANGES):
        former, turned = best, _turned(best.load, KNOBS)
        best = min(turned, key=_excess, default=former)
        if _excess(best) >= _excess(former):
            return
        if not misfits(best):
            yield Figures(_least(load, best.load))
            return


def _least(load: Load, changed: Load) -> Load:
    """The changed load with each of its changes made as small as it may be."""
    for name in KNOBS:
        before = replace(changed, **{name: vars(load)[name]})
        tried = (before, *(each.load for each in _turned(before, [name])))
        changed = next((each for each in tried if not misfits(Figures(each))), changed)
    return changed


def _turned(load: Load, names: Iterable[str]) -> Iterator[Figures]:
    """The figures with one of these settings changed, for each of its other values."""
    for name in names:
        for value in KNOBS[name](load, FINE):
            yield Figures(replace(load, **{name: value}))


def _excess(figures: Figures) -> float:
    """The largest ratio of a value to its limit; over 1, the load does not fit."""
    return max(each.value / each.limit for each in limits(figures))


def _advice(load: Load, figures: Figures, broken: set[str]) -> Advice:
    old, new = vars(load), vars(figures.load)
    changes = [Change(name, old[name], new[name]) for name in old if old[name] != new[name]]
    return Advice(changes, figures, [each for each in limits(figures) if each.name in broken])


def _batch_sizes(load: Load, steps: Steps) -> list[int]:
    most = MAX_BATCH_SIZE if load.window_s else MAX_UNGATHERED
    return _around(load.batch_size, _round_numbers(1, most, steps))


def _consumers(load: Load, steps: Steps) -> list[int]:
    return _around(load.consumers, _round_numbers(MIN_CONSUMERS, MAX_CONSUMERS, steps))


def _packed(load: Load, steps: Steps) -> list[int]:
    """More increments in a message, as long as SQS bills it as one request."""
    most = load.packed * MESSAGE_BILLED_BYTES // load.body_bytes
    return _round_numbers(load.packed + 1, most, steps)


def _sources(load: Load, steps: Steps) -> list[int]:
    """Fewer: producers that live longer, or each counter published by fewer of them."""
    return _round_numbers(1, load.sources - 1, steps)[::-1]


def _quotas(load: Load, _: Steps) -> list[float]:
    """What is needed, rounded up."""
    needed = math.ceil(Figures(load).operations_per_s)
    enough = _round_numbers(needed, 10 * needed, FINE)[0]
    is_short = needed > load.quota_per_s and not load.durable
    return [float(enough)] if is_short else []


KNOBS: dict[str, Callable[[Load, Steps], Iterable[Any]]] = {
    "window_s": lambda load, _: (each for each in WINDOWS_S if each > load.window_s),
    "consumers": _consumers,
    "batch_size": _batch_sizes,
    "packed": _packed,
    "memory_mb": lambda load, _: _around(load.memory_mb, MEMORIES_MB),
    "timeout_s": lambda load, _: (each for each in TIMEOUTS_S if each > load.timeout_s),
    "identity": lambda load, _: {IdentityForm.NATIVE} - {load.identity},
    "sources": _sources,
    "quota_per_s": _quotas,  # last, since the needed quota depends on the others
}
"""The other values of a setting, by the name of its field, the least change first."""


def _round_numbers(low: int, high: int, steps: Steps) -> list[int]:
    """The round numbers from low to high, ascending."""
    powers = range(len(str(high)))
    numbers = {round(step * 10**power) for power in powers for step in steps}
    return sorted(number for number in numbers if low <= number <= high)


def _around(current: int, numbers: Iterable[int]) -> list[int]:
    """Numbers other than the current one, sorted by their ratio to it."""
    others = {number for number in numbers if number != current}
    return sorted(others, key=lambda number: abs(math.log(number / current)))
