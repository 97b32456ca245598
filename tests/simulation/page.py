"""Reads a stored value by docs/format.md, "The value", and shares no line with ours."""

from itertools import accumulate
from typing import NamedTuple

import msgspec

from tests.simulation.timeline import violated

Runs = int | list[int]
MAX_MEMBERS = 100_000


class Line(NamedTuple):
    """What a value says of one source; `seen` in seconds."""

    seen: int
    decided: Runs
    rejected: Runs | None


class Page(NamedTuple):
    """What a value says."""

    total: int
    floor: int
    lines: dict[int, Line]


def read(value: bytes) -> Page:
    """Read a value that has just been written.

    Raises:
        ViolationError: it is none.
    """
    head, newline, ledger = value.partition(b"\n")
    if not newline:
        violated(f"wrote a value without a ledger: {value!r}")
    version, ids, times, decided, rejected = msgspec.msgpack.decode(ledger, strict=True)
    if version != 1:
        violated(f"wrote version {version}")
    floor, *seen = accumulate(times)
    sources = [int.from_bytes(ids[at : at + 8], "little") for at in range(0, len(ids), 8)]
    if seen != sorted(seen) or not len(sources) == len(set(sources)) == len(seen) == len(decided):
        violated(f"wrote columns that do not belong together: {value!r}")
    lines = {
        source: Line(seen[place], decided[place], rejected.get(place))
        for place, source in enumerate(sources)
    }
    return Page(int(head), floor, lines)


def members(runs: Runs) -> tuple[int, set[int]]:
    """The low of a run list, and the numbers in it."""
    bounds = [0, runs] if isinstance(runs, int) else list(accumulate(runs))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
    if sum(end - start for start, end in pairs) > MAX_MEMBERS:
        violated(f"runs of more than was ever published: {bounds}")
    return bounds[0], {seq for start, end in pairs for seq in range(start, end)}
