"""Sets of sequence numbers kept as runs: the next number costs one addition.

A run list is flat and ascending, `[low, end0, start1, end1, …]`, and means
[low, end0) ∪ [start1, end1) ∪ …; its first run may be empty. Rejected: a watermark with a set,
which is faster for each event but grows without end if one gap never closes.
"""

from bisect import bisect_right
from itertools import accumulate, pairwise

Runs = list[int]
Packed = int | list[int]
"""A run list as it is stored: n for {0 … n-1}, or the differences of the list."""

MAX_END = 2**63
"""One past the greatest sequence number, INT64_MAX."""


def contains(runs: Runs, seq: int) -> bool:
    """Whether a number is in the set: then an odd number of bounds is at or below it."""
    return bisect_right(runs, seq) % 2 == 1


def touches(runs: Runs, seq: int) -> bool:
    """Whether a number's neighbour is in the set, so that adding it makes no new run."""
    return contains(runs, seq - 1) or contains(runs, seq + 1)


def add(runs: Runs, seq: int) -> None:
    """Add a number at or above `low` that is not in the set, and join the runs that it touches."""
    if seq == runs[-1]:
        runs[-1] = seq + 1
        return
    after = bisect_right(runs, seq)
    joins_next = after < len(runs) and runs[after] == seq + 1
    if runs[after - 1] == seq:
        if joins_next:
            del runs[after - 1 : after + 1]
        else:
            runs[after - 1] = seq + 1
    elif joins_next:
        runs[after] = seq
    else:
        runs[after:after] = (seq, seq + 1)


def within(part: Runs, whole: Runs) -> bool:
    """Whether `part` is a subset of `whole`: each of its runs lies in one run of `whole`."""
    for start, end in zip(part[::2], part[1::2], strict=True):
        behind = bisect_right(whole, start)
        if start < end and (behind % 2 == 0 or whole[behind] < end):
            return False
    return True


def upper_half(runs: Runs) -> Runs:
    """The runs from the middle bound on; `low` becomes the start of the first run kept."""
    return runs[len(runs) // 4 * 2 :]


def pack(runs: Runs) -> Packed:
    """The stored form of a run list."""
    if len(runs) == 2 and runs[0] == 0:  # noqa: PLR2004 (one run: its two bounds)
        return runs[1]
    return [runs[0], *(high - low for low, high in pairwise(runs))]


def unpack(packed: Packed) -> Runs:
    """The run list of a stored form.

    Raises:
        ValueError: pack() never makes this form.
    """
    if isinstance(packed, int):
        packed = [0, packed]
    elif packed[:1] == [0] and len(packed) == 2:  # noqa: PLR2004 (as above)
        msg = "a single run from 0 is stored as a number"
        raise ValueError(msg)
    runs = list(accumulate(packed))
    if not runs or len(runs) % 2 or 0 in packed[2:] or runs[-1] > MAX_END or runs[-1] == runs[0]:
        msg = f"{packed} are no runs"
        raise ValueError(msg)
    return runs
