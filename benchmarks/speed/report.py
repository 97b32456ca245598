"""What `make bench` writes: the goals, met or not, and the page with all that was measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import (
    arena,
    cold,
    contention,
    durable,
    growth,
    matches,
    memory,
    publishing,
    run,
    stores,
    workload,
)
from benchmarks.speed.goals import Goal, goals
from benchmarks.speed.matches import Match
from benchmarks.speed.memory import Memory
from benchmarks.speed.run import Results
from benchmarks.speed.stores import Swapped
from benchmarks.speed.timing import ratios, spread

TEMPLATE = Path(__file__).with_name("page.md")
NOT_MEASURED = "not measured: `apt-get install redis-server`"
"""Of Valkey or Redis: elsewhere than on common machines no wheel brings a server."""

TIMES = {1: "once", 2: "**twice**"}
VERDICTS = {True: "yes", False: "**no**", None: ""}
DIGITS = 3
"""Of a number that was measured."""


def page(results: Results) -> str:
    """The whole page, in Markdown."""
    pace = contention.PACE
    return TEMPLATE.read_text(encoding="utf-8").format(
        results=results,
        arena=arena,
        contention=contention,
        few=durable.EVENTS[durable.TRANSACTION],
        growth=growth,
        matches=matches,
        memory=memory,
        stores=stores,
        workload=workload,
        server=results.machine.server or "neither Valkey nor Redis",
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
        "rates": _of_batches("events/s in batches of", results, Match.rates),
        "cpu": _of_batches("µs of CPU an event in batches of", results, Match.cpu_us),
        "swapped": _swapped(results.swapped),
        "on_tables": _on_tables(results),
        "grown": _grown(results),
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
    head: str, results: Results, values: Callable[[Match, str], Sequence[float]]
) -> str:
    """A line for each entrant, a column for each size of a batch.

    And one that says how often what was delivered twice has counted, of those who count.
    """
    rows = [
        [
            name,
            TIMES.get(results.counted.get(name, 0), ""),
            *(_median(values(match, name)) for match in results.matches),
        ]
        for name in results.matches[0].times
    ]
    sizes = (f"{match.size:,}" for match in results.matches)
    return table([head, "a redelivered event counts", *sizes], rows)


def _swapped(swapped: Sequence[Swapped]) -> str:
    """A line for each place, with what a swap took on each store."""
    names = list(swapped[0].times)
    beyond = arena.VALKEY in names
    head = ["counters", "value, bytes", *(f"{name}, µs" for name in names)]
    head += ["Valkey beyond memory, µs"] if beyond else []
    head += [f"{name}, swaps/s" for name in names]
    rows = [
        [
            f"{each.place.counters:,}",
            f"{each.value_bytes:,}",
            *(_spread(each.cpu_us(name)) for name in names),
            *([_spread(each.beyond_us(arena.VALKEY))] if beyond else []),
            *(_median(each.rates(name)) for name in names),
        ]
        for each in swapped
    ]
    return table(head, rows)


def _starts(results: Results) -> str:
    names = {"our handler, imported and built": cold.OURS, "its libraries alone": cold.LIBRARIES}
    rows = [
        [name, _spread([each * 1e3 for each in results.starts[program]])]
        for name, program in names.items()
    ]
    took = {f"Valkey's adapter, imported {where}": its for where, its in results.adapters.items()}
    took |= results.tables
    rows += [[name, _spread([each * 1e3 for each in its])] for name, its in took.items()]
    return table(["cold start", "ms"], rows)


def _held(results: Results) -> str:
    rows = [
        [f"{store}: {what}", *(f"{each / memory.KIB:,.1f}" for each in held), _batches(told)]
        for store, told in {"Momento": results.memory, "DynamoDB": results.durable.memory}.items()
        for what, held in {
            "Python's objects": told.objects,
            "the process at its peak": told.peak,
        }.items()
    ]
    return table(["memory, KiB", "settled", "at the end", "batches"], rows)


def _batches(told: Memory) -> str:
    """After how many batches there was nothing more to settle, and how many there were."""
    return f"{int(told.batches * memory.SETTLED_AFTER):,}, {told.batches:,}"


def _on_tables(results: Results) -> str:
    """A line for each who counts in a table."""
    told = results.durable
    head = ["on 100 counters", "a redelivered event counts", "events", "calls an event"]
    head += ["units an event", "records an event", "µs of CPU an event"]
    rows = [
        [
            name,
            TIMES[told.counted[name]],
            f"{side.events:,}",
            number(side.calls / side.events),
            number(side.units_an_event),
            number(side.records / side.events),
            _spread(side.cpu_us),
        ]
        for name, side in told.sides.items()
    ]
    return table(head, rows)


def _grown(results: Results) -> str:
    """A line for each place of ours."""
    head = ["events", "counters", "calls", "units an event", "µs of CPU an event", "µs a call"]
    rows = [
        [
            f"{place.events:,}",
            f"{place.counters:,}",
            f"{side.calls:,}",
            f"{side.units_an_event:.4f}",
            _spread(side.cpu_us),
            _median([each * side.events / side.calls for each in side.cpu_us]),
        ]
        for place, side in zip(durable.PLACES, results.durable.grown, strict=True)
    ]
    return table(head, rows)


def _published(results: Results) -> str:
    told = results.published
    one = told.rates(publishing.ONE_EACH)
    rows = [
        [name, _spread(told.rates(name)), _median(ratios(told.rates(name), one)) + " ×"]
        for name in told.times
    ]
    return table(["published by", "increments/s", "against one each"], rows)
