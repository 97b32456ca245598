"""What `make bench` writes: the goals' table, and the page with all that was measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.speed import (
    arena,
    cold,
    contention,
    growth,
    memory,
    publishing,
    run,
    workload,
)
from benchmarks.speed.contention import Contest
from benchmarks.speed.goals import Goal, goals
from benchmarks.speed.growth import Point
from benchmarks.speed.run import Results
from benchmarks.speed.timing import ratios, spread

TEMPLATE = Path(__file__).with_name("page.md")
NOT_MEASURED = "not measured: `apt-get install redis-server`"
VERDICTS = {True: "yes", False: "**no**", None: ""}
DIGITS = 3
"""Of a number that was measured."""


def page(results: Results) -> str:
    """The whole page, in Markdown."""
    machine, scale = results.machine, results.scale
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        python=machine.python,
        redis=f"Redis {machine.redis}" if machine.redis else "no Redis",
        seed=results.seed,
        repeats=scale.repeats,
        goals=goals_table(goals(results)),
        rates=rates(results),
        cpu=cpu(results),
        busy=contests(results.busy),
        paused=contests(results.paused),
        counters=over_counters(results.counters),
        sources=over_sources(results.sources),
        starts=starts(results),
        memory=held(results),
        published=published(results),
        counters_batch=f"{growth.COUNTERS_BATCH:,}",
        sources_batch=growth.SOURCES_BATCH,
        round_trip_ms=f"{contention.PACE.round_trip_s * 1e3:g}",
        jitter=f"{contention.PACE.jitter:.0%}".replace("%", " %"),
        fold_ms=f"{contention.PACE.fold_s * 1e3:g}",
        contest_s=f"{scale.contest_s:g}",
        paused_s=f"{run.PAUSED_FACTOR * scale.contest_s:g}",
        contests=scale.contests,
        batches=f"{results.memory.batches:,}",
        batch_increments=memory.BATCH_INCREMENTS,
        batch_counters=memory.COUNTERS,
        start_repeats=scale.starts,
        timeout_s=contention.TIMEOUT_S,
        comparison_counters=arena.COUNTERS,
        producers=workload.PRODUCERS,
        least=arena.LEAST_INCREMENTS,
    )


def goals_table(told: Iterable[Goal]) -> str:
    """A line for each goal."""
    head = ["measured", "goal", "median", "least to greatest", "met"]
    return table(head, [[each.what, *_judged(each)] for each in told])


def rates(results: Results) -> str:
    """Events a second of every entrant, over batch sizes."""
    head = ["events/s in batches of", *(f"{match.size:,}" for match in results.matches)]
    names = results.matches[0].times
    return table(
        head,
        [[name, *(_median(match.rates(name)) for match in results.matches)] for name in names],
    )


def cpu(results: Results) -> str:
    """CPU an event of every entrant, over batch sizes."""
    head = ["µs of CPU an event in batches of", *(f"{match.size:,}" for match in results.matches)]
    names = results.matches[0].times
    return table(
        head,
        [[name, *(_median(match.cpu_us(name)) for match in results.matches)] for name in names],
    )


def contests(curve: Iterable[Sequence[Contest]]) -> str:
    """A line for each number of consumers."""
    head = ["consumers", "tried for each stored", "batches/s", "longest batch, s", "given up"]
    return table(
        head,
        [
            [
                str(repeats[0].consumers),
                _spread([each.tries for each in repeats]),
                _median([each.stored_per_s for each in repeats]),
                number(max(each.longest_s for each in repeats)),
                str(sum(each.given_up for each in repeats)),
            ]
            for repeats in curve
        ],
    )


def over_counters(curve: Iterable[Point]) -> str:
    """A line for each number of counters."""
    head = ["counters", "events/s", "µs of CPU an event", "calls", "operations an event"]
    return table(
        head,
        [
            [
                f"{point.many:,}",
                _spread(point.rates),
                _median(point.cpu_us),
                f"{point.cost.calls:,}",
                f"{point.cost.operations / point.cost.increments:.4f}",
            ]
            for point in curve
        ],
    )


def over_sources(curve: Iterable[Point]) -> str:
    """A line for each number of live sources."""
    head = ["live sources", "CPU of a batch, ms", "operations a batch", "value, bytes"]
    return table(
        head,
        [
            [
                f"{point.many:,}",
                _spread([each.cpu_s * 1e3 for each in point.times]),
                f"{point.cost.operations:,}",
                f"{point.value_bytes:,}",
            ]
            for point in curve
        ],
    )


def starts(results: Results) -> str:
    """Cold starts, side by side."""
    names = {"our handler, imported and built": cold.OURS, "its libraries alone": cold.LIBRARIES}
    rows = [
        [name, _spread([each * 1e3 for each in results.starts[program]])]
        for name, program in names.items()
    ]
    return table(["cold start", "ms"], rows)


def held(results: Results) -> str:
    """Memory, once settled and at the end."""
    told = results.memory
    settled = f"after {int(told.batches * memory.SETTLED_AFTER):,} batches"
    rows = [
        ["Python's objects, KiB", *(f"{each / 1_024:,.1f}" for each in told.objects)],
        [
            "the process at its peak, with the benchmark itself, KiB",
            *(f"{each / 1_024:,.0f}" for each in told.peak),
        ],
    ]
    return table(["memory", settled, f"after {told.batches:,}"], rows)


def published(results: Results) -> str:
    """Increments a second, side by side."""
    told = results.published
    one = told.rates(publishing.ONE_EACH)
    rows = [
        [name, _spread(told.rates(name)), _median(ratios(told.rates(name), one)) + " ×"]
        for name in told.times
    ]
    return table(["published by", "increments/s", "against one each"], rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first hold numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """A number with three digits that say something; what is counted is told in full."""
    if value == int(value):
        return f"{value:,.0f}"
    decimals = max(0, DIGITS - len(str(int(abs(value)))))
    return f"{float(f'{value:.{DIGITS}g}'):,.{decimals}f}"


def _judged(goal: Goal) -> list[str]:
    asked = "" if goal.least is None else f"≥ {goal.least:,g}{goal.unit}"
    asked += "" if goal.most is None else f"≤ {goal.most:,g}{goal.unit}"
    if not goal.values:
        return [asked, NOT_MEASURED, "", ""]
    median, least, greatest = _numbers(goal.values)
    apart = f"{least} to {greatest}" if least != greatest else ""
    return [asked, f"{median}{goal.unit}", apart, VERDICTS[goal.met]]


def _median(values: Sequence[float]) -> str:
    return number(spread(values).median)


def _spread(values: Sequence[float]) -> str:
    median, least, greatest = _numbers(values)
    return f"{median} ({least} to {greatest})" if least != greatest else median


def _numbers(values: Sequence[float]) -> tuple[str, str, str]:
    """The median, the least and the greatest."""
    told = spread(values)
    return number(told.median), number(told.low), number(told.high)
