"""The truth about one counter in its present life, and what every write to it must keep.

The rules are those of docs/architecture.md, in sets and without our code: what a write decides is
worked out from the events that its consumer was handed, and the value must say exactly that.
"""

import copy
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tally.counters.decision import Decision
from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tests.simulation.facts import NO_MAX, Fact, Terms
from tests.simulation.page import Line, Page, members, read
from tests.simulation.timeline import violated

Identity = tuple[int | None, int]
"""The source and the seq of an event."""

MS = 1_000
SLACK_BYTES = 16
"""What dropping a source may save beside its own columns: shorter numbers next to it."""


class Known:
    """What the ledger must still know of one source: since it was last forgotten."""

    __slots__ = ("line", "low", "rejected", "runs", "seen", "seqs")

    def __init__(self) -> None:
        self.seen = 0
        self.seqs: set[int] = set()
        self.rejected: set[int] = set()
        self.runs = 1
        self.low = 0
        self.line: Line | None = None

    def copy(self) -> "Known":
        """The same, to be changed apart."""
        copied = copy.copy(self)
        copied.seqs, copied.rejected = self.seqs.copy(), self.rejected.copy()
        return copied

    def is_full(self, seq: int, max_runs: int) -> bool:
        return 2 * self.runs > max_runs and not {seq - 1, seq + 1} & self.seqs

    def add(self, fact: Fact) -> None:
        seq = fact.seq
        joined = (seq == 0 or seq - 1 in self.seqs) + (seq + 1 in self.seqs)
        self.runs += 1 - joined
        self.seqs.add(seq)
        self.seen = max(self.seen, -(-fact.at // MS))


class Account:
    """A counter as it truly is.

    Attributes:
        decided: every event ever decided, and whether it counted.
        stamps: of each source whose first event was decided, the time of that.
        gaps: of each source the most runs that it ever had.
    """

    def __init__(self, count: int, limits: Limits, most: int = INT64_MAX) -> None:
        self.count = count
        self.floor = 0
        self.sources: dict[int | None, Known] = {}
        self.decided: dict[Identity, bool] = {}
        self.gaps: dict[int | None, int] = {}
        self.stamps: dict[int | None, int] = {}
        self._values: set[bytes] = set()
        self._terms = self._own = Terms(limits, most)

    def copy(self) -> "Account":
        """The same, to be changed apart."""
        copied = copy.copy(self)
        copied.sources = {source: known.copy() for source, known in self.sources.items()}
        copied.decided, copied.gaps = self.decided.copy(), self.gaps.copy()
        copied.stamps = self.stamps.copy()
        copied._values = self._values.copy()
        return copied

    def write(self, value: bytes, facts: Iterable[Fact], terms: Terms | None = None) -> list[Fact]:
        """Check a write that takes effect; the events that it decided.

        Args:
            value: what is written …
            facts: … by who was handed these …
            terms: … and has these settings; by default the plan's.

        Raises:
            ViolationError: it breaks a promise.
        """
        if value in self._values:
            violated(f"wrote a value seen before: {value!r}")
        self._values.add(value)
        self._terms = terms or self._own
        news = self._decide(facts)
        page = read(value)
        if page.total != self.count:
            violated(f"wrote count {page.total}; what was applied gives {self.count}")
        self._forget(page, len(value))
        for source, line in page.lines.items():
            self._check_line(source, line)
        return news

    def may_forget(self, source: int | None, seq: int, said: Decision | None) -> bool:
        """Whether the ledger may say so: its source was dropped, or only how it was decided."""
        known = self.sources.get(source)
        if known is None or seq not in known.seqs:
            return said is None
        return said is Decision.DECIDED_BEFORE and seq < known.low

    def is_stamped_anew(self, fact: Fact) -> bool:
        """Whether its id was decided with another time, so that it may be forgotten by itself."""
        return fact.seq == 0 and self.stamps.get(fact.source, fact.at) != fact.at

    def _decide(self, facts: Iterable[Fact]) -> list[Fact]:
        news = []
        for fact in facts:
            known = self.sources.get(fact.source)
            if known and fact.seq in known.seqs:
                continue
            if fact.at <= self.floor * MS:
                continue
            if known and known.is_full(fact.seq, self._terms.limits.max_runs):
                continue
            # Of a named one that was forgotten, a repeat with a later time counts again.
            is_later = fact.seq == 0 and fact.at > self.stamps.get(fact.source, fact.at)
            if (fact.source, fact.seq) in self.decided and not is_later:
                violated(f"decided twice: {fact}")
            self._enter(fact, known or Known())
            news.append(fact)
        return news

    def _enter(self, fact: Fact, known: Known) -> None:
        self.sources[fact.source] = known
        known.add(fact)
        self.gaps[fact.source] = max(known.runs, self.gaps.get(fact.source, 0))
        if fact.seq == 0:
            self.stamps[fact.source] = fact.at
        count = self.count + fact.amount
        high = self._terms.most if fact.high == NO_MAX else fact.high
        applied = count <= high if fact.amount > 0 else fact.amount == 0 or count >= fact.low
        if fact.reset is not None:
            count, applied = fact.reset, True
        self.decided[fact.source, fact.seq] = applied
        if applied:
            self.count = count
        else:
            known.rejected.add(fact.seq)

    def _forget(self, page: Page, size: int) -> None:
        """What is not on the page must lie at or below its floor, and be worth forgetting."""
        invented = page.lines.keys() - self.sources.keys()
        if invented:
            violated(f"wrote sources that nothing was decided of: {invented}")
        if size > max(self._terms.limits.max_bytes, self._terms.limits.free_bytes):
            violated(f"wrote {size} bytes")
        missing = [source for source in self.sources if source not in page.lines]
        floor = max([self.floor, *(self.sources[source].seen for source in missing)])
        if page.floor != floor:
            violated(f"wrote floor {page.floor}, what it forgets makes it {floor}")
        self.floor = floor
        newest = max(known.seen for known in self.sources.values())
        expired = newest - self._terms.limits.horizon_s
        if size > self._terms.limits.free_bytes and any(
            line.seen <= expired for line in page.lines.values()
        ):
            violated(f"kept what is expired in {size} bytes")
        if missing:
            self._check_forgetting(missing, page, size, expired)
        for source in missing:
            del self.sources[source]

    def _check_forgetting(
        self, missing: list[int | None], page: Page, size: int, expired: int
    ) -> None:
        """The oldest go first, and the last to go had to."""
        last = max((self.sources[source] for source in missing), key=lambda known: known.seen)
        kept = min((line.seen for line in page.lines.values()), default=last.seen)
        if kept < last.seen:
            violated(f"forgot what was seen at {last.seen}, kept what was at {kept}")
        limit = (
            self._terms.limits.free_bytes if last.seen <= expired else self._terms.limits.max_bytes
        )
        # Those of one second go in any order: the largest of them may be the one that had to.
        cost = max(
            _bytes(known) for source in missing if (known := self.sources[source]).seen == last.seen
        )
        if size + cost + SLACK_BYTES <= limit:
            violated(f"forgot a source of {cost} bytes, though {size} of {limit}")

    def _check_line(self, source: int, line: Line) -> None:
        known = self.sources[source]
        if line == known.line and line.seen == known.seen and _length(line) == len(known.seqs):
            return  # as before, and nothing new was decided of it
        if line.seen != known.seen:
            violated(f"wrote seen {line.seen}, the latest event is of {known.seen}")
        _, seqs = members(line.decided)
        if seqs != known.seqs:
            violated(f"decided {seqs ^ known.seqs} of {source:016x} are wrong")
        low, rejected = members(line.rejected or 0)
        if rejected != {seq for seq in known.rejected if seq >= low}:
            violated(f"rejected {rejected}, truly {known.rejected} from {low}")
        # What was rejected later may have joined runs, so only the first time says when.
        if low and not known.low and 2 * _runs(known.rejected) <= self._terms.limits.max_rejected:
            violated(f"forgot rejections below {low} too soon")
        known.line, known.low = line, low


class Life(NamedTuple):
    """A life of a counter that has ended, and what was true of it then."""

    ended_at_s: float
    account: Account


def _length(line: Line) -> int:
    return line.decided if isinstance(line.decided, int) else sum(line.decided[1::2])


def _runs(seqs: set[int]) -> int:
    """So many runs as the ledger would keep: the first begins at 0, empty or not."""
    return sum(seq - 1 not in seqs for seq in seqs) + (0 not in seqs)


def _bytes(known: Known) -> int:
    """An upper bound of what a source takes in a value."""
    decided = sorted(known.seqs)
    ends = sum(seq + 1 not in known.seqs for seq in decided) * 2
    rejected = _runs(known.rejected) * 2
    return 8 + 9 + 9 * (ends + 2 + rejected) + len(msgspec.msgpack.encode(len(decided)))
