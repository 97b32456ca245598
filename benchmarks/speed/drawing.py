"""The pictures of the page: what each shows, what its title says of the numbers, and how all look.

A white card, few lines, and every line named where it ends: dark text on white reads the same on
GitHub's light and dark pages. matplotlib is imported here, on first use, and nowhere else: it is of
a group that only `make bench` installs.
"""

import importlib
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.speed import arena, contention, growth, matches
from benchmarks.speed.goals import FEW, MANY
from benchmarks.speed.report import number
from benchmarks.speed.run import Results
from benchmarks.speed.timing import Spread, ratios, spread

Figure = Any
Axes = Any
"""matplotlib's, of which mypy cannot know."""

INK, MUTED, GRID = "#1f2430", "#667085", "#e6e8ec"
GREEN, LIGHT_GREEN, RED, LIGHT_RED = "#0b6e4f", "#3fa37c", "#b3261e", "#e0857d"
BLUE, OCHRE, VIOLET, LIGHT_VIOLET = "#3b5ba5", "#8a6d1d", "#5b3a8e", "#9b7fc4"
STRONG, NORMAL = 2.8, 2.0
"""Widths of lines: ours, and the others'."""

DPI, WIDTH_IN, MARGIN_IN = 144, 9.6, 0.3
LABEL_GAP = 0.058
"""The least distance between two names of lines, as a share of the axes' height."""

STYLE = {
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
}
ENTRANTS = {
    arena.VALKEY_PACKED: (GREEN, "Tally on Valkey, packed", STRONG),
    arena.VALKEY: (LIGHT_GREEN, "Tally on Valkey", STRONG),
    arena.OURS_PACKED: (VIOLET, "Tally on Momento, packed", STRONG),
    arena.OURS: (LIGHT_VIOLET, "Tally on Momento", STRONG),
    arena.LUA_PACKED: (RED, "Lua script, pipelined", NORMAL),
    arena.LUA: (LIGHT_RED, "Lua script, a call an event", NORMAL),
    arena.INCREMENT: (BLUE, "increment an event", NORMAL),
    arena.SEED: (OCHRE, "get, set if not max", NORMAL),
}
"""What the picture of throughput shows. The line of Powertools lies on that of `increment`, and
that of the script with single messages just below the one with packed ones."""

SMALL_IN = (3.65, 1.85)
"""Width and height of each of the four small pictures."""

DECADES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
TRIES_SHOWN = 9
GOALS = ((FEW, 1.6, 14), (MANY, 8, 6))
"""Swaps that so many consumers may try for each stored; and where that is written, in points."""

Place = tuple[float, float, float, float]
"""Left, bottom, width and height, in inches."""


class Line(NamedTuple):
    """A line: its colour, its name, its points, and how far the repeats of each lay apart."""

    color: str
    name: str
    xs: Sequence[float]
    spreads: Sequence[Spread]
    width: float

    @property
    def ys(self) -> list[float]:
        """The medians."""
        return [each.median for each in self.spreads]


def draw(results: Results, folder: Path) -> None:
    """Draw all pictures into a folder; the same numbers give the same bytes, with no date."""
    form = {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}}
    for name, card in {"throughput": _throughput, "contention": _tries, "growth": _costs}.items():
        card(results).savefig(folder / f"{name}.png", **form)


def _throughput(results: Results) -> Figure:
    """Events a second over the size of a batch, ours and the others'."""
    sizes, last = [match.size for match in results.matches], results.matches[-1]
    times = spread(ratios(last.rates(arena.OURS), last.rates(arena.SEED))).median
    card = _card(
        6.2,
        f"Ours gains with the batch: on Momento {number(times)} times the article's recipe "
        f"at {sizes[-1]:,}",
        f"{matches.COUNTERS} counters, one warm consumer, all servers on this machine; "
        f"median and range of the repeats;\n{_as_fast(results)}",
    )
    axes = _axes(card, (0.85, 0.65, 6.35, 4.3), "events in a batch", "events a second")
    lines = [
        _line(color, label, sizes, (match.rates(name) for match in results.matches), width)
        for name, (color, label, width) in ENTRANTS.items()
        if name in last.times
    ]
    _logarithmic(axes, x=sizes, y=DECADES[2:])
    _plot(axes, lines)
    axes.set_ylim(top=1_000_000)
    _name_ends(axes, lines)
    return card


def _as_fast(results: Results) -> str:
    """Up to which batches others are as fast as ours on the same store."""
    pairs = [("increment", arena.OURS, arena.INCREMENT)]
    pairs += [("the pipelined script", arena.VALKEY, arena.LUA_PIPELINED)]
    told = []
    for what, ours, other in pairs:
        sizes = [
            match.size
            for match in results.matches
            if {ours, other} <= match.times.keys()
            and spread(ratios(match.rates(ours), match.rates(other))).median <= 1
        ]
        told += [f"{what} up to batches of {max(sizes):,}"] if sizes else []
    others = ", ".join(told) or "none of the others"
    return f"still as fast: {others}; they count redelivered events twice"


def _tries(results: Results) -> Figure:
    """Swaps tried for each that is stored, over the consumers on one counter."""
    busy, paused = (
        [[each.tries for each in repeats] for repeats in curve]
        for curve in (results.busy, results.paused)
    )
    lines = [
        _line(GREEN, "always a next batch", contention.CONSUMERS, busy, STRONG),
        _line(LIGHT_GREEN, "a batch a second each", contention.CONSUMERS, paused),
    ]
    told = dict(zip(lines[0].xs, lines[0].ys, strict=True))
    contests = [each for repeats in (*results.busy, *results.paused) for each in repeats]
    pace = contention.PACE
    card = _card(
        5.1,
        f"{FEW} consumers on one counter try {number(told[FEW])} swaps for each stored, "
        f"{MANY} try {number(told[MANY])}",
        f"virtual time: a round trip takes {pace.round_trip_s * 1e3:g} ms, a fold "
        f"{pace.fold_s * 1e3:g} ms; messages given up: {sum(each.given_up for each in contests)}",
    )
    many, tried = "consumers on one counter", "swaps tried for each stored"
    axes = _axes(card, (0.85, 0.65, 6.35, 3.25), many, tried)
    _logarithmic(axes, x=contention.CONSUMERS)
    axes.set(ylim=(0, TRIES_SHOWN), yticks=range(0, TRIES_SHOWN, 2))
    at_once = [quarter / 4 for quarter in range(4, 4 * TRIES_SHOWN + 1)]  # a rule without waiting
    axes.plot(at_once, at_once, color=MUTED, linewidth=1.2, dashes=(4, 3))
    look = {"color": MUTED, "ha": "right", "va": "bottom"}
    _note(axes, "if all tried\nat every turn", (5.5, 5.5), (-14, 4), **look)
    _plot(axes, lines)
    _name_ends(axes, lines)
    for consumers, most, height in GOALS:
        missed = ",\nmissed" if told[consumers] > most else ""
        axes.plot(consumers, most, "_", color=INK, markersize=22, markeredgewidth=1.6)
        _note(axes, f"goal: {most:g}{missed}", (consumers, most), (0, height), ha="center")
    return card


def _costs(results: Results) -> Figure:
    """Four small pictures: what the cost does as each thing grows."""
    card = _card(
        7.2,
        "A batch pays for its counters, and little for its events",
        "one warm consumer, except bottom right; median and range of the repeats",
    )
    sizes = [match.size for match in results.matches]
    line = _line(GREEN, "", sizes, (match.cpu_us(arena.OURS) for match in results.matches))
    axes = _axes(card, (0.85, 3.95, *SMALL_IN), "events in a batch", "µs of CPU an event")
    _grow(axes, line, "CPU an event falls with the batch", DECADES[:4])

    many = [point.many for point in results.counters]
    line = _line(GREEN, "", many, (point.rates for point in results.counters))
    name = f"counters in a batch of {growth.COUNTERS_BATCH:,} events"
    axes = _axes(card, (5.6, 3.95, *SMALL_IN), name, "events a second")
    _grow(axes, line, "Each counter of a batch is a swap", DECADES[3:])

    many = [point.many for point in results.sources]
    cpu_ms = ([each.cpu_s * 1e3 for each in point.times] for point in results.sources)
    line = _line(GREEN, "", many, cpu_ms)
    name = f"ms of CPU, a batch of {growth.SOURCES_BATCH} events"
    axes = _axes(card, (0.85, 0.65, *SMALL_IN), "live sources of one counter", name)
    title = f"{many[-1]:,} live sources: {line.ys[-1] / line.ys[0]:.2g} times the CPU"
    _grow(axes, line, title, (1, 2, 5, 10, 20, 50, 100))

    stored = ([each.stored_per_s for each in repeats] for repeats in results.busy)
    line = _line(GREEN, "", contention.CONSUMERS, stored)
    name = "consumers on one counter, always busy"
    axes = _axes(card, (5.6, 0.65, *SMALL_IN), name, "batches a second")
    _grow(axes, line, "More consumers, the same throughput", ())
    axes.set_ylim(0, 1.25 * max(each.high for each in line.spreads))
    return card


def _grow(axes: Axes, line: Line, title: str, ticks: Sequence[float]) -> None:
    """Draw one line, with the numbers at its ends; without ticks, y is not logarithmic."""
    _logarithmic(axes, x=line.xs, y=ticks)
    _plot(axes, [line])
    axes.margins(y=0.28)
    _number_ends(axes, line)
    look = {"xycoords": "axes fraction", "fontsize": 11.5, "fontweight": "bold"}
    _note(axes, title, (0, 1), (0, 26), **look)


def _card(height_in: float, title: str, subtitle: str) -> Figure:
    """An empty card that says what is to be seen, and below it what is shown."""
    importlib.import_module("matplotlib").rcParams.update(STYLE)
    card = importlib.import_module("matplotlib.figure").Figure((WIDTH_IN, height_in), dpi=DPI)
    card.set_facecolor("white")
    left, top = MARGIN_IN / WIDTH_IN, 1 - 0.2 / height_in
    card.text(left, top, title, fontsize=14, fontweight="bold", va="top")
    card.text(left, top - 0.34 / height_in, subtitle, color=MUTED, va="top")
    return card


def _axes(card: Figure, place: Place, x: str, y: str) -> Axes:
    """Axes at a place; the name of y lies above its axis."""
    width_in, height_in = card.get_size_inches()
    left, bottom, width, height = place
    shares = (left / width_in, bottom / height_in, width / width_in, height / height_in)
    made = card.add_axes(shares)
    made.set_xlabel(x)
    made.set_title(y, fontsize=STYLE["font.size"], color=MUTED, pad=8)
    return made


def _logarithmic(axes: Axes, *, x: Sequence[float], y: Sequence[float] = ()) -> None:
    """Make an axis logarithmic, with ticks at the numbers given and nowhere else."""
    ticker = importlib.import_module("matplotlib.ticker")
    for axis, scale, ticks in ((axes.xaxis, axes.set_xscale, x), (axes.yaxis, axes.set_yscale, y)):
        if ticks:
            scale("log")
            axis.set_major_locator(ticker.FixedLocator(ticks))
            axis.set_minor_locator(ticker.NullLocator())
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _line(
    color: str,
    name: str,
    xs: Sequence[float],
    values: Iterable[Sequence[float]],
    width: float = NORMAL,
) -> Line:
    """A line of medians, with the range of the repeats."""
    return Line(color, name, xs, [spread(each) for each in values], width)


def _plot(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw lines with their spread."""
    for line in lines:
        lows, highs = zip(*((each.low, each.high) for each in line.spreads), strict=True)
        axes.fill_between(line.xs, lows, highs, color=line.color, alpha=0.14, linewidth=0)
        points = {"marker": "o", "markersize": 2 + line.width, "markeredgecolor": "white"}
        look = {"color": line.color, "linewidth": line.width, "markeredgewidth": 0.8, **points}
        axes.plot(line.xs, line.ys, clip_on=False, zorder=3, **look)


def _note(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float], **look: object
) -> None:
    """Write so many points away from a place."""
    axes.annotate(text, place, offset, textcoords="offset points", **look)


def _name_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Name each line to the right of its last point, apart from its neighbours' names."""
    heights = [_height(axes, line.ys[-1]) for line in lines]
    for line, height in zip(lines, apart(heights, LABEL_GAP), strict=True):
        weight = "bold" if line.width > NORMAL else "normal"
        look = {"xycoords": "axes fraction", "fontweight": weight, "va": "center"}
        _note(axes, line.name, (1.0, height), (10, 0), color=line.color, **look)


def _number_ends(axes: Axes, line: Line) -> None:
    """Write its value above a line's first point, and at its last where the line leaves room."""
    falls = line.ys[-1] < line.ys[-2]
    for end, side, away in ((0, "left", (-4, 8)), (-1, "right", (6, -18 if falls else 8))):
        look = {"color": line.color, "fontweight": "bold", "ha": side}
        _note(axes, number(line.ys[end]), (line.xs[end], line.ys[end]), away, **look)


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved as little as leaves `gap` between any two: neighbours give way alike."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    blocks: list[list[float]] = []
    for rank, place in enumerate(order):
        blocks.append([heights[place] - rank * gap])
        while len(blocks) > 1 and statistics.mean(blocks[-2]) > statistics.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    moved = [statistics.mean(block) for block in blocks for _ in block]
    placed = {place: moved[rank] + rank * gap for rank, place in enumerate(order)}
    return [placed[place] for place in range(len(heights))]


def _height(axes: Axes, value: float) -> float:
    """Where a value lies, as a share of the axes' height."""
    _, pixel = axes.transData.transform((axes.get_xlim()[0], value))
    _, share = axes.transAxes.inverted().transform((0, pixel))
    return float(share)
