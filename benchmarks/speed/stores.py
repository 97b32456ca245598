"""Ours on each store where the store counts most: a swap an event, and longer and longer values."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from benchmarks.speed import consumers
from benchmarks.speed.arena import MEMORY, OURS, VALKEY
from benchmarks.speed.consumers import Handle, unread, warm_up
from benchmarks.speed.growth import DAY_MS
from benchmarks.speed.matches import Entrant, check, drawn
from benchmarks.speed.timing import Timed, interleaved, timed
from benchmarks.speed.workload import Workload
from tally.stores.memory import MemoryStore

SWAPS = 1_000
"""Of a repeat."""

READ_S = 1.0
"""What reading values out of this process's memory may take, in seconds."""


class Place(NamedTuple):
    """How many counters are swapped by a batch, and how many sources each of them knows."""

    counters: int
    sources: int


PLACES = (Place(1_000, 4), Place(100, 4), Place(100, 90), Place(100, 290))
"""Values of some 60, 60, 1,000 and 3,000 bytes."""


class Swapped(msgspec.Struct, frozen=True):
    """What SWAPS swaps took, in batches of one event for each counter.

    Attributes:
        place: what was swapped.
        value_bytes: the longest value.
        times: by entrant, repeat by repeat.
    """

    place: Place
    value_bytes: int
    times: dict[str, list[Timed]]

    def cpu_us(self, name: str) -> list[float]:
        """CPU a swap, in µs, repeat by repeat."""
        return [each.cpu_s / SWAPS * 1e6 for each in self.times[name]]

    def beyond_us(self, name: str) -> list[float]:
        """CPU a swap beyond what the same takes in memory, in µs, repeat by repeat."""
        pairs = zip(self.cpu_us(name), self.cpu_us(MEMORY), strict=True)
        return [stored - kept for stored, kept in pairs]

    def rates(self, name: str) -> list[float]:
        """Swaps a second, repeat by repeat."""
        return [SWAPS / each.wall_s for each in self.times[name]]


def swap(
    entrants: Mapping[str, Entrant], places: Iterable[Place], *, repeats: int, seed: int
) -> list[Swapped]:
    """Let ours swap on each store, in turn, and see that it counted.

    Args:
        entrants: ours on Momento, and on Valkey where there is one.
        places: what is swapped.
        repeats: of each place.
        seed: of the increments.

    Raises:
        MiscountedError: not all was counted.
    """
    stored = {name: entrants[name] for name in (VALKEY, OURS) if name in entrants}
    return [_swapped(stored, place, repeats, seed) for place in places]


def _swapped(stored: Mapping[str, Entrant], place: Place, repeats: int, seed: int) -> Swapped:
    memory = MemoryStore()
    in_memory = Entrant(
        consumers.in_store(memory), read=lambda counters: consumers.counts(memory, counters)
    )
    entrants = {MEMORY: in_memory, **stored}
    label = f"-{place.counters}-{place.sources}"
    workloads = drawn(entrants, seed, place.counters, sources=place.sources, label=label)
    with unread():
        for name, entrant in entrants.items():
            entrant.handle(workloads[name].of_each_source(DAY_MS // place.sources).event)
            warm_up(entrant.handle, workloads[name])
        runs = {name: _run(entrants[name].handle, workloads[name]) for name in entrants}
        times = interleaved(runs, range(repeats))
    check(entrants, workloads)
    values, _ = memory.values(workloads[MEMORY].counters, READ_S)
    return Swapped(place, max(len(value or b"") for value in values), times)


def _run(handle: Handle, workload: Workload) -> Callable[[int], Timed]:
    def run(_repeat: int) -> Timed:
        batches = SWAPS // len(workload.counters)
        events = [workload.of_each_counter().event for _ in range(batches)]
        return timed(lambda: [handle(event) for event in events])

    return run
