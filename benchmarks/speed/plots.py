"""The pictures of the page: what each shows, and what its title says of the numbers."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.speed import arena, canvas, contention, growth
from benchmarks.speed.arena import Match
from benchmarks.speed.canvas import NORMAL, STRONG, Axes, Figure, Line
from benchmarks.speed.contention import Contest
from benchmarks.speed.report import FEW, MANY, number
from benchmarks.speed.run import Results
from benchmarks.speed.timing import ratios, spread

ENTRANTS = {
    arena.OURS_PACKED: (canvas.GREEN, "Tally, packed messages", STRONG),
    arena.OURS: (canvas.LIGHT_GREEN, "Tally", STRONG),
    arena.REDIS_PACKED: (canvas.RED, "Redis Lua, pipelined", NORMAL),
    arena.REDIS: (canvas.LIGHT_RED, "Redis Lua, a call an event", NORMAL),
    arena.INCREMENT: (canvas.BLUE, "increment an event", NORMAL),
    arena.SEED: (canvas.OCHRE, "get, set if not max", NORMAL),
}
"""What the picture of throughput shows. The line of Powertools lies on that of `increment`, and
that of Redis with single messages just below the one with packed ones."""

DECADES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
TRIES_SHOWN = 9
SMALL_BATCH = 10
"""Events in a batch; below it a call for each is as fast as what we do, or faster."""

GOALS = ((FEW, 1.6, 14), (MANY, 8, 6))
"""Swaps that so many consumers may try for each stored; and where that is written, in points."""

WIDTH_IN = 9.6

Place = tuple[float, float, float, float]
"""Left, bottom, width and height, in inches."""


def draw(results: Results, folder: Path) -> None:
    """Draw all pictures into a folder."""
    canvas.save(throughput(results.matches), folder / "throughput.png")
    canvas.save(tries(results), folder / "contention.png")
    canvas.save(costs(results), folder / "growth.png")


def throughput(matches: Sequence[Match]) -> Figure:
    """Events a second over the size of a batch, ours and the others'."""
    card = canvas.figure(WIDTH_IN, 5.7)
    axes = canvas.axes(card, (0.85, 0.65, 6.35, 3.85), "events in a batch", "events a second")
    sizes = [match.size for match in matches]
    lines = [
        _line(color, label, sizes, (match.rates(name) for match in matches), width)
        for name, (color, label, width) in ENTRANTS.items()
        if name in matches[0].times
    ]
    canvas.logarithmic(axes, x=sizes, y=DECADES[2:])
    canvas.plot(axes, lines)
    axes.set_ylim(top=500_000)
    canvas.name_ends(axes, lines)
    last = matches[-1]
    times = spread(ratios(last.rates(arena.OURS), last.rates(arena.SEED))).median
    canvas.headline(
        card,
        f"Ours gains with the batch: {number(times)} times the article's recipe at {sizes[-1]:,}",
        f"{arena.COUNTERS} counters, one warm consumer, all servers on this machine; "
        "median and range of the repeats;\n"
        f"below some {SMALL_BATCH} events a batch a plain increment for each is as fast or faster",
    )
    return card


def tries(results: Results) -> Figure:
    """Swaps tried for each that is stored, over the consumers on one counter."""
    card = canvas.figure(WIDTH_IN, 5.1)
    axes = canvas.axes(
        card,
        (0.85, 0.65, 6.35, 3.25),
        "consumers on one counter",
        "swaps tried for each stored",
    )
    busy = _tries(results.busy, canvas.GREEN, "always a next batch", STRONG)
    paused = _tries(results.paused, canvas.LIGHT_GREEN, "a batch a second each", NORMAL)
    canvas.logarithmic(axes, x=contention.CONSUMERS)
    axes.set(ylim=(0, TRIES_SHOWN), yticks=range(0, TRIES_SHOWN, 2))
    _all_at_once(axes)
    canvas.plot(axes, [busy, paused])
    canvas.name_ends(axes, [busy, paused])
    told = dict(zip(busy.xs, busy.ys, strict=True))
    for consumers, most, offset in GOALS:
        _mark(axes, consumers, most, offset, is_met=told[consumers] <= most)
    given_up = _given_up(results.busy) + _given_up(results.paused)
    pace = contention.PACE
    canvas.headline(
        card,
        f"{FEW} consumers on one counter try {number(told[FEW])} swaps for each stored, "
        f"{MANY} try {number(told[MANY])}",
        f"virtual time: a round trip takes {pace.round_trip_s * 1e3:g} ms, "
        f"a fold {pace.fold_s * 1e3:g} ms; messages given up: {given_up}",
    )
    return card


def costs(results: Results) -> Figure:
    """Four small pictures: what the cost does as each thing grows."""
    card = canvas.figure(WIDTH_IN, 7.2)
    for (left, bottom), draw in zip(PLACES, PICTURES, strict=True):
        draw(card, (left, bottom, 3.65, 1.85), results)
    canvas.headline(
        card,
        "A batch pays for its counters, and little for its events",
        "one warm consumer, except bottom right; median and range of the repeats",
    )
    return card


def _over_batches(card: Figure, place: Place, results: Results) -> None:
    axes = canvas.axes(card, place, "events in a batch", "µs of CPU an event")
    sizes = [match.size for match in results.matches]
    canvas.logarithmic(axes, x=sizes, y=DECADES[:4])
    line = _line(canvas.GREEN, "", sizes, (match.cpu_us(arena.OURS) for match in results.matches))
    _draw(axes, line, "CPU an event falls with the batch")


def _over_counters(card: Figure, place: Place, results: Results) -> None:
    batch = f"a batch of {growth.COUNTERS_BATCH:,} events"
    axes = canvas.axes(card, place, f"counters in {batch}", "events a second")
    many = [point.many for point in results.counters]
    canvas.logarithmic(axes, x=many, y=DECADES[3:])
    line = _line(canvas.GREEN, "", many, (point.rates for point in results.counters))
    _draw(axes, line, "Each counter of a batch is a swap")


def _over_sources(card: Figure, place: Place, results: Results) -> None:
    batch = f"a batch of {growth.SOURCES_BATCH} events"
    axes = canvas.axes(card, place, "live sources of one counter", f"ms of CPU, {batch}")
    many = [point.many for point in results.sources]
    canvas.logarithmic(axes, x=many, y=(1, 2, 5, 10, 20, 50, 100))
    cpu_ms = ([each.cpu_s * 1e3 for each in point.times] for point in results.sources)
    line = _line(canvas.GREEN, "", many, cpu_ms)
    times = f"{line.ys[-1] / line.ys[0]:.2g}"
    _draw(axes, line, f"{many[-1]:,} live sources: {times} times the CPU")


def _over_consumers(card: Figure, place: Place, results: Results) -> None:
    axes = canvas.axes(card, place, "consumers on one counter, always busy", "batches a second")
    canvas.logarithmic(axes, x=contention.CONSUMERS)
    rates = ([each.stored_per_s for each in repeats] for repeats in results.busy)
    line = _line(canvas.GREEN, "", contention.CONSUMERS, rates)
    _draw(axes, line, "More consumers, the same throughput")
    axes.set_ylim(0, 1.25 * max(line.highs))


PICTURES = (_over_batches, _over_counters, _over_sources, _over_consumers)
PLACES = ((0.85, 3.95), (5.6, 3.95), (0.85, 0.65), (5.6, 0.65))
"""Of the small pictures, in inches from the left and from below."""


def _draw(axes: Axes, line: Line, title: str) -> None:
    canvas.plot(axes, [line])
    axes.margins(y=0.28)
    canvas.number_ends(axes, line, number)
    canvas.caption(axes, title)


def _all_at_once(axes: Axes) -> None:
    """The line that a rule without waiting would be on."""
    line = [quarter / 4 for quarter in range(4, 4 * TRIES_SHOWN + 1)]
    axes.plot(line, line, color=canvas.MUTED, linewidth=1.2, dashes=(4, 3))
    axes.annotate(
        "if all tried\nat every turn",
        (5.5, 5.5),
        (-14, 4),
        textcoords="offset points",
        color=canvas.MUTED,
        ha="right",
        va="bottom",
    )


def _mark(axes: Axes, consumers: int, most: float, offset: int, *, is_met: bool) -> None:
    """A bar where a goal lies, which says if it is missed."""
    name = f"goal: {most:g}" if is_met else f"goal: {most:g},\nmissed"
    axes.plot(consumers, most, "_", color=canvas.INK, markersize=22, markeredgewidth=1.6)
    axes.annotate(name, (consumers, most), (0, offset), textcoords="offset points", ha="center")


def _given_up(curve: Iterable[Sequence[Contest]]) -> int:
    return sum(each.given_up for repeats in curve for each in repeats)


def _tries(curve: Iterable[Sequence[Contest]], color: str, name: str, width: float) -> Line:
    values = ([each.tries for each in repeats] for repeats in curve)
    return _line(color, name, contention.CONSUMERS, values, width)


def _line(
    color: str,
    name: str,
    xs: Sequence[float],
    values: Iterable[Sequence[float]],
    width: float = NORMAL,
) -> Line:
    """A line of medians, with the range of the repeats."""
    told = [spread(each) for each in values]
    return Line(
        color,
        name,
        xs,
        [each.median for each in told],
        [each.low for each in told],
        [each.high for each in told],
        width,
    )
