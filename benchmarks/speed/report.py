"""What `make bench` writes: the goals, met or not, and the page with all that was measured."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.speed import arena, cold, contention, growth, memory, publishing, run, workload
from benchmarks.speed.arena import Match
from benchmarks.speed.contention import CONSUMERS
from benchmarks.speed.run import LIVE_SOURCES, Results
from benchmarks.speed.timing import ratios, spread

TEMPLATE = Path(__file__).with_name("page.md")
NOT_MEASURED = "not measured: `apt-get install redis-server`"
VERDICTS = {True: "yes", False: "**no**", None: ""}
DIGITS = 3
"""Of a number that was measured."""

FEW, MANY = 8, 64
"""Consumers on one counter that goals speak of."""


class Goal(NamedTuple):
    """A number that was measured, and how large or small it is to be.

    Attributes:
        what: was measured.
        values: of all repeats; none if it could not be measured.
        least: that the median must reach, if it must.
        most: that it may be; with neither, nothing is asked.
        unit: of all of these, with its blank.
    """

    what: str
    values: Sequence[float]
    least: float | None = None
    most: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median is as it is to be; None if nothing is asked, or was measured."""
        if not self.values or self.least is self.most is None:
            return None
        median = spread(self.values).median
        return (self.least is None or median >= self.least) and (
            self.most is None or median <= self.most
        )


_times = functools.partial(Goal, unit=" ×")


def goals(results: Results) -> list[Goal]:
    """All of them, in the order in which they are shown."""
    return [*_speed(results), *_swaps(results), *_footprint(results)]


def _speed(results: Results) -> list[Goal]:
    some, many = results.match(1_000), results.match(10_000)
    cpu_us = many.cpu_us(arena.OURS)
    redis: Sequence[float] = ()
    if arena.REDIS_PACKED in many.times:
        redis = ratios(many.rates(arena.OURS_PACKED), many.rates(arena.REDIS_PACKED))
    seed, many_seed = (
        ratios(match.rates(arena.OURS), match.rates(arena.SEED)) for match in (some, many)
    )
    ours, theirs = results.cost[arena.OURS], results.cost[arena.SEED]
    told = ours.operations / ours.increments
    return [
        _times("events/s against the seed's algorithm, 1,000 events on 100 counters", seed, 30),
        _times("the same, 10,000 events on 100 counters", many_seed, 80),
        _times("events/s against pipelined Redis Lua, 10,000 events in packed messages", redis, 1),
        Goal("CPU of the handler an event, 10,000 on 100 counters", cpu_us, most=3, unit=" µs"),
        _times(
            "the same, against a bare `msgspec` parse of the bodies",
            ratios(cpu_us, many.cpu_us(arena.MSGSPEC)),
        ),
        Goal("reads in a warm batch of one consumer", [ours.reads], most=0),
        Goal("round trips that a warm batch is deep", [results.depth], most=1),
        Goal("Momento operations an event, 1,000 on 100 counters, warm", [told], most=0.25),
        Goal("the same of the seed's algorithm", [theirs.operations / theirs.increments]),
    ]


def _swaps(results: Results) -> list[Goal]:
    few, many = (results.busy[CONSUMERS.index(number)] for number in (FEW, MANY))
    calm = results.paused[CONSUMERS.index(FEW)]
    given_up = sum(each.given_up for each in few + calm + many)
    busy, paused, crowded = ([each.tries for each in told] for told in (few, calm, many))
    return [
        Goal(
            "swaps tried for each stored, 8 consumers on one counter, always busy", busy, None, 1.6
        ),
        Goal("the same, each with a batch a second", paused, most=1.6),
        Goal("the same, 64 consumers, always busy", crowded, most=8),
        Goal("messages given up in all of these", [given_up], most=0),
    ]


def _footprint(results: Results) -> list[Goal]:
    told, published = results.memory, results.published
    growth_percent = 100 * (told.peak[1] / told.peak[0] - 1)
    starts = ratios(results.starts[cold.OURS], results.starts[cold.LIBRARIES])
    sent = ratios(published.rates(publishing.OURS), published.rates(publishing.ONE_EACH))
    value = f"value of a counter with {LIVE_SOURCES} live sources"
    peak = f"growth of the consumer's peak memory over {told.batches:,} batches"
    return [
        Goal(value, [results.value_bytes], most=1_024, unit=" bytes"),
        _times(
            "cold start of the handler, against importing its libraries alone", starts, most=1.3
        ),
        Goal(peak, [growth_percent], most=1, unit=" %"),
        _times("publisher, increments/s against a `send_message` each, on moto", sent, 50),
    ]


def page(results: Results) -> str:
    """The whole page, in Markdown."""
    pace = contention.PACE
    return TEMPLATE.read_text(encoding="utf-8").format(
        results=results,
        arena=arena,
        contention=contention,
        growth=growth,
        memory=memory,
        workload=workload,
        redis=f"Redis {results.machine.redis}" if results.machine.redis else "no Redis",
        round_trip_ms=f"{pace.round_trip_s * 1e3:g}",
        jitter=f"{pace.jitter:.0%}".replace("%", " %"),
        fold_ms=f"{pace.fold_s * 1e3:g}",
        paused_s=f"{run.PAUSED_FACTOR * results.scale.contest_s:g}",
        **tables(results),
    )


def tables(results: Results) -> dict[str, str]:
    """Every table of the page, by its name there."""
    return {
        "goals": goals_table(goals(results)),
        "rates": _of_batches("events/s in batches of", results.matches, Match.rates),
        "cpu": _of_batches("µs of CPU an event in batches of", results.matches, Match.cpu_us),
        "busy": _curve(_CONTESTS, results.busy),
        "paused": _curve(_CONTESTS, results.paused),
        "counters": _curve(_OVER_COUNTERS, results.counters),
        "sources": _curve(_OVER_SOURCES, results.sources),
        "starts": _starts(results),
        "held": _held(results),
        "published": _published(results),
    }


def goals_table(told: Iterable[Goal]) -> str:
    """A line for each goal."""
    head = ["measured", "goal", "median", "least to greatest", "met"]
    return table(head, [[each.what, *_judged(each)] for each in told])


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


_Columns = Mapping[str, Callable[[Any], str]]
"""What each column says of a point of a curve, by its head."""

_CONTESTS: _Columns = {
    "consumers": lambda repeats: str(repeats[0].consumers),
    "tried for each stored": lambda repeats: _spread([each.tries for each in repeats]),
    "batches/s": lambda repeats: _median([each.stored_per_s for each in repeats]),
    "longest batch, s": lambda repeats: number(max(each.longest_s for each in repeats)),
    "given up": lambda repeats: str(sum(each.given_up for each in repeats)),
}
_OVER_COUNTERS: _Columns = {
    "counters": lambda point: f"{point.many:,}",
    "events/s": lambda point: _spread(point.rates),
    "µs of CPU an event": lambda point: _median(point.cpu_us),
    "calls": lambda point: f"{point.cost.calls:,}",
    "operations an event": lambda point: f"{point.cost.operations / point.cost.increments:.4f}",
}
_OVER_SOURCES: _Columns = {
    "live sources": lambda point: f"{point.many:,}",
    "CPU of a batch, ms": lambda point: _spread([each.cpu_s * 1e3 for each in point.times]),
    "operations a batch": lambda point: f"{point.cost.operations:,}",
    "value, bytes": lambda point: f"{point.value_bytes:,}",
}


def _curve(columns: _Columns, points: Iterable[object]) -> str:
    """A line for each point."""
    return table(list(columns), [[tell(point) for tell in columns.values()] for point in points])


def _of_batches(
    head: str, matches: Sequence[Match], values: Callable[[Match, str], Sequence[float]]
) -> str:
    """A line for each entrant, a column for each size of a batch."""
    rows = [
        [name, *(_median(values(match, name)) for match in matches)] for name in matches[0].times
    ]
    return table([head, *(f"{match.size:,}" for match in matches)], rows)


def _starts(results: Results) -> str:
    names = {"our handler, imported and built": cold.OURS, "its libraries alone": cold.LIBRARIES}
    rows = [
        [name, _spread([each * 1e3 for each in results.starts[program]])]
        for name, program in names.items()
    ]
    return table(["cold start", "ms"], rows)


def _held(results: Results) -> str:
    told = results.memory
    settled = f"after {int(told.batches * memory.SETTLED_AFTER):,} batches"
    peak = "the process at its peak, with the benchmark itself, KiB"
    rows = [
        ["Python's objects, KiB", *(f"{each / 1_024:,.1f}" for each in told.objects)],
        [peak, *(f"{each / 1_024:,.0f}" for each in told.peak)],
    ]
    return table(["memory", settled, f"after {told.batches:,}"], rows)


def _published(results: Results) -> str:
    told = results.published
    one = told.rates(publishing.ONE_EACH)
    rows = [
        [name, _spread(told.rates(name)), _median(ratios(told.rates(name), one)) + " ×"]
        for name in told.times
    ]
    return table(["published by", "increments/s", "against one each"], rows)
