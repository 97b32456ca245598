"""What came of the demo: every count against what it must be, and every dead letter."""

import dataclasses

from rich.console import Console
from rich.table import Table

from tally.cli.demo.faults import FailingCache
from tally.cli.demo.run import Demo
from tally.cli.demo.workload import DemoCounter
from tally.environment import DYNAMODB_NAME
from tally.local.cache import open_cache
from tally.publishing.packing import MAX_ENTRIES
from tally.reading.reader import Reader

MAX_DEAD_LETTERS = 100
"""How many dead letters are looked at; the demo makes five."""

MAX_SHOWN_COUNTERS = 12
"""Rows of the table: the wrong counters first, then the hottest."""

OTHER = "a message that should have been counted"


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """A message in the dead-letter queue: what was wrong with it, and what the consumer said."""

    what: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Durable:
    """The figures of a table, and of the cache before it."""

    write_units: int
    read_units: int
    """As consumers counted them, by the size of each item, except those that were killed."""
    flushes: int
    away_s: float
    unset: int
    """Copies that the cache is not known to have taken."""
    shown: dict[str, int | None]
    """What the cache shows of each counter."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether all is right, and the figures of the run."""

    counters: list[tuple[DemoCounter, int | None]]
    """Each counter with the count that the store holds."""
    dead_letters: list[DeadLetter]
    bad_messages: int
    events: int
    messages: int
    deletes_lost: int
    kills: int
    metrics: dict[str, int]
    store: str
    """What it is called."""
    operations: int
    seconds: float
    durable: Durable | None = None
    """None if no table decides."""

    @property
    def exact(self) -> int:
        """How many counters are what they must be."""
        return len(self.counters) - len(self.wrong)

    @property
    def wrong(self) -> list[tuple[DemoCounter, int | None]]:
        """The counters whose count is not what it must be."""
        return [(counter, count) for counter, count in self.counters if count != counter.expected]

    @property
    def is_right(self) -> bool:
        """Whether each counter is exact, and the dead letters are the bad messages, each once."""
        kinds = {letter.what for letter in self.dead_letters} - {OTHER}
        return not self.wrong and len(kinds) == len(self.dead_letters) == self.bad_messages


def judge(demo: Demo) -> Verdict:
    """Read every counter and every dead letter.

    Raises:
        ChildError, ReadError: a part of the stack died meanwhile.
    """
    names = [counter.name for counter in demo.plan]
    demo.stack.check()
    durable = _durable(demo, demo.cache, names) if demo.cache else None
    operations = demo.watch.look().metrics["StoreOperations"]
    if durable is None:  # the server also counts those of killed consumers
        operations = demo.stack.store.operations()
    with Reader(demo.stack.open_store()) as reader:
        counts = reader.counts(names, consistent=durable is not None)
    return Verdict(
        counters=[(counter, counts[counter.name]) for counter in demo.plan],
        dead_letters=_dead_letters(demo),
        bad_messages=len(demo.bad),
        events=demo.options.events,
        messages=demo.messages,
        deletes_lost=demo.sqs.lost if demo.sqs else 0,
        kills=demo.kills,
        metrics=dict(demo.watch.look().metrics),
        store=DYNAMODB_NAME if durable else demo.stack.store.store,
        operations=operations,
        seconds=demo.seconds,
        durable=durable,
    )


def _durable(demo: Demo, failing: FailingCache, names: list[str]) -> Durable:
    metrics = demo.watch.look().metrics
    with Reader(open_cache(demo.stack.store)) as cache:
        shown = cache.counts(names)
    return Durable(
        write_units=metrics["StoreOperations"] - metrics["StoreReads"],
        read_units=metrics["StoreReads"],
        flushes=failing.flushes,
        away_s=failing.away_s,
        unset=metrics["CacheSetsFailed"],
        shown=shown,
    )


def _dead_letters(demo: Demo) -> list[DeadLetter]:
    reasons = {name: one.why for name, one in demo.watch.look().returned.items()}
    what = {body: what for what, body in demo.bad.items()}
    client, url = demo.stack.queue.client(), demo.stack.queue.dead_letter_url
    letters: list[DeadLetter] = []
    for _ in range(MAX_DEAD_LETTERS // MAX_ENTRIES):
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=MAX_ENTRIES)
        letters += (
            DeadLetter(what.get(one["Body"], OTHER), reasons.get(one["MessageId"], "never said"))
            for one in answer.get("Messages", [])
        )
    return letters


def show(verdict: Verdict) -> None:
    """The table, the dead letters, and the verdict, on stdout."""
    out = Console(markup=False, emoji=False, highlight=False)
    out.print(_counters(verdict))
    for letter in verdict.dead_letters:
        out.print(f"dead letter: {letter.what}: {letter.reason}", soft_wrap=True)
    for line in _figures(verdict):
        out.print(line, soft_wrap=True)
    where = " in the table" if verdict.durable else ""
    out.print(f"{verdict.exact} of {len(verdict.counters)} counters exact{where}", style="bold")
    if not verdict.is_right:
        out.print("Something is off.", style="bold red")


def _counters(verdict: Verdict) -> Table:
    table = Table("counter", "increments", "bound", "must be", "is")
    for column in table.columns[1:]:
        column.justify = "right"
    wrong = verdict.wrong
    right = [entry for entry in verdict.counters if entry not in wrong]
    for counter, count in (*wrong, *right)[:MAX_SHOWN_COUNTERS]:
        bound = counter.maximum if counter.minimum is None else counter.minimum
        figures = (counter.events, bound, counter.expected, count)
        texts = ("" if figure is None else f"{figure:,}" for figure in figures)
        table.add_row(counter.name, *texts, style="red" if count != counter.expected else None)
    if len(verdict.counters) > MAX_SHOWN_COUNTERS:
        table.add_row(f"… {len(verdict.counters) - MAX_SHOWN_COUNTERS} more")
    return table


def _figures(verdict: Verdict) -> list[str]:
    rate = verdict.events / verdict.seconds if verdict.seconds else 0
    duplicates, lost = (verdict.metrics.get(name, 0) for name in ("EventsDuplicate", "SwapsLost"))
    durable = verdict.durable
    store = _of_a_table(verdict, durable) if durable else _of_a_cache(verdict)
    return [
        f"{verdict.events:,} increments in {verdict.messages:,} messages",
        f"counted in {verdict.seconds:.1f} s: {rate:,.0f} events/s",
        f"{verdict.deletes_lost} deletes lost, so those messages came again",
        f"{verdict.kills} consumers killed in mid-batch, so theirs came again",
        f"{duplicates:,} duplicates absorbed, {lost:,} swaps lost and decided again",
        *store,
    ]


def _of_a_cache(verdict: Verdict) -> list[str]:
    an_event = verdict.operations / verdict.events
    return [f"{verdict.operations:,} {verdict.store} operations: {an_event:.3f} an event"]


def _of_a_table(verdict: Verdict, durable: Durable) -> list[str]:
    writes, reads = durable.write_units, durable.read_units
    an_event = [f"{units / verdict.events:.3f}" for units in (writes, reads)]
    pairs = [(durable.shown[counter.name], count) for counter, count in verdict.counters]
    none = sum(shown is None for shown, _ in pairs)
    same = sum(shown is not None and shown == count for shown, count in pairs)
    older = len(pairs) - same - none
    return [
        f"{writes:,} write and {reads:,} read units: {' and '.join(an_event)} an event",
        f"the cache was emptied {durable.flushes} times, and away for {durable.away_s:.1f} s",
        f"copies that it did not take: {durable.unset:,}",
        f"the cache shows: {same} counts of the table, {older} older, {none} not there",
    ]
