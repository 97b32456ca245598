"""The value of a counter in the plainest Python: sets, no runs, every size by encoding anew.

Written from docs/architecture.md and docs/format.md, not from the code, to be compared with fold()
byte for byte. It is slow, and reads only values that it has written itself.
"""

from dataclasses import dataclass, field

import msgspec

from tally.counters.decision import Decision
from tally.counters.event import Event
from tally.counters.ledger import Limits

NEW = frozenset({Decision.APPLIED, Decision.REJECTED})
"""Only these change a counter."""


@dataclass
class KnownSource:
    """What is known of one source; `forgotten` is the seq below which rejections are forgotten."""

    seen: int = 0
    decided: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    forgotten: int = 0


@dataclass
class State:
    """A count and its ledger, with the sources by the order in which the value has them."""

    count: int = 0
    floor: int = 0
    sources: dict[int, KnownSource] = field(default_factory=dict)


def reference_fold(value, events, limits):
    """The next value, or None, and the decisions: what fold() must answer."""
    state = load(value)
    decisions = [decide(state, event, limits) for event in events]
    if NEW.isdisjoint(decisions):
        return None, decisions
    for number in {event.source for event in events} & state.sources.keys():
        forget_rejections(state.sources[number], limits)
    in_order = sorted(state.sources.items(), key=lambda item: item[1].seen)
    state.sources = dict(in_order)
    forget_sources(state, limits)
    return dump(state), decisions


def decide(state: State, event: Event, limits: Limits) -> Decision:
    source = state.sources.get(event.source, KnownSource())
    if event.seq in source.decided:
        if event.seq < source.forgotten:
            return Decision.DECIDED_BEFORE
        rejected = event.seq in source.rejected
        return Decision.REJECTED_BEFORE if rejected else Decision.APPLIED_BEFORE
    if event.at <= state.floor * 1_000:
        return Decision.UNDECIDABLE
    neighbours = {event.seq - 1, event.seq + 1}
    if len(bounds(source.decided)) > limits.max_runs and not neighbours & source.decided:
        return Decision.FULL
    state.sources[event.source] = source
    source.seen = max(source.seen, (event.at + 999) // 1_000)
    source.decided.add(event.seq)
    after = moved(state.count, event)
    if after is None:
        if event.seq >= source.forgotten:
            source.rejected.add(event.seq)
        return Decision.REJECTED
    state.count = after
    return Decision.APPLIED


def moved(count: int, event: Event) -> int | None:
    """The count with the event applied; None if that would cross a bound."""
    if event.reset is not None:
        return event.reset
    after = count + event.amount
    if (event.amount > 0 and after > event.high) or (event.amount < 0 and after < event.low):
        return None
    return after


def forget_rejections(source: KnownSource, limits: Limits) -> None:
    listed = bounds(source.rejected, source.forgotten)
    if len(listed) > limits.max_rejected:
        runs = list(zip(listed[::2], listed[1::2], strict=True))
        source.forgotten = runs[len(runs) // 2][0]
        source.rejected = {seq for seq in source.rejected if seq >= source.forgotten}


def forget_sources(state: State, limits: Limits) -> None:
    expired = max(source.seen for source in state.sources.values()) - limits.horizon_s
    for number, source in list(state.sources.items()):
        limit = limits.free_bytes if source.seen <= expired else limits.max_bytes
        if len(dump(state)) <= max(limit, limits.free_bytes):
            return
        del state.sources[number]
        state.floor = max(state.floor, source.seen)


def bounds(seqs: set[int], low: int = 0) -> list[int]:
    """`[low, end0, start1, end1, …]`: the ends of every stretch of consecutive numbers."""
    starts = sorted(seq for seq in seqs if seq - 1 not in seqs)
    ends = sorted(seq + 1 for seq in seqs if seq + 1 not in seqs)
    listed = [bound for run in zip(starts, ends, strict=True) for bound in run]
    return listed if listed and listed[0] == low else [low, low, *listed]


def packed(seqs: set[int], low: int = 0) -> int | list[int]:
    """An integer n for {0 … n-1}, or the differences of the run list."""
    listed = bounds(seqs, low)
    if low == 0 and len(listed) == 2:
        return listed[1]
    return [low, *(listed[place] - listed[place - 1] for place in range(1, len(listed)))]


def dump(state: State) -> bytes:
    sources = list(state.sources.values())
    times = [state.floor, *(source.seen for source in sources)]
    ledger = [
        1,
        b"".join(number.to_bytes(8, "little") for number in state.sources),
        [times[0], *(times[place] - times[place - 1] for place in range(1, len(times)))],
        [packed(source.decided) for source in sources],
        {
            place: packed(source.rejected, source.forgotten)
            for place, source in enumerate(sources)
            if source.rejected
        },
    ]
    return str(state.count).encode() + b"\n" + msgspec.msgpack.encode(ledger)


def load(value: bytes | None) -> State:
    if value is None:
        return State()
    head, newline, ledger = value.partition(b"\n")
    if not newline:
        return State(int(head))
    _, ids, times, decided, rejected = msgspec.msgpack.decode(ledger)
    state = State(int(head), times[0])
    for place in range(len(decided)):
        forgotten, outcomes = unpacked(rejected.get(place, 0))
        _, seqs = unpacked(decided[place])
        number = int.from_bytes(ids[8 * place : 8 * place + 8], "little")
        state.sources[number] = KnownSource(sum(times[: place + 2]), seqs, outcomes, forgotten)
    return state


def unpacked(stored: int | list[int]) -> tuple[int, set[int]]:
    """The low and the numbers of a stored run list."""
    differences = [0, stored] if isinstance(stored, int) else stored
    listed = [sum(differences[: place + 1]) for place in range(len(differences))]
    runs = zip(listed[::2], listed[1::2], strict=True)
    return listed[0], {seq for start, end in runs for seq in range(start, end)}
