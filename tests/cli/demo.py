"""What the demo's tests need: a verdict at will, and increments counted in memory."""

import json

from tally.cli.demo.verdict import Verdict
from tally.testing import Counters


def counted(increments):
    """The count of each counter, in the order of their names, after all increments."""
    counters, packed = Counters(), list(increments)
    counters.deliver(json.dumps(packed))
    names = sorted({fields["counter"] for fields in packed})
    return list(counters.reader().counts(names).items())


def verdict(counters, dead_letters, *, seconds=2.0):
    """A verdict on these counts, in a demo of two bad messages."""
    return Verdict(
        counters=counters,
        dead_letters=dead_letters,
        bad_messages=2,
        events=1_000,
        messages=40,
        deletes_lost=3,
        kills=2,
        metrics={"EventsDuplicate": 1_234, "SwapsLost": 5},
        store="Momento",
        operations=250,
        seconds=seconds,
    )
