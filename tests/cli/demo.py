"""What the demo's tests need: a verdict at will, and increments counted by the counter itself."""

from tally.cli.demo.verdict import Verdict
from tally.counters.counter import fold, read_count
from tally.counters.event import INT64_MAX, Envelope, Event, build
from tally.counters.identity import identify
from tally.counters.ledger import Limits

SENT = Envelope("message", 1_790_000_000_000)


def counted(increments):
    """The count of each counter, in the order of their names, after all increments."""
    events: dict[str, list[Event]] = {}
    for seq, fields in enumerate(increments):
        event = identify(build(fields), SENT, seq, INT64_MAX)
        events.setdefault(event.counter, []).append(event)
    values = {name: fold(None, group, Limits()).value for name, group in sorted(events.items())}
    return [(name, read_count(value or b"")) for name, value in values.items()]


def verdict(counters, dead_letters, *, seconds=2.0):
    """A verdict on these counts, in a demo of two bad messages."""
    return Verdict(
        counters=counters,
        dead_letters=dead_letters,
        bad_messages=2,
        events=1_000,
        messages=40,
        redelivered=3,
        kills=2,
        metrics={"EventsDuplicate": 1_234, "SwapsLost": 5},
        operations=250,
        seconds=seconds,
    )
