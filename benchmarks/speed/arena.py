"""The servers of a comparison, each a process of its own, and everyone who counts on them."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from benchmarks.speed import peers, redis_peer
from benchmarks.speed.consumers import Handle, MiscountedError, tally, unread, warm_up
from benchmarks.speed.timing import Timed, interleaved, timed
from benchmarks.speed.workload import Workload
from tally.counters.event import Body
from tally.local.momento import MomentoStats, read_stats
from tally.local.momento.server import MomentoProcess

OURS = "Tally"
OURS_PACKED = "Tally, packed messages"
SEED = "get + `setIfPresentAndNotEqual`"
INCREMENT = "`increment`"
POWERTOOLS = "`increment` in Powertools' BatchProcessor"
REDIS = "Redis Lua"
REDIS_PIPELINED = "Redis Lua, pipelined"
REDIS_PACKED = "Redis Lua, pipelined, packed messages"
JSON = "`json.loads` of the bodies alone"
MSGSPEC = "`msgspec` of the bodies alone"

CURVES = "curves"
"""The cache of whoever measures one thing at a time, on counters of its own."""

COUNTERS = 100
"""Of the comparisons."""

LEAST_INCREMENTS = 100
"""Of one repeat: batches smaller than this come several at a time, for a clock to see them."""

Read = Callable[[list[str]], Mapping[str, int]]
"""Tells how counters stand."""


class Entrant(NamedTuple):
    """Somebody who counts; with `read` it is checked afterwards that all was counted."""

    handle: Handle
    packed: bool = False
    read: Read | None = None


class Match(msgspec.Struct, frozen=True):
    """What came of batches of one size: of each entrant a time for each repeat.

    Attributes:
        size: increments in a batch.
        increments: of a repeat.
        times: by entrant.
    """

    size: int
    increments: int
    times: dict[str, list[Timed]]

    def rates(self, name: str) -> list[float]:
        """Increments a second, repeat by repeat."""
        return [self.increments / each.wall_s for each in self.times[name]]

    def cpu_us(self, name: str) -> list[float]:
        """CPU an increment, in µs, repeat by repeat."""
        return [each.cpu_s / self.increments * 1e6 for each in self.times[name]]


class Arena(NamedTuple):
    """What runs: the embedded Momento, Redis if there is one, and the entrants by name."""

    endpoint: str
    redis: redis_peer.Server | None
    entrants: Mapping[str, Entrant]

    def stats(self) -> MomentoStats:
        """What the embedded Momento has done so far."""
        return read_stats(self.endpoint)


@contextlib.contextmanager
def arena(redis_server: str = "redis-server") -> Iterator[Arena]:
    """Start the servers, and connect the entrants; all of it ends with the context."""
    counting = {OURS: tally, OURS_PACKED: tally, SEED: peers.seed, INCREMENT: peers.plain}
    counting[POWERTOOLS] = peers.powertools
    caches = {name: f"cache-{number}" for number, name in enumerate(counting)}
    momento = MomentoProcess([CURVES, *caches.values()])
    with contextlib.ExitStack() as stack:
        stack.callback(momento.stop)
        momento.start()
        redis = stack.enter_context(redis_peer.serving(redis_server))
        entrants = {
            name: Entrant(
                stack.enter_context(count(momento.endpoint, caches[name])),
                packed=name == OURS_PACKED,
                read=_reader(peers.read_counts, momento.endpoint, caches[name]),
            )
            for name, count in counting.items()
        }
        if redis:
            entrants |= _on_redis(stack, redis.port)
        entrants[JSON] = Entrant(_parsing(json.loads))
        entrants[MSGSPEC] = Entrant(_parsing(msgspec.json.Decoder(Body).decode))
        yield Arena(momento.endpoint, redis, entrants)


def matches(
    entrants: Mapping[str, Entrant],
    sizes: Iterable[int],
    *,
    repeats: int,
    seed: int,
    counters: int = COUNTERS,
) -> list[Match]:
    """Let the entrants count the same increments, in turn, and see that they did.

    Args:
        entrants: by name.
        sizes: of the batches, one match for each.
        repeats: of each match.
        seed: of the increments.
        counters: that they are for.

    Raises:
        MiscountedError: somebody did not.
    """
    workloads = {name: Workload(seed, counters) for name in entrants}
    with unread():
        for name, entrant in entrants.items():
            warm_up(entrant.handle, workloads[name])
        played = [_match(entrants, workloads, size, repeats) for size in sizes]
    for name, entrant in entrants.items():
        if entrant.read and entrant.read(workloads[name].counters) != workloads[name].published:
            raise MiscountedError(name)
    return played


def _match(
    entrants: Mapping[str, Entrant], workloads: Mapping[str, Workload], size: int, repeats: int
) -> Match:
    batches = max(1, LEAST_INCREMENTS // size)

    def runner(name: str) -> Callable[[int], Timed]:
        handle, packed, _ = entrants[name]

        def run(_repeat: int) -> Timed:
            events = [workloads[name].batch(size, packed=packed).event for _ in range(batches)]
            return timed(lambda: [handle(event) for event in events])

        return run

    times = interleaved({name: runner(name) for name in entrants}, range(repeats))
    return Match(size, size * batches, times)


def _on_redis(stack: contextlib.ExitStack, port: int) -> dict[str, Entrant]:
    ways = {REDIS: redis_peer.one_by_one, REDIS_PIPELINED: redis_peer.pipelined}
    ways[REDIS_PACKED] = redis_peer.pipelined
    return {
        name: Entrant(
            stack.enter_context(count(port, f"{name}:")),
            packed=name == REDIS_PACKED,
            read=_reader(redis_peer.read_counts, port, f"{name}:"),
        )
        for name, count in ways.items()
    }


def _reader(read: Callable[..., Mapping[str, int]], *where: str | int) -> Read:
    return lambda counters: read(*where, counters)


def _parsing(decode: Callable[[str], object]) -> Handle:
    """No counting at all: what reading the bodies takes anybody."""

    def handle(event: dict[str, Any]) -> None:
        for record in event["Records"]:
            decode(record["body"])

    return handle
