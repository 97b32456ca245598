"""The stored form of a ledger: one column for each field, so that the codec runs in C."""

import struct
from itertools import accumulate, pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tally.counters.errors import UnreadableValueError
from tally.counters.runs import MAX_END, Packed, unpack, within

VERSION = 1
SOURCE_BYTES = 8
MAX_SEEN_S = 2**63 // 1_000 + 1
"""The latest `at`, INT64_MAX in ms, rounded up to a second."""

_Natural = Annotated[int, Meta(ge=0)]
_PackedRuns = _Natural | list[_Natural]
_Stored = tuple[int, bytes, list[_Natural], list[_PackedRuns], dict[_Natural, _PackedRuns]]
_DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(_Stored)
_ENCODER = msgspec.msgpack.Encoder()


class Columns(msgspec.Struct, gc=False):
    """Sources in the order in which they were last seen; each has one place in every column.

    `floor` and `seen` are in seconds since the epoch. `decided` and `rejected` are packed runs;
    `rejected` has only the places of sources with a rejection.
    """

    floor: int
    ids: list[int]
    seen: list[int]
    decided: list[Packed]
    rejected: dict[int, Packed]

    def without(self, dropped: int) -> "Columns":
        """The columns without the first `dropped` sources; the floor rises to the last of them."""
        if not dropped:
            return self
        return Columns(
            max(self.floor, self.seen[dropped - 1]),
            self.ids[dropped:],
            self.seen[dropped:],
            self.decided[dropped:],
            {place - dropped: runs for place, runs in self.rejected.items() if place >= dropped},
        )


def empty() -> Columns:
    """The columns of a ledger that knows no source."""
    return Columns(0, [], [], [], {})


def encode(columns: Columns) -> bytes:
    """MessagePack of `[1, ids, times, decided, rejected]`; docs/format.md, "The value"."""
    ids = struct.pack(f"<{len(columns.ids)}Q", *columns.ids)
    bounds = [columns.floor, *columns.seen]
    times = [columns.floor, *(after - before for before, after in pairwise(bounds))]
    return _ENCODER.encode([VERSION, ids, times, columns.decided, columns.rejected])


def decode(stored: bytes) -> Columns:
    """Read columns and check everything: a misread value would be written back as truth.

    Raises:
        UnreadableValueError: encode() of this version never makes these bytes.
    """
    try:
        _, ids, times, decided, rejected = _checked_version(stored)
        floor, *seen = accumulate(times)
        columns = Columns(
            floor,
            list(struct.unpack(f"<{len(ids) // SOURCE_BYTES}Q", ids)),
            seen,
            decided,
            rejected,
        )
        _check(columns)
    except (msgspec.DecodeError, struct.error, ValueError, RecursionError) as error:
        msg = f"the ledger cannot be read: {error}"
        raise UnreadableValueError(msg) from error
    return columns


def _checked_version(stored: bytes) -> Any:  # noqa: ANN401 (what _DECODER has checked)
    """The five fields; a later version may have others, and raises an error that names it."""
    try:
        fields = _DECODER.decode(stored)
    except msgspec.ValidationError:
        match msgspec.msgpack.decode(stored):
            case [int(version), *_] if version != VERSION:
                msg = f"version {version} is not {VERSION}"
                raise ValueError(msg) from None
        raise
    if fields[0] != VERSION:
        msg = f"version {fields[0]} is not {VERSION}"
        raise ValueError(msg)
    return fields


def _check(columns: Columns) -> None:
    """Check what types cannot state. Most runs are plain numbers, and need no call."""
    count = len(columns.ids)
    same_length = count == len(columns.seen) == len(columns.decided)
    if not same_length or len(set(columns.ids)) != count:
        msg = "its columns do not belong together"
        raise ValueError(msg)
    latest = columns.seen[-1] if columns.seen else columns.floor
    if latest > MAX_SEEN_S:
        msg = f"a time of {latest} s"
        raise ValueError(msg)
    for packed in columns.decided:
        if not 0 < packed <= MAX_END if isinstance(packed, int) else unpack(packed)[0]:
            msg = f"{packed} are no decided runs"
            raise ValueError(msg)
    for place, packed in columns.rejected.items():
        if place >= count or not within(unpack(packed), unpack(columns.decided[place])):
            msg = f"rejections {packed} of what source {place} has not decided"
            raise ValueError(msg)
