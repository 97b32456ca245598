"""What `make recipes` writes: the headline table, the tables of each rate, and how to read them."""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.dynamodb import peers
from benchmarks.recipes import cache, dynamodb, recipes, scenario, table
from benchmarks.recipes.campaign import Results
from benchmarks.recipes.lineup import DURABLE, OURS, RECIPES
from benchmarks.recipes.run import Outcome
from benchmarks.recipes.scenario import RATES
from tests.simulation.faults import Fault

TEMPLATE = Path(__file__).with_name("page.md")
WRONGS = ("double", "lost", "wrong", "oversold")


def page(results: Results, seeds: range) -> str:
    """The whole page, in Markdown."""
    return TEMPLATE.read_text(encoding="utf-8").format(
        runs=len(seeds),
        first=seeds[0],
        last=seeds[-1],
        events=f"{len(seeds) * scenario.EVENTS:,}",
        counters=f"{len(seeds) * scenario.COUNTERS:,}",
        headline=headline(results),
        details="\n".join(details(results, rate) for rate in RATES),
        run_events=f"{scenario.EVENTS:,}",
        run_counters=scenario.COUNTERS,
        producers=scenario.PRODUCERS,
        published_in_s=scenario.PUBLISHED_IN_S,
        sold_out_every=scenario.SOLD_OUT_EVERY,
        consumers=scenario.CONSUMERS,
        batch_messages=scenario.BATCH_MESSAGES,
        max_receives=scenario.MAX_RECEIVES,
        cache_tries=cache.MAX_TRIES,
        swap_tries=recipes.MAX_TRIES,
        table_tries=dynamodb.MAX_TRIES,
        conflict_tries=peers.MAX_TRIES,
        transaction_ms=f"{table.TRANSACTION_S * 1e3:g}",
    )


def headline(results: Results) -> str:
    """The share of wrong counters of each recipe at each rate."""
    head = ["at a fault rate of", *map(percent, RATES)]
    rows = [[name, *(_wrong(results[name, rate]) for rate in RATES)] for name in RECIPES]
    return _table(head, rows)


def details(results: Results, rate: float) -> str:
    """What happened at a rate: the faults, and a line for each recipe."""
    head = ["recipe", "double", "lost", "wrong counters", "oversold bounds", "dead", "calls"]
    head += ["units", "records"]
    rows = [[name, *_line(results[name, rate])] for name in RECIPES]
    faults = _faults([results[name, rate] for name in RECIPES])
    return f"## Fault rate {percent(rate)}\n\n{faults}\n\n{_table(head, rows)}"


def is_exact(results: Results) -> bool:
    """Whether ours did what it promises, on a cache and on a table."""
    ours = [results[name, rate].totals for name in (OURS, DURABLE) for rate in RATES]
    return not any(totals[name] for totals in ours for name in WRONGS)


def percent(share: float) -> str:
    """A share for people: 0.001 is 0.1 %."""
    return f"{100 * share:g} %"


def _line(outcome: Outcome) -> list[str]:
    totals = outcome.totals
    return [
        f"{totals['double']:,}",
        f"{totals['lost']:,}",
        f"{totals['wrong']:,} of {totals['counters']:,}",
        f"{totals['oversold']:,} of {totals['bounds']:,}",
        f"{totals['dead']:,}",
        f"{totals['calls'] / totals['events']:.2f}",
        f"{totals['units'] / totals['events']:.2f}" if totals["units"] else "",
        f"{totals['records'] / totals['events']:.2f}",
    ]


def _wrong(outcome: Outcome) -> str:
    wrong = outcome.totals["wrong"]
    return f"{100 * wrong / outcome.totals['counters']:.1f} %" if wrong else "none"


def _faults(outcomes: list[Outcome]) -> str:
    """How many faults there were: a range, for recipes differ in the calls that may fail."""
    faults = [outcome.faults for outcome in outcomes]
    if not any(faults):
        return "No fault and no message twice: only consumers that work at the same time."
    twice = _range(each[Fault.ECHO] + each[Fault.GHOST] for each in faults)
    deletes = _range(each[Fault.DELETE_LOST] for each in faults)
    requests = _range(each[Fault.REQUEST_LOST] for each in faults)
    answers = _range(each[Fault.ANSWER_LOST] for each in faults)
    killed = _range(each[Fault.KILLED] for each in faults)
    return (
        f"For each recipe: {twice} messages delivered again by SQS, {deletes} deletes lost;\n"
        f"{requests} requests and {answers} answers lost; {killed} invocations killed."
    )


def _range(numbers: Iterable[int]) -> str:
    low, *_, high = sorted(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
