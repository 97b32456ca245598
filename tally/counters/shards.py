"""The shards of a hot counter: their names, and which one an increment goes to."""

from collections.abc import Iterator

from msgspec import UNSET
from msgspec.structs import replace

from tally.counters.errors import InvalidIncrementError, check_number, shown
from tally.counters.event import MAX_COUNTER_BYTES, Increment
from tally.counters.identity import name_of

MAX_SHARDS = 100
"""The most shards of one counter: one call reads them all (`MAX_COUNTERS_PER_CALL`)."""

MARK = "#"


def shard_names(counter: str, shards: int) -> Iterator[str]:
    """The names of all shards: `hot#0` to `hot#7` if there are eight."""
    return (f"{counter}{MARK}{shard}" for shard in range(shards))


def shard_name(counter: str, shards: int, source: int) -> str:
    """The shard for all increments of a source: one ledger must see all of their repeats."""
    return f"{counter}{MARK}{source % shards}"


def sharded(increment: Increment, shards: int) -> Increment:
    """An increment that has an identity, under the name of its shard."""
    source = name_of(increment).source
    return replace(increment, counter=shard_name(increment.counter, shards, source))


def check_shards(shards: int) -> None:
    """Check a number of shards.

    Raises:
        ArgumentError: it is not 1 to MAX_SHARDS.
    """
    check_number("shards", shards, 1, MAX_SHARDS)


def check_shardable(increment: Increment, shards: int) -> None:
    """Check that an increment means the same in every shard.

    Raises:
        InvalidIncrementError: it has a bound or a reset, which need the whole count, or its
            counter's name has no room for the longest number of a shard.
    """
    for field in ("max", "min", "reset"):
        value = getattr(increment, field)
        if value is not UNSET:
            reason = "is not possible with shards, none of which knows the whole count"
            raise InvalidIncrementError(field, reason, shown(value))
    length = len(increment.counter.encode()) + len(f"{MARK}{shards - 1}")
    if length > MAX_COUNTER_BYTES:
        reason = f"has {length} bytes with the number of a shard, over {MAX_COUNTER_BYTES}"
        raise InvalidIncrementError("counter", reason, shown(increment.counter))
