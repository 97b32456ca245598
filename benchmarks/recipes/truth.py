"""What was really counted: told of every write as it takes effect, whatever a recipe believes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tally.counters.event import Increment
from tests.simulation.page import members, read


class Key(NamedTuple):
    """Which increment: its counter, source and seq."""

    counter: str
    source: int
    seq: int


class Truth:
    """How often each increment is in its counter, and what was overwritten.

    Args:
        published: every increment of the run, each of them by 1.
    """

    def __init__(self, published: Iterable[Increment]) -> None:
        self._bounds: dict[str, int] = {}
        self._asked: dict[str, list[Key]] = {}
        self._times: Counter[Key] = Counter()
        self._overwritten: Counter[str] = Counter()
        for increment in published:
            key = key_of(increment)
            self._bounds[key.counter] = int(increment.max)  # type: ignore[arg-type] # all have one
            self._asked.setdefault(key.counter, []).append(key)

    @property
    def counters(self) -> list[str]:
        """The names of the counters."""
        return list(self._asked)

    def counts(self, name: str) -> bool:
        """Whether this is the name of a counter."""
        return name in self._asked

    def writes(
        self, counter: str, before: bytes | None, after: bytes, told: Mapping[Key, int]
    ) -> None:
        """A write takes effect.

        Args:
            counter: what is written.
            before: what was there.
            after: what is there now.
            told: by how much each increment was to be counted. A value with a ledger tells itself.
        """
        meant = Counter(ledger(counter, after) - ledger(counter, before)) or told
        self._times.update(meant)
        self._overwritten[counter] += count(before) + sum(meant.values()) - count(after)

    def verdict(self, values: Mapping[str, bytes | None], dead: frozenset[Key]) -> Counter[str]:
        """What went wrong, at rest.

        Args:
            values: of each counter.
            dead: the increments that ended in the dead-letter queue.
        """
        total: Counter[str] = Counter()
        for counter, asked in self._asked.items():
            bound, stands_at = self._bounds[counter], count(values[counter])
            counted = sum(self._times[key] > 0 for key in asked)
            missing = [key for key in asked if self._times[key] <= 0]
            buried = sum(key in dead for key in missing)
            overwritten = self._overwritten[counter]
            total["events"] += len(asked)
            total["counters"] += 1
            total["bounds"] += bound < len(asked)
            total["dead"] += buried
            total["double"] += sum(max(0, self._times[key] - 1) for key in asked)
            total["double"] += max(0, -overwritten)
            total["lost"] += max(0, overwritten)
            # Who is missing in a full counter was rejected; in any other there was room.
            total["lost"] += len(missing) - buried if stands_at < bound else 0
            total["wrong"] += stands_at != min(bound, len(asked) - buried)
            total["oversold"] += max(counted, stands_at) > bound
        return total


def key_of(increment: Increment) -> Key:
    """Which increment this is; all of a run are native."""
    return Key(increment.counter, int(str(increment.source), 16), int(str(increment.seq)))


def count(value: bytes | None) -> int:
    """The count that a value tells, with a ledger or bare; an absent counter stands at 0."""
    return int((value or b"0").partition(b"\n")[0])


def ledger(counter: str, value: bytes | None) -> set[Key]:
    """The increments that a value says it has counted; a bare one says nothing."""
    if value is None or b"\n" not in value:
        return set()
    return {
        Key(counter, source, seq)
        for source, line in read(value).lines.items()
        for seq in members(line.decided)[1] - members(line.rejected or 0)[1]
    }
