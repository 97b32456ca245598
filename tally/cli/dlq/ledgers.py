"""What the counters' ledgers know of dead letters: asked of Momento, one read for many counters."""

import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from tally.cli.dlq.letter import Letter, Standing
from tally.counters.counter import Counter
from tally.counters.errors import UnreadableValueError
from tally.counters.event import Event
from tally.environment import cache_from
from tally.reading.values import MAX_COUNTERS_PER_CALL, Values
from tally.stores.opening import open_store

Judge = Callable[[Sequence[Letter]], list[Letter]]
"""Tells the standing of letters."""


@contextlib.contextmanager
def judge_from(variables: Mapping[str, str]) -> Iterator[Judge]:
    """What asks the ledgers of the cache that the `MOMENTO_*` variables mean.

    Raises:
        SettingsError: a variable is missing or wrong, or the secret cannot be read.
    """
    with contextlib.closing(open_store(cache_from(variables))) as store:
        values = Values(store, sleep=time.sleep, uniform=random.uniform)
        yield lambda letters: judged(letters, lambda keys: values.read(keys, store.deadline_s))


def judged(
    letters: Sequence[Letter], read: Callable[[Sequence[str]], Sequence[bytes | None]]
) -> list[Letter]:
    """The letters with their standing; `read` returns the values of some counters.

    Raises:
        BrokenSetupError, ReadError: those of `read`.
    """
    names = list(dict.fromkeys(name for letter in letters for name in letter.counters))
    ledgers: dict[str, Counter | None] = {}
    for start in range(0, len(names), MAX_COUNTERS_PER_CALL):
        keys = names[start : start + MAX_COUNTERS_PER_CALL]
        ledgers |= zip(keys, map(_decoded, read(keys)), strict=True)
    return [dataclasses.replace(letter, standing=_standing(letter, ledgers)) for letter in letters]


def _standing(letter: Letter, ledgers: Mapping[str, Counter | None]) -> Standing:
    """The worst standing of its events, since SQS takes back no part of a message."""
    if letter.standing is Standing.INVALID:
        return Standing.INVALID
    found = {_standing_of(event, ledgers[event.counter]) for event in letter.events}
    return next(standing for standing in _WORST_FIRST if standing in found)


def _standing_of(event: Event, counter: Counter | None) -> Standing:
    """Of one event. Not by its Outcome, where forgotten also means decided, either way."""
    if counter is None:
        return Standing.UNREADABLE
    if counter.ledger.source(event.source).recall(event.seq) is not None:
        return Standing.DECIDED
    is_forgotten = event.at <= counter.ledger.floor_ms
    return Standing.UNDECIDABLE if is_forgotten else Standing.PENDING


def _decoded(value: bytes | None) -> Counter | None:
    try:
        return Counter(value)
    except UnreadableValueError:
        return None


_WORST_FIRST = (Standing.UNREADABLE, Standing.UNDECIDABLE, Standing.PENDING, Standing.DECIDED)
