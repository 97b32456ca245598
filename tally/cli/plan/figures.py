"""The formulas from a load to its figures; docs/planning.md has their reasons."""

import functools
import math
from dataclasses import dataclass

from tally.cli.plan.load import VISIBILITY_FACTOR, IdentityForm, Load
from tally.cli.plan.terms import MOMENTO, TABLE, Terms
from tally.cli.plan.value import EvenLedger, value_bytes
from tally.counters.ledger import Limits
from tally.reading.waiting import QUIET_WAIT_S
from tally.settling.copies import MAX_COPIES, MAX_COPIES_BYTES

LEDGER = Limits()
"""How much a ledger remembers, as in the consumer."""

PAYLOAD_BYTES = 6_291_456
"""The longest event of one invocation (Lambda quotas)."""

RECORD_BYTES = 1_000
"""A record of that event without its body: 981 as Lambda documents it, with a trace header."""

ESCAPED = 1.15
"""How much longer a body is inside an event: its quotes are escaped (107 bytes for 93)."""

BATCH_CPU_S = 0.001
MESSAGE_CPU_S = 0.000_005
EVENT_CPU_S = 0.000_002
WRITE_CPU_S = 0.000_15
SOURCE_CPU_S = 0.000_001
"""The time of one core that a batch, a message, an event, a counter's write and a source in its
ledger take, in seconds; measured, and rounded up: docs/planning.md, "Time"."""

CORE_MB = 1_769
"""The memory at which a function has one core (Lambda, "Configure function memory")."""

MAX_LOSS_CHANCE = 0.9
"""The highest chance computed that a swap is lost: beyond the rule that keeps races few, lost swaps
cause more."""


class Figures:
    """All that follows from a load, as expected values, each computed on first use."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.terms = terms(load)
        self.alike = alike(load)

    @property
    def messages_per_s(self) -> float:
        """Published."""
        return self.load.events_per_s / self.load.packed

    @property
    def message_bytes(self) -> int:
        """The body of a message."""
        return self.load.body_bytes

    @property
    def most_messages(self) -> int:
        """A full batch: BatchSize, or what fits into an event."""
        fitting = int(PAYLOAD_BYTES / (RECORD_BYTES + ESCAPED * self.message_bytes))
        return max(1, min(self.load.batch_size, fitting))

    @functools.cached_property
    def messages(self) -> float:
        """In a batch: what a consumer's share brings in a window, up to a full batch.

        While a consumer works, its messages wait, and make the next batch larger and so cheaper:
        that is left out.
        """
        gathered = self.messages_per_s * self.load.window_s / self.load.consumers
        return min(max(1.0, gathered), float(self.most_messages))

    @property
    def events(self) -> float:
        """In a batch."""
        return self.messages * self.load.packed

    @property
    def counters(self) -> float:
        """Different ones in a batch."""
        return self._distinct(self.events)

    @property
    def batches_per_s(self) -> float:
        """Invocations of all consumers."""
        return self.messages_per_s / self.messages

    @property
    def between_s(self) -> float:
        """The time between two batches of one consumer."""
        return self.load.consumers / self.batches_per_s

    @property
    def writes_per_s(self) -> float:
        """Swaps stored, one for each counter of a batch."""
        return sum(map(self._writes_per_s, self.alike))

    @property
    def reads_per_s(self) -> float:
        """Reads before a first swap."""
        return sum(map(self._reads_per_s, self.alike))

    @property
    def lost_races_per_s(self) -> float:
        """Swaps lost, each with another read."""
        return sum(map(self._lost_per_s, self.alike))

    @functools.cached_property
    def operations_per_s(self) -> float:
        """All of these, as the store bills them."""
        return self.write_units_per_s + self.read_units_per_s

    @functools.cached_property
    def write_units_per_s(self) -> float:
        """Swaps, stored and lost, as the store bills them."""
        return sum(map(self._write_units_per_s, self.alike))

    @property
    def read_units_per_s(self) -> float:
        """Reads, as it bills them."""
        return sum(map(self._read_units_per_s, self.alike))

    @property
    def copy_operations_per_s(self) -> float:
        """What Momento bills for the copies of a cache before a table, one for each stored swap."""
        return sum(
            self._writes_per_s(each) * MOMENTO.write_units(each.stored_bytes) for each in self.alike
        )

    @property
    def hottest_write_units_per_s(self) -> float:
        """Of the counter that has the most of them."""
        return max(self._write_units_per_s(each) / each.counters for each in self.alike)

    @property
    def operations_a_batch(self) -> float:
        """Within one batch, at nearly the same moment."""
        return self.operations_per_s / self.batches_per_s

    @property
    def operations_an_event(self) -> float:
        """The cost figure of this design."""
        return self.operations_per_s / self.load.events_per_s

    @property
    def in_flight(self) -> float:
        """Messages received and not deleted: those gathered, and those worked on."""
        return self.load.consumers * self.messages + self.messages_per_s * self.duration_s

    @property
    def in_flight_failing(self) -> float:
        """The same if all fail: each is hidden until its visibility timeout is over."""
        hidden_s = VISIBILITY_FACTOR * self.load.timeout_s + self.load.window_s
        return self.messages_per_s * hidden_s

    @property
    def contention(self) -> float:
        """The part of the time between batches that all consumers spend on the hottest counter.

        That is the time between its read and its swap; 0 with a single consumer.
        """
        if self.load.consumers == 1:
            return 0.0
        return max(self.load.consumers * self._open_s(each) / self.between_s for each in self.alike)

    @property
    def value_bytes(self) -> int:
        """The length of the longest value, with all of its sources."""
        return self._longest.value_bytes

    @property
    def value_chunks(self) -> int:
        """How that value is billed, if the ledger may hold it."""
        return self._longest.chunks

    @property
    def stored_bytes(self) -> int:
        """All values, with what the store keeps beside them."""
        beside = self.terms.stored_bytes
        return sum(each.counters * (each.stored_bytes + beside) for each in self.alike)

    @property
    def transferred_bytes_per_s(self) -> float:
        """Each call carries the value once, the swap there and the read back."""
        return sum(
            (self._writes_per_s(each) + self._reads_per_s(each) + 2 * self._lost_per_s(each))
            * each.stored_bytes
            for each in self.alike
        )

    @functools.cached_property
    def fold_s(self) -> float:
        """The work on an expected batch, without the calls."""
        return self._fold_s(self.messages)

    @property
    def duration_s(self) -> float:
        """An expected batch."""
        return self._duration_s(self.messages)

    @property
    def longest_s(self) -> float:
        """A full batch, from a backlog."""
        return self._duration_s(self.most_messages)

    @property
    def until_counted_s(self) -> float:
        """From the queue to the count, at most, while messages keep coming and none waits."""
        return self.load.window_s + self.duration_s

    @property
    def until_counted_quietly_s(self) -> float:
        """The same with very little traffic, where Lambda may wait longer than the window."""
        waits_s = max(QUIET_WAIT_S, self.load.window_s) if self.load.window_s else 0.0
        return waits_s + self.duration_s

    @property
    def capacity_per_s(self) -> float:
        """The events that all consumers manage with full batches."""
        full_events = self.load.consumers * self.most_messages * self.load.packed
        return full_events / self.longest_s

    @property
    def _longest(self) -> "Alike":
        return max(self.alike, key=lambda each: each.value_bytes)

    def _distinct(self, events: float) -> float:
        """Different counters among so many events: of n even ones n · (1 - (1 - 1/n)^events)."""
        return sum(each.counters * each.present(events) for each in self.alike)

    def _writes_per_s(self, each: "Alike") -> float:
        return self.batches_per_s * each.counters * each.present(self.events)

    def _reads_per_s(self, each: "Alike") -> float:
        return self._writes_per_s(each) * self._unread_share(each)

    def _lost_per_s(self, each: "Alike") -> float:
        lost = lost_races(self.load.consumers, self._open_s(each), self.between_s)
        return self._writes_per_s(each) * lost

    def _write_units_per_s(self, each: "Alike") -> float:
        """A lost race costs what a stored swap does."""
        swaps = self._writes_per_s(each) + self._lost_per_s(each)
        return each.chunks * self.terms.write_factor * swaps

    def _read_units_per_s(self, each: "Alike") -> float:
        lost = self._lost_per_s(each) if self.terms.reads_after_loss else 0.0
        return self.terms.read_units(each.stored_bytes) * (self._reads_per_s(each) + lost)

    def _unread_share(self, each: "Alike") -> float:
        """The share of writes that need a read first, because no warm copy fits.

        With several consumers another one has usually written since, and copies are left out. A
        single consumer reads only the counters for which they have no room.
        """
        if self.load.consumers > 1:
            return 1.0
        room = min(MAX_COPIES, MAX_COPIES_BYTES / each.stored_bytes)
        return max(0.0, 1.0 - room / self.load.counters)

    def _open_s(self, each: "Alike") -> float:
        """The time between read and swap; a batch without the counter has none."""
        return (self.load.round_trip_ms / 1_000 + self.fold_s) * each.present(self.events)

    def _duration_s(self, messages: float) -> float:
        """The reads that are needed and the swaps, so many in flight at once, and the work."""
        counters = self._distinct(messages * self.load.packed)
        writes = max(1.0, counters / self.terms.writes_at_once)
        reads = max(1.0, counters / self.terms.reads_at_once)
        trips = writes + reads * max(map(self._unread_share, self.alike))
        return trips * self.load.round_trip_ms / 1_000 + self._fold_s(messages)

    def _fold_s(self, messages: float) -> float:
        events = messages * self.load.packed
        core_s = BATCH_CPU_S + messages * MESSAGE_CPU_S + events * EVENT_CPU_S
        for each in self.alike:
            a_write_s = WRITE_CPU_S + self.terms.write_cpu_s + each.stored_sources * SOURCE_CPU_S
            core_s += each.counters * each.present(events) * a_write_s
        return core_s / min(1.0, self.load.memory_mb / CORE_MB)


def lost_races(consumers: int, open_s: float, between_s: float) -> float:
    """The swaps of a counter that are lost for each that is stored.

    A try is lost if another consumer's swap falls between its read and its own, and it is made
    again until it is stored.

    Args:
        consumers: how many write the counter.
        open_s: the time between read and swap: a round trip and the fold.
        between_s: the time between two writes of the counter by one consumer.
    """
    chance = min(MAX_LOSS_CHANCE, (consumers - 1) * open_s / between_s)
    return chance / (1.0 - chance)


@dataclass(frozen=True)
class Alike:
    """A number of counters that are alike: each gets the same share of all events."""

    load: Load
    counters: int
    share: float

    def present(self, events: float) -> float:
        """The chance that one of these counters is in a batch of so many events."""
        return 1.0 - math.pow(1.0 - self.share, events)

    @functools.cached_property
    def ledger(self) -> EvenLedger:
        """What each has seen within the horizon, with its sources spread over it."""
        events = max(1, math.ceil(self.load.events_per_s * self.share * LEDGER.horizon_s))
        is_named = self.load.identity is IdentityForm.NAMED
        sources = events if is_named else min(self.load.sources, events)
        gaps = 0 if is_named else self.load.gaps
        return EvenLedger(sources, math.ceil(events / sources), gaps, LEDGER.horizon_s // sources)

    @functools.cached_property
    def value_bytes(self) -> int:
        """The value with all of its sources."""
        return value_bytes(self.ledger)

    @property
    def stored_bytes(self) -> int:
        """The value after the ledger has forgotten what exceeds its limits."""
        return min(self.value_bytes, terms(self.load).limits.max_bytes)

    @property
    def stored_sources(self) -> int:
        """The sources that stay when the value must be shorter than they need."""
        return math.ceil(self.ledger.sources * self.stored_bytes / self.value_bytes)

    @property
    def chunks(self) -> int:
        """How a write of the value is billed: each 1,024 bytes begun."""
        return terms(self.load).write_units(self.stored_bytes)


def terms(load: Load) -> Terms:
    """The terms of the store that holds the counters."""
    return TABLE if load.durable else MOMENTO


def alike(load: Load) -> list[Alike]:
    """The counters by kind: the hot one first, if there is one, then the even others."""
    if not load.hot_share or load.counters == 1:
        return [Alike(load, load.counters, 1.0 / load.counters)]
    even = (1.0 - load.hot_share) / load.counters
    return [Alike(load, 1, even + load.hot_share), Alike(load, load.counters - 1, even)]
