"""What docs/interoperability.md says of the contract is so; its program in JavaScript is run."""

import json
import re
import shutil

import pytest

from tally.counters.body import parse
from tally.counters.counter import fold
from tally.counters.errors import InvalidIncrementError
from tally.counters.event import Envelope, Event
from tally.counters.identity import derived_source
from tally.counters.ledger import Limits
from tests.examples.programs import EXAMPLES, run

PAGE = (EXAMPLES.parent / "docs" / "interoperability.md").read_text("utf-8")
ENVELOPE = Envelope("m-1", 1_790_000_000_500)
NAMED = {"counter": "c", "id": "a", "at": 1_790_000_000_123}
ROW = re.compile(r'^\| `("\w+": [^`]+)` \| (.+) \| (?:`("\w+": [^`]+)`|nothing) \|$', re.MULTILINE)
ROWS = ROW.findall(PAGE)
DAY_MS = 86_400_000


def written(field):
    """A message with one more field, written as the table has it."""
    others = {name: value for name, value in NAMED.items() if not field.startswith(f'"{name}"')}
    return f"{json.dumps(others)[:-1]}, {field}}}"


@pytest.mark.parametrize(("bad", "_why", "good"), ROWS)
def test_what_the_table_says_is_refused_is_and_what_it_advises_is_not(bad, _why, good):
    with pytest.raises(InvalidIncrementError) as refused:
        parse(written(bad), ENVELOPE)
    assert refused.value.field == bad.split('"')[1]
    advised = written(good) if good else json.dumps(NAMED)
    assert [event.counter for event in parse(advised, ENVELOPE)] == ["c"]


def test_the_table_of_refusals_is_found():
    assert len(ROWS) == 8


@pytest.mark.parametrize(("events", "told"), [(1_000, "10 kB"), (10_000, "100 kB")])
def test_named_increments_take_the_room_that_is_told_and_native_ones_none(events, told):
    times = [ENVELOPE.sent_at + place * DAY_MS // events for place in range(events)]
    named = [Event("c", derived_source(f"order-{at}"), 0, at) for at in times]
    native = [Event("c", 1, seq, at) for seq, at in enumerate(times)]
    sizes = [len(fold(None, each, Limits()).value or b"") for each in (named, native)]
    assert [round(size, -3) for size in sizes] == [events * 10, 0]
    assert f"{events:,}" in PAGE
    assert told in PAGE


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
def test_the_program_for_native_increments_keeps_the_rules(tmp_path):
    [program] = re.findall(r"^```js\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "increments.mjs"
    made = '["a", "b", "a"].map((counter) => increment(counter, -2))'
    file.write_text(f"{program}\nconsole.log(JSON.stringify({made}));\n", "utf-8")
    sources = set()
    for _ in range(2):
        body = run("node", file, variables={}).stdout
        events = parse(body, Envelope("m", 2**62))
        assert [(e.counter, e.seq, e.amount) for e in events] == [
            ("a", 0, -2),
            ("b", 0, -2),
            ("a", 1, -2),
        ]
        sources |= {event.source for event in events}
    assert len(sources) == 2
