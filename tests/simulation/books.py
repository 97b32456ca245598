"""What the programs know that publish: what they were told of each increment must hold.

Nothing here asks the publisher. An increment is known by what its thread asked for, by what
publish() returned, by the bytes that a request brought, and by each UnsentError.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import UNSET

from tally.counters.event import INT64_MIN, Increment
from tally.publishing.sending import Stats
from tests.simulation.facts import NO_MAX, Fact, Letter, digest
from tests.simulation.timeline import Actor, violated
from tests.simulation.world import World

Key = tuple[str, int, int, int]
"""An increment anywhere: counter, source, seq, at."""

MAX_CHARS = 400
"""Of a violation: an id may be long."""

MAX_TOLD = 3
"""Of so many increments a violation tells the keys."""


class Asking:
    """A call of publish() that has not returned.

    Attributes:
        fields: what it is to publish, as the contract has it.
        sent: what a request brought of it before.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self.sent: Key | None = None


class Flushed(NamedTuple):
    """A flush() that raised nothing: how much had been put before it began, and when it ended."""

    returned: int
    ended_at_s: float


class Book:
    """One publisher's.

    Attributes:
        returned: what publish() and publish_again() returned.
        handed: what an UnsentError handed over.
        flushed: the flushes that promised something.
        asking: the calls of publish() that have not returned …
        early: … and whose increments are on their way all the same.
        was_refused: whether a closed publisher refused something, which may have spent a seq.
        threads: how many publish.
    """

    def __init__(self, threads: int) -> None:
        self.returned: list[Key] = []
        self.handed: list[Key] = []
        self.flushed: list[Flushed] = []
        self.was_refused = False
        self.threads = threads
        self.asking: dict[Asking, None] = {}
        self.early: dict[Key, Asking] = {}
        self.sources: dict[tuple[str, int], list[int]] = {}


class Books:
    """All of a run.

    Attributes:
        unsent: the increments that were handed over, whichever publisher had them.
        logged: by whose thread the log said of how many increments that they were given up.
    """

    def __init__(self, world: World) -> None:
        self.unsent: dict[Key, Increment] = {}
        self.logged: Counter[Actor | None] = Counter()
        self._world = world
        self._facts: dict[Key, Fact] = {}
        self._bodies: dict[str, tuple[Key, ...]] = {}
        self._stored_at_s: dict[Key, float] = {}
        self._origins = itertools.count()
        self._settled: list[Key] = []

    def asks(self, book: Book, fields: Mapping[str, Any]) -> Asking:
        """A thread calls publish()."""
        asking = Asking(fields)
        book.asking[asking] = None
        return asking

    def answers(self, book: Book, asking: Asking, increment: Increment) -> None:
        """publish() returns."""
        del book.asking[asking]
        key = key_of(increment)
        fact = self._fact(key, asking.fields)
        if asking.fields["counter"] != increment.counter or fact[5:] != _meant(increment):
            violated(f"returned {increment} for {asking.fields}"[:MAX_CHARS])
        if asking.sent != key and key in book.early:
            other = book.early[key]  # of those who ask for the same nobody knows whose it was
            other.sent, asking.sent = asking.sent, key
            if other.sent is not None:
                book.early[other.sent] = other
        if asking.sent != key and not _pass_on(book, asking):
            violated(f"sent {asking.sent} and returned {key}")
        if book.early.pop(key, None) is None:
            self._publish(book, key, fact, is_named="id" in asking.fields)
        book.returned.append(key)

    def refuses(self, book: Book, asking: Asking) -> None:
        """publish() raises: the increment is not published."""
        del book.asking[asking]
        if not _pass_on(book, asking):
            violated(f"refused what it had sent: {asking.sent}")

    def puts_again(self, book: Book, increment: Increment) -> None:
        """publish_again() returns."""
        book.returned.append(key_of(increment))
        self._world.totals["increments published again"] += 1

    def hands_over(self, book: Book, increments: Iterable[Increment]) -> None:
        """An UnsentError is caught."""
        for increment in increments:
            key = key_of(increment)
            book.handed.append(key)
            self.unsent[key] = increment
            self._world.totals["increments handed over"] += 1

    def read(self, book: Book, body: str) -> None:
        """A request brings a message."""
        if body in self._bodies:
            return
        keys = []
        for fields in json.loads(body):
            key = _key(fields)
            if key not in self._facts:
                self._adopt(book, key, fields)
            if _told(fields) != self._facts[key][5:]:
                violated(f"sent {fields} for {self._facts[key]}"[:MAX_CHARS])
            keys.append(key)
        self._bodies[body] = tuple(keys)

    def stores(self, body: str, group: str) -> Letter:
        """SQS keeps a message that a request brought."""
        keys = self._bodies[body]
        for key in keys:
            self._stored_at_s.setdefault(key, self._world.timeline.now_s)
        return Letter(body, tuple(self._facts[key] for key in keys), group)

    def closes(self, book: Book, stats: Stats, *, logged: int = 0) -> None:
        """A publisher has ended, and told of all that it did not send, or logged how many."""
        put, handed = Counter(book.returned), Counter(book.handed)
        if twice := [key for key, times in handed.items() if times > put[key]]:
            violated(f"handed over more often than published: {_some(twice)}")
        unsent = len(book.handed) + logged
        told = (len(book.returned), len(book.returned) - unsent, unsent)
        if (stats.published, stats.confirmed, stats.unsent) != told:
            violated(f"tells {stats}, truly {told}")
        confirmed = put - handed
        lost = [key for key in confirmed if key not in self._stored_at_s]
        if len(lost) > logged:
            violated(f"lost {len(lost)}, {logged} logged: {_some(lost)}")
        self._settled += confirmed.keys() - set(lost)
        self._settled += handed
        self._check_flushes(book, handed, logged)
        self._check_sources(book, handed, logged)

    def rest(self, decided: set[tuple[str, int | None, int]], dead: Iterable[Letter]) -> None:
        """All is done: what was confirmed, or handed over and published again, is decided."""
        buried = {fact[1:4] for letter in dead for fact in letter.facts}
        for counter, source, seq, _ in self._settled:
            if (counter, source, seq) not in decided and (counter, source, seq) not in buried:
                violated(f"never decided: {counter} {source:016x}:{seq}")

    def _fact(self, key: Key, fields: Mapping[str, Any]) -> Fact:
        known = self._facts.get(key)
        if known is None:
            known = Fact(next(self._origins), *key, *_told(fields))
        return known

    def _publish(self, book: Book, key: Key, fact: Fact, *, is_named: bool) -> None:
        """An increment has its identity, which no other has; an id is the caller's."""
        if not is_named and key in self._facts:
            violated(f"gave an identity twice: {fact}")
        self._facts.setdefault(key, fact)
        self._world.oracle.names(fact)
        self._world.totals["events"] += 1
        self._world.totals["resets"] += fact.reset is not None
        if not is_named:
            book.sources.setdefault(key[:2], []).append(fact.seq)

    def _adopt(self, book: Book, key: Key, fields: Mapping[str, Any]) -> None:
        """A request brings what publish() has not returned yet; somebody must have asked for it."""
        if not _give(book, key, _wish(fields)):
            violated(f"sent what nobody published: {fields}"[:MAX_CHARS])
        self._publish(book, key, self._fact(key, fields), is_named="id" in fields)

    def _check_flushes(self, book: Book, handed: Mapping[Key, int], logged: int) -> None:
        """What was put before a flush, and was never handed over, was stored at its end."""
        checked = 0
        for flushed in sorted(book.flushed, key=lambda flushed: flushed.ended_at_s):
            late = [
                key
                for key in book.returned[checked : flushed.returned]
                if key not in handed and self._stored_at_s.get(key, math.inf) > flushed.ended_at_s
            ]
            if len(late) > logged:
                violated(f"flushed at {flushed.ended_at_s} and not stored: {_some(late)}")
            checked = max(checked, flushed.returned)

    def _check_sources(self, book: Book, handed: Mapping[Key, int], logged: int) -> None:
        """No seq is left out; and one thread's messages of a group keep their order."""
        for (counter, source), seqs in book.sources.items():
            if not book.was_refused and sorted(seqs) != list(range(len(seqs))):
                violated(f"left out seqs of {counter} {source:016x}: {sorted(seqs)[:20]}")
        if not self._world.plan.fifo or book.threads > 1 or logged:
            return  # what was given up and only logged may arrive late, and nobody knows which
        returned = set(book.returned)
        last: dict[tuple[str, int], int] = {}
        for counter, source, seq, at in self._stored_at_s:  # by when each was stored first
            key = counter, source, seq, at
            if key not in returned or key in handed or (counter, source) not in book.sources:
                continue
            if seq < last.get((counter, source), -1):
                violated(f"sent out of order: {key}")
            last[counter, source] = seq


def _wish(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """What is asked for; two threads may ask for the same."""
    return fields["counter"], fields.get("id"), *_told(fields)


def _give(book: Book, key: Key, wish: tuple[object, ...]) -> bool:
    """Take what a request brought early for that of somebody who asks for it; whether one does."""
    for asking in book.asking:
        if asking.sent is None and _wish(asking.fields) == wish:
            asking.sent, book.early[key] = key, asking
            return True
    return False


def _pass_on(book: Book, asking: Asking) -> bool:
    """What was taken for a call's own was another's who asks for the same; whether one does."""
    return asking.sent is None or _give(book, asking.sent, _wish(asking.fields))


def key_of(increment: Increment) -> Key:
    """The key of what publish() returned."""
    if increment.id is UNSET:
        return (
            increment.counter,
            int(str(increment.source), 16),
            _int(increment.seq),
            _int(increment.at),
        )
    return increment.counter, digest(str(increment.id)), 0, _int(increment.at)


def _key(fields: Mapping[str, Any]) -> Key:
    if "id" in fields:
        return fields["counter"], digest(fields["id"]), 0, fields["at"]
    return fields["counter"], int(fields["source"], 16), fields["seq"], fields["at"]


def _told(fields: Mapping[str, Any]) -> tuple[int, int, int, int | None]:
    """What an increment does: amount, low, high, reset."""
    low, high = fields.get("min", INT64_MIN), fields.get("max", NO_MAX)
    return fields.get("amount", 1), low, high, fields.get("reset")


def _meant(increment: Increment) -> tuple[int, int, int, int | None]:
    names = ("amount", "min", "max", "reset")
    given = ((name, getattr(increment, name)) for name in names)
    return _told({name: value for name, value in given if value is not UNSET})


def _int(value: Any) -> int:
    if not isinstance(value, int):
        violated(f"has no number, but {value!r}")
    return value


def _some(keys: Iterable[Key]) -> str:
    shown: Iterator[Key] = itertools.islice(sorted(keys), MAX_TOLD)
    return ", ".join(f"{counter} {source:016x}:{seq}:{at}" for counter, source, seq, at in shown)
