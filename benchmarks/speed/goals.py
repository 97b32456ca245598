"""The goals: what was measured of each, how large or small it is to be, and whether it is."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.speed import arena, cold, durable, publishing
from benchmarks.speed.contention import CONSUMERS
from benchmarks.speed.matches import Match
from benchmarks.speed.run import LIVE_SOURCES, Results
from benchmarks.speed.timing import ratios, spread

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
_us = functools.partial(Goal, unit=" µs")


def goals(results: Results) -> list[Goal]:
    """All of them, in the order in which they are shown."""
    return [
        *_momento(results),
        *_valkey(results),
        *_durable(results),
        *_others(results),
        *_swaps(results),
        *_footprint(results),
    ]


def _momento(results: Results) -> list[Goal]:
    """Ours on Momento, and what of it is not ours to save: the calls."""
    some, many = results.closely(1_000), results.closely(10_000)
    ours, theirs = arena.OURS, arena.BARE
    return [
        _times(
            "Momento: CPU of 1,000 events on 100 counters, against their 100 swaps bare",
            _cpu_ratios(some, ours, theirs),
            most=1.25,
        ),
        _times("the same, time", _rate_ratios(some, theirs, ours), most=1.1),
        _times("CPU of 10,000 events, likewise", _cpu_ratios(many, ours, theirs), most=3),
        _times("the same, time", _rate_ratios(many, theirs, ours), most=2.2),
        _us("CPU an event, 10,000 on 100 counters", many.cpu_us(ours), most=3.3),
        _times(
            "the same, against a bare `msgspec` parse of the bodies",
            _cpu_ratios(results.match(10_000), ours, arena.MSGSPEC),
        ),
    ]


def _valkey(results: Results) -> list[Goal]:
    """Ours on Valkey, against what needs no store, and against who counts in the store."""
    some, many = results.closely(1_000), results.closely(10_000)
    ours, packed, lua = arena.VALKEY, arena.VALKEY_PACKED, arena.LUA_PIPELINED
    swapped = results.swapped[0]
    beyond = swapped.beyond_us(ours) if ours in swapped.times else ()
    script = "against a pipelined Lua script an event, which counts a redelivered one twice"
    return [
        _times(
            "Valkey: CPU of 1,000 events on 100 counters, against the same in memory",
            _cpu_ratios(some, ours, arena.MEMORY),
            most=1.1,
        ),
        _times("the same, 10,000 events", _cpu_ratios(many, ours, arena.MEMORY), most=1.08),
        _us("CPU of a swap beyond one in memory, 1,000 events on 1,000", beyond, most=1.2),
        _times(f"events/s {script}, 1,000 events", _rate_ratios(some, ours, lua), 1.35),
        _times("the same, 10,000 events", _rate_ratios(many, ours, lua), 2.1),
        _times(
            "the same, 10,000 events in packed messages",
            _rate_ratios(many, packed, arena.LUA_PACKED),
            4,
        ),
        _us("CPU an event, 1,000 on 100 counters", _cpu(some, ours), most=4.2),
        _us("the same, 10,000 events", _cpu(many, ours), most=2.8),
        _us("the same, 10,000 events in packed messages", _cpu(many, packed), most=1.4),
        *(
            Goal(f"import of the adapter {where}", [each * 1e3 for each in took], None, 5, " ms")
            for where, took in results.adapters.items()
        ),
    ]


def _durable(results: Results) -> list[Goal]:
    """Ours with a table, and the one other way there that counts once."""
    ours, theirs = (results.durable.sides[name] for name in (durable.OURS, durable.TRANSACTION))
    return [
        Goal(
            "DynamoDB: units an event, 1,000 events on 100 counters",
            [ours.units],
            most=0.11,
        ),
        Goal("the same of a transaction an event, with its record", [theirs.units]),
        _us("DynamoDB: CPU an event, 1,000 on 100 counters", ours.cpu_us, most=90),
        _us("the same of a transaction an event, with its record", theirs.cpu_us),
    ]


def _others(results: Results) -> list[Goal]:
    """Ours on Momento against what people would write there instead, and what Momento bills."""
    some, many = results.match(1_000), results.match(10_000)
    ours, theirs = results.cost[arena.OURS], results.cost[arena.SEED]
    told = ours.operations / ours.increments
    return [
        _times(
            "Momento: events/s against Momento's own recipe, 1,000 events on 100 counters",
            _rate_ratios(some, arena.OURS, arena.SEED),
            30,
        ),
        _times("the same, 10,000 events", _rate_ratios(many, arena.OURS, arena.SEED), 80),
        _times(
            "Momento: events/s against the Lua script in Valkey, 10,000 events in packed messages",
            _rate_ratios(many, arena.OURS_PACKED, arena.LUA_PACKED),
            1,
        ),
        Goal("reads in a warm batch of one consumer", [ours.reads], most=0),
        Goal("round trips that a warm batch is deep", [results.depth], most=1),
        Goal("Momento operations an event, 1,000 on 100 counters, warm", [told], most=0.25),
        Goal("the same of Momento's own recipe", [theirs.operations / theirs.increments]),
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


def _cpu(match: Match, name: str) -> Sequence[float]:
    """What somebody took; nothing if he did not take part."""
    return match.cpu_us(name) if name in match.times else ()


def _cpu_ratios(match: Match, name: str, other: str) -> Sequence[float]:
    """How many times the other's CPU somebody took; nothing if one of them did not take part."""
    if not {name, other} <= match.times.keys():
        return ()
    return ratios(match.cpu_us(name), match.cpu_us(other))


def _rate_ratios(match: Match, name: str, other: str) -> Sequence[float]:
    """How many times as fast as the other somebody was; nothing likewise."""
    if not {name, other} <= match.times.keys():
        return ()
    return ratios(match.rates(name), match.rates(other))
