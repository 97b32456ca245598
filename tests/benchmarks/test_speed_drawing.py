"""The pictures of the page: they are drawn whole and alike, and names of lines do not overlap."""

import pytest

from benchmarks.speed import arena, drawing
from benchmarks.speed.contention import CONSUMERS
from benchmarks.speed.drawing import apart
from benchmarks.speed.growth import Cost, Point
from benchmarks.speed.matches import Match
from tests.benchmarks.results import contest, match, results, times

POINTS = [Point(many, 100, times(many, many), Cost(100, 0, 1, 2), 861) for many in (1, 10, 100)]
PNG = b"\x89PNG"


def test_names_keep_apart_and_move_as_little_as_they_can():
    assert apart([0.5, 0.125, 0.875], 0.125) == [0.5, 0.125, 0.875]
    assert apart([0.5, 0.5], 0.25) == [0.375, 0.625]
    assert apart([0.75, 0.5, 0.625], 0.25) == [0.875, 0.375, 0.625]
    assert apart([], 0.1) == []


def test_the_same_numbers_give_the_same_pictures(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make bench does it")
    missed = [[contest(many, 901, given_up=1)] for many in CONSUMERS]
    drawn = []
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        drawing.draw(results(counters=POINTS, sources=POINTS, busy=missed), folder)
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert drawn[0] == drawn[1]
    assert sorted(drawn[0]) == ["contention.png", "growth.png", "throughput.png"]
    assert {data[:4] for data in drawn[0].values()} == {PNG}


def test_the_picture_tells_up_to_which_batches_others_are_as_fast():
    told = results()
    assert drawing._as_fast(told) == (
        "still as fast: none of the others; they count redelivered events twice"
    )
    slow = {arena.VALKEY: times(6.0), arena.LUA_PIPELINED: times(5.0)}
    small = [Match(size, size, {**match(size).times, **slow}) for size in (1, 10)]
    told = results(matches=[*small, match(100), *told.matches[3:]])
    assert drawing._as_fast(told) == (
        "still as fast: the pipelined script up to batches of 10; "
        "they count redelivered events twice"
    )
