"""Who counts the same increments in turn, what it took each, and that all of it was counted."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from benchmarks.speed.consumers import Handle, MiscountedError, unread, warm_up
from benchmarks.speed.timing import Timed, interleaved, timed
from benchmarks.speed.workload import PRODUCERS, Workload

COUNTERS = 100
"""Of the comparisons."""

LEAST_INCREMENTS = 100
"""Of one repeat: batches smaller than this come several at a time, for a clock to see them."""

TWICE = "twice"
"""What the names of the counters end with whose increments are delivered twice."""

Work = Callable[[Any], Any]
"""Counts a batch, or what was prepared of it."""

Read = Callable[[list[str]], Mapping[str, int]]
"""Tells how counters stand."""


class Entrant(NamedTuple):
    """Somebody who counts.

    Attributes:
        handle: counts a batch.
        packed: whether its messages are packed.
        read: tells what was counted, which is checked; None of one that counts nothing.
        counters: what the names of its counters begin with: entrants on one server share none.
        prepare: makes of a batch what `handle` is given, in no time that is measured.
    """

    handle: Work
    packed: bool = False
    read: Read | None = None
    counters: str = "page"
    prepare: Callable[[dict[str, Any]], Any] = lambda event: event


class Match(msgspec.Struct, frozen=True):
    """What came of batches of one size: of each entrant a time for each repeat.

    Attributes:
        size: increments in a batch.
        increments: of a repeat.
        times: by entrant.
    """

    size: int
    increments: int
    times: dict[str, list[Timed]]

    def rates(self, name: str) -> list[float]:
        """Increments a second, repeat by repeat."""
        return [self.increments / each.wall_s for each in self.times[name]]

    def cpu_us(self, name: str) -> list[float]:
        """CPU an increment, in µs, repeat by repeat."""
        return [each.cpu_s / self.increments * 1e6 for each in self.times[name]]


def matches(
    entrants: Mapping[str, Entrant],
    sizes: Iterable[int],
    *,
    repeats: int,
    seed: int,
    counters: int = COUNTERS,
    label: str = "",
) -> list[Match]:
    """Let the entrants count the same increments, in turn, and see that they did.

    Args:
        entrants: by name.
        sizes: of the batches, one match for each.
        repeats: of each match.
        seed: of the increments.
        counters: that they are for.
        label: what the names of these go on with; each comparison needs counters of its own.

    Raises:
        MiscountedError: somebody did not.
    """
    workloads = drawn(entrants, seed, counters, label=label)
    with unread():
        for name, entrant in entrants.items():
            warm_up(_prepared(entrant), workloads[name])
        played = [_match(entrants, workloads, size, repeats) for size in sizes]
    check(entrants, workloads)
    return played


def drawn(
    entrants: Mapping[str, Entrant],
    seed: int,
    counters: int,
    *,
    sources: int = PRODUCERS,
    label: str = "",
) -> dict[str, Workload]:
    """The same increments for each entrant, on counters of its own."""
    return {
        name: Workload(seed, counters, sources=sources, name=entrant.counters + label)
        for name, entrant in entrants.items()
    }


def check(entrants: Mapping[str, Entrant], workloads: Mapping[str, Workload]) -> None:
    """See that everybody counted all of it.

    Raises:
        MiscountedError: somebody did not.
    """
    for name, entrant in entrants.items():
        if entrant.read and entrant.read(workloads[name].counters) != workloads[name].published:
            raise MiscountedError(name)


def times_counted(
    entrants: Mapping[str, Entrant], seed: int, counters: int = COUNTERS
) -> dict[str, int]:
    """How often each entrant that counts has counted what was delivered twice.

    Args:
        entrants: by name.
        seed: of the increments.
        counters: that they are for, one for each.

    Raises:
        MiscountedError: some of it once, and some twice.
    """
    told = {}
    for name, entrant in entrants.items():
        if entrant.read is None:
            continue
        workload = Workload(seed, counters, name=entrant.counters + TWICE)
        event = workload.of_each_counter().event
        with unread():
            entrant.handle(event)
            entrant.handle(event)
        counted = set(entrant.read(workload.counters).values())
        if len(counted) != 1:
            raise MiscountedError(name)
        told[name] = counted.pop()
    return told


def _match(
    entrants: Mapping[str, Entrant], workloads: Mapping[str, Workload], size: int, repeats: int
) -> Match:
    batches = max(1, LEAST_INCREMENTS // size)

    def runner(name: str) -> Callable[[int], Timed]:
        handle, packed, _, _, prepare = entrants[name]

        def run(_repeat: int) -> Timed:
            given = [
                prepare(workloads[name].batch(size, packed=packed).event) for _ in range(batches)
            ]
            return timed(lambda: [handle(each) for each in given])

        return run

    times = interleaved({name: runner(name) for name in entrants}, range(repeats))
    return Match(size, size * batches, times)


def _prepared(entrant: Entrant) -> Handle:
    return lambda event: entrant.handle(entrant.prepare(event))
