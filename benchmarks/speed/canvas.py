"""How the pictures look: a white card, few lines, and every line named where it ends.

Dark text on white reads the same on GitHub's light and dark pages. matplotlib is imported here, on
first use, and nowhere else: it is of a group that only `make bench` installs.
"""

import importlib
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Figure = Any
Axes = Any
"""matplotlib's, of which mypy cannot know."""

INK, MUTED, GRID = "#1f2430", "#667085", "#e6e8ec"
GREEN, LIGHT_GREEN, RED, LIGHT_RED = "#0b6e4f", "#3fa37c", "#b3261e", "#e0857d"
BLUE, LIGHT_BLUE, OCHRE = "#3b5ba5", "#93a8d6", "#8a6d1d"

DPI = 144
MARGIN_IN = 0.3
STRONG, NORMAL = 2.8, 2.0
"""Widths of lines: ours, and the others'."""

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


class Line(NamedTuple):
    """A line: its colour, its name, its points, and how far its repeats lay apart."""

    color: str
    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    width: float = NORMAL


def figure(width_in: float, height_in: float) -> Figure:
    """An empty card."""
    importlib.import_module("matplotlib").rcParams.update(STYLE)
    made = importlib.import_module("matplotlib.figure").Figure((width_in, height_in), dpi=DPI)
    made.set_facecolor("white")
    return made


def headline(card: Figure, title: str, subtitle: str) -> None:
    """Say what is to be seen, and below it what is shown."""
    width_in, height_in = card.get_size_inches()
    left, top = MARGIN_IN / width_in, 1 - 0.2 / height_in
    card.text(left, top, title, fontsize=14, fontweight="bold", va="top")
    card.text(left, top - 0.34 / height_in, subtitle, color=MUTED, va="top")


def axes(card: Figure, place: tuple[float, float, float, float], x: str, y: str) -> Axes:
    """Axes at (left, bottom, width, height), in inches; the name of y lies above its axis."""
    width_in, height_in = card.get_size_inches()
    left, bottom, width, height = place
    made = card.add_axes(
        (left / width_in, bottom / height_in, width / width_in, height / height_in)
    )
    made.set_xlabel(x)
    made.set_title(y, fontsize=STYLE["font.size"], color=MUTED, pad=8)
    return made


def caption(axes: Axes, title: str) -> None:
    """Say what is to be seen on one of several axes."""
    axes.annotate(
        title, (0, 1), (0, 26), "axes fraction", "offset points", fontsize=11.5, fontweight="bold"
    )


def plot(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw lines with their spread."""
    for line in lines:
        axes.fill_between(line.xs, line.lows, line.highs, color=line.color, alpha=0.14, linewidth=0)
        axes.plot(
            line.xs,
            line.ys,
            color=line.color,
            linewidth=line.width,
            marker="o",
            markersize=2 + line.width,
            markeredgecolor="white",
            markeredgewidth=0.8,
            clip_on=False,
            zorder=3,
        )


def logarithmic(axes: Axes, *, x: Sequence[float] = (), y: Sequence[float] = ()) -> None:
    """Make an axis logarithmic, with ticks at the numbers given and nowhere else."""
    ticker = importlib.import_module("matplotlib.ticker")
    for axis, scale, ticks in ((axes.xaxis, axes.set_xscale, x), (axes.yaxis, axes.set_yscale, y)):
        if ticks:
            scale("log")
            axis.set_major_locator(ticker.FixedLocator(ticks))
            axis.set_minor_locator(ticker.NullLocator())
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))


def name_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Name each line to the right of its last point, apart from its neighbours' names."""
    heights = [_height(axes, line.ys[-1]) for line in lines]
    for line, height in zip(lines, apart(heights, LABEL_GAP), strict=True):
        axes.annotate(
            line.name,
            (1.0, height),
            (10, 0),
            "axes fraction",
            "offset points",
            color=line.color,
            fontweight="bold" if line.width > NORMAL else "normal",
            va="center",
        )


def number_ends(axes: Axes, line: Line, shown: Callable[[float], str]) -> None:
    """Write its value above a line's first point, and at its last where the line leaves room."""
    falls = line.ys[-1] < line.ys[-2]
    for place, side, height in ((0, "left", 8), (-1, "right", -18 if falls else 8)):
        axes.annotate(
            shown(line.ys[place]),
            (line.xs[place], line.ys[place]),
            (-4 if side == "left" else 6, height),
            textcoords="offset points",
            color=line.color,
            fontweight="bold",
            ha=side,
        )


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


def save(card: Figure, path: Path) -> None:
    """Write a picture as PNG, with no date in it: the same numbers give the same bytes."""
    card.savefig(path, metadata={"Software": None}, pil_kwargs={"optimize": True})


def _height(axes: Axes, value: float) -> float:
    """Where a value lies, as a share of the axes' height."""
    _, pixel = axes.transData.transform((axes.get_xlim()[0], value))
    _, share = axes.transAxes.inverted().transform((0, pixel))
    return float(share)
