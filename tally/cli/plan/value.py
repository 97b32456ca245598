"""How long a stored counter is, by the format of columns.py, without building one."""

from dataclasses import dataclass

from tally.counters.columns import SOURCE_BYTES

COUNT_DIGITS_MAX = 19
"""Of INT64_MAX: a plan takes the count to be as long as it can get."""

FLOOR_BYTES = 1
"""The floor is 0 while nothing is forgotten …"""

FIRST_SEEN_BYTES = 5
"""… and the first `seen`, its distance from it, is a second of these decades. Once sources are
forgotten the floor is as long, and that distance shorter or as long: up to 4 bytes more."""

_BYTE, _SHORT, _WORD = 1 << 8, 1 << 16, 1 << 32
_SMALL_INTEGER, _SMALL_ARRAY = 1 << 7, 1 << 4
"""Below these MessagePack needs no length of its own (its specification, "Formats")."""


@dataclass(frozen=True)
class EvenLedger:
    """What a ledger holds, taken as even: each source like any other, and none rejected.

    Each has decided so many seqs; `gaps` are the single ones that it misses, evenly spread, and
    `spacing_s` is the time between the last events of one source and the next.
    """

    sources: int
    seqs: int
    gaps: int = 0
    spacing_s: int = 0


def value_bytes(ledger: EvenLedger, count_digits: int = COUNT_DIGITS_MAX) -> int:
    """The length of the value while nothing is forgotten, in bytes."""
    ids = SOURCE_BYTES * ledger.sources
    later = (ledger.sources - 1) * _integer_bytes(ledger.spacing_s)
    return (
        count_digits
        + len("\n")
        + _array_bytes(5)
        + _integer_bytes(1)
        + _binary_bytes(ids)
        + _array_bytes(ledger.sources + 1)
        + (FLOOR_BYTES + FIRST_SEEN_BYTES + later)
        + _array_bytes(ledger.sources)
        + ledger.sources * _decided_bytes(ledger)
        + len(b"\x80")
    )


def _decided_bytes(ledger: EvenLedger) -> int:
    """One source: a number, or with gaps the differences of `[0, end0, start1, end1, …]`."""
    run = -(-ledger.seqs // (ledger.gaps + 1))
    if not ledger.gaps:
        return _integer_bytes(run)
    bounds = 2 * (ledger.gaps + 1)
    runs = (ledger.gaps + 1) * _integer_bytes(run)
    return _array_bytes(bounds) + _integer_bytes(0) + runs + ledger.gaps * _integer_bytes(1)


def _integer_bytes(number: int) -> int:
    if number < _SMALL_INTEGER:
        return 1
    if number < _BYTE:
        return 2
    if number < _SHORT:
        return 3
    return 5 if number < _WORD else 9


def _array_bytes(length: int) -> int:
    """The head of an array; its items come after it."""
    if length < _SMALL_ARRAY:
        return 1
    return 3 if length < _SHORT else 5


def _binary_bytes(length: int) -> int:
    """A string of bytes, with its head."""
    if length < _BYTE:
        return length + 2
    return length + (3 if length < _SHORT else 5)
