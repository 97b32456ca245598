"""What the demo judges and shows: a verdict that can be wrong, a live view, plain lines."""

import dataclasses
from collections import Counter as Sums
from concurrent.futures import Future

import pytest

from tally.cli.demo.command import _panel, watch
from tally.cli.demo.run import Demo, Look, Options
from tally.cli.demo.verdict import MAX_SHOWN_COUNTERS, OTHER, DeadLetter, Durable, show
from tally.cli.demo.workload import DemoCounter
from tally.cli.output import chatter
from tally.local.sqs.queue import Depth
from tally.local.watch import Returned, Seen, Watch
from tests.cli.demo import verdict

PAGE = DemoCounter("page:0", (1, 2), 4)
SEATS = DemoCounter("a:key:b[x]", (1,), 9, maximum=5)
STOCK = DemoCounter("stock:1", (-1,), 9, minimum=-5)
LETTERS = [DeadLetter("not JSON", "body: is not JSON"), DeadLetter("a fraction", "1.5")]


def test_a_verdict_is_right_where_all_is_as_it_must_be():
    right = verdict([(PAGE, 6), (SEATS, 5), (STOCK, -5)], LETTERS)
    assert (right.is_right, right.exact, right.wrong) == (True, 3, [])


@pytest.mark.parametrize("count", [None, 0, 5, 7, -6])
def test_a_count_that_is_off_or_missing_makes_a_verdict_wrong(count):
    wrong = verdict([(PAGE, count), (SEATS, 5)], LETTERS)
    assert (wrong.is_right, wrong.exact, wrong.wrong) == (False, 1, [(PAGE, count)])


@pytest.mark.parametrize(
    "letters",
    [
        [],
        LETTERS[:1],
        [*LETTERS, LETTERS[0]],
        [LETTERS[0], LETTERS[0]],
        [*LETTERS, DeadLetter(OTHER, "never said")],
        [LETTERS[0], DeadLetter(OTHER, "never said")],
    ],
)
def test_a_verdict_is_wrong_unless_just_the_bad_messages_are_dead_letters(letters):
    wrong = verdict([(PAGE, 6)], letters)
    assert (wrong.is_right, wrong.exact) == (False, 1)


RIGHT = """\
┏━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━┳━━━━┓
┃ counter    ┃ increments ┃ bound ┃ must be ┃ is ┃
┡━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━╇━━━━┩
│ page:0     │          4 │       │       6 │  6 │
│ a:key:b[x] │          9 │     5 │       5 │  5 │
│ stock:1    │          9 │    -5 │      -5 │ -5 │
└────────────┴────────────┴───────┴─────────┴────┘
dead letter: not JSON: body: is not JSON
dead letter: a fraction: 1.5
1,000 increments in 40 messages
counted in 2.0 s: 500 events/s
3 deletes lost, so those messages came again
2 consumers killed in mid-batch, so theirs came again
1,234 duplicates absorbed, 5 swaps lost and decided again
250 Momento operations: 0.250 an event
3 of 3 counters exact
"""


def test_a_right_verdict_is_shown_whole(capsys):
    show(verdict([(PAGE, 6), (SEATS, 5), (STOCK, -5)], LETTERS))
    assert capsys.readouterr() == (RIGHT, "")


OF_A_TABLE = """\
1,234 duplicates absorbed, 5 swaps lost and decided again
150 write and 100 read units: 0.150 and 0.100 an event
the cache was emptied 2 times, and away for 2.5 s
copies that it did not take: 1,012
the cache shows: 1 counts of the table, 1 older, 1 not there
3 of 3 counters exact in the table
"""


def test_of_a_table_the_units_are_told_and_what_its_cache_shows(capsys):
    right = verdict([(PAGE, 6), (SEATS, 5), (STOCK, -5)], LETTERS)
    shown = {"page:0": 4, "a:key:b[x]": 5, "stock:1": None}
    durable = Durable(150, 100, flushes=2, away_s=2.5, unset=1_012, shown=shown)
    show(dataclasses.replace(right, store="DynamoDB", durable=durable))
    assert capsys.readouterr().out.endswith(OF_A_TABLE)


def test_wrong_counters_are_shown_first_and_the_verdict_says_so(capsys):
    right = [(DemoCounter(f"page:{rank}", (1,), 7), 7) for rank in range(MAX_SHOWN_COUNTERS)]
    show(verdict([*right, (PAGE, 5), (STOCK, None)], LETTERS, seconds=0.0))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("│")[1].strip() for line in lines if line.startswith("│")] == [
        "page:0",
        "stock:1",
        *(f"page:{rank}" for rank in range(MAX_SHOWN_COUNTERS - 2)),
        "… 2 more",
    ]
    assert [cell.strip() for cell in lines[4].split("│")] == [
        "",
        "stock:1",
        "9",
        "-5",
        "-5",
        "",
        "",
    ]
    assert "counted in 0.0 s: 0 events/s" in lines
    assert lines[-2:] == ["12 of 14 counters exact", "Something is off."]


DEPTH = Depth(3, 4, 5, 0)


WHY = Returned("page:0", "invalid", "why", 1)


def said(metrics, returned=()):
    """What consumers said, of one batch."""
    return Seen(0.0, metrics, 1, 0, [], {}, dict(returned))


class Watched(Demo):
    """A demo of which there are only the looks."""

    def __init__(self, *seconds):  # it starts nothing
        metrics = Sums(EventsApplied=600, EventsDuplicate=600)
        seen = said(metrics, {"m1": WHY, "m2": WHY})
        self._looks = [Look(s, 1_000, s, 2_000, 5, 1, DEPTH, seen) for s in seconds]

    def looks(self):
        return iter(self._looks)


def test_elsewhere_than_on_a_terminal_a_line_is_printed_every_other_second_and_last(capsys):
    watch(Watched(0.0, 0.5, 1.9, 2.0, 3.9, 4.0, 5.0), plain=True)
    rates = [(0.0, "0"), (2.0, "300"), (4.0, "150"), (5.0, "120")]
    assert capsys.readouterr() == (
        "",
        "".join(
            f"{seconds:5.1f} s  published 1,000, counted 600, events/s {rate}, swaps lost 0, "
            "duplicates absorbed 600, consumers killed 1, dead letters 5\n"
            for seconds, rate in rates
        ),
    )


class Ending(Demo):
    """A demo that has published all, and whose poller tells of its last batch a moment late."""

    def __init__(self, *looks):
        super().__init__(Options(events=3, counters=1, consumers=2, seed=1), Watch(), now_ms=0)
        self._script = iter(looks)
        self._publishing = Future()
        self._publishing.set_result(None)
        self._stopping.set()  # no waiting between looks

    def _checked_look(self):
        return next(self._script)


def test_the_last_look_is_after_the_one_that_first_saw_all_at_rest():
    rest = Depth(0, 0, 9, 0)
    looks = [
        Look(float(number), 3, 0.0, 3, 0, 0, depth, said(Sums(EventsApplied=counted)))
        for number, (depth, counted) in enumerate([(DEPTH, 1), (DEPTH, 1), (rest, 1), (rest, 3)])
    ]
    assert list(Ending(*looks).looks()) == looks


PANEL = """\
━━━━━━━━━━━━━━━━━━
published            1,000
counted              600
events/s             300
swaps lost           0
duplicates absorbed  600
consumers killed     1
dead letters         5
returned             why
"""


def test_on_a_terminal_it_is_a_bar_and_a_table(capsys):
    [look] = Watched(2.0).looks()
    chatter().print(_panel(look))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rstrip() for line in lines] == PANEL.splitlines()


def test_where_a_table_decides_its_cache_is_told_as_well(capsys):
    [look] = Watched(2.0).looks()
    chatter().print(_panel(dataclasses.replace(look, cache="away")))
    lines = [line.rstrip() for line in capsys.readouterr().err.splitlines()]
    *_, cache, returned = lines
    assert (cache, returned) == ("cache                away", "returned             why")


DECIDED = """\
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
published            2,000
counted              2,000
events/s             1,000
swaps lost           0
duplicates absorbed  600
consumers killed     1
dead letters         3
returned             why
                     all decided; waiting for 2 dead letters
"""


def test_what_is_only_waited_for_is_told_and_the_rate_stays(capsys):
    [look] = Watched(2.0).looks()
    look = dataclasses.replace(look, seconds=9.0, published=2_000, depth=Depth(1, 1, 3, 0))
    chatter().print(_panel(look))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rstrip() for line in lines] == DECIDED.splitlines()


def test_the_live_view_leaves_nothing_behind(capsys):
    watch(Watched(0.0, 1.0), plain=False)
    assert capsys.readouterr().out == ""
