"""The shards of a hot counter: how they are named, and which one a source's increments go to."""

from collections.abc import Iterator

MAX_SHARDS = 100
"""The most parts of one counter: one call to Momento reads them all (`MAX_COUNTERS_PER_CALL`)."""

MARK = "#"


def shard_names(counter: str, shards: int) -> Iterator[str]:
    """The names of all shards: `hot#0` to `hot#7` of eight."""
    return (f"{counter}{MARK}{shard}" for shard in range(shards))


def shard_name(counter: str, shards: int, source: int) -> str:
    """The shard that has all increments of a source: its ledger must see each of their repeats."""
    return f"{counter}{MARK}{source % shards}"


def check_shards(shards: int) -> None:
    """See that a number of shards can be.

    Raises:
        ValueError: it is not 1 to MAX_SHARDS.
    """
    if not 1 <= shards <= MAX_SHARDS:
        message = f"shards must be 1 to {MAX_SHARDS}, found {shards}"
        raise ValueError(message)
