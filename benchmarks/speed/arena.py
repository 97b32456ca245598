"""The servers of a comparison, each a process of its own, and everyone who counts on them."""

import contextlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from benchmarks.speed import consumers, peers, redis_peer
from benchmarks.speed.bare import Swapper
from benchmarks.speed.consumers import Handle, tally
from benchmarks.speed.matches import Entrant
from tally.counters.event import Body
from tally.local.momento import MomentoStats, read_stats
from tally.local.momento.server import MomentoProcess
from tally.local.valkey import PROGRAMS, ValkeyProcess, server_program
from tally.stores.memory import MemoryStore
from tally.stores.opening import open_store
from tally.stores.port import Failed
from tally.stores.valkey.info import server_info

OURS = "Tally on Momento"
OURS_PACKED = "Tally on Momento, packed messages"
VALKEY = "Tally on Valkey"
VALKEY_PACKED = "Tally on Valkey, packed messages"
MEMORY = "Tally in memory"
MEMORY_PACKED = "Tally in memory, packed messages"
BARE = "the swaps of such a batch on Momento, bare"
SEED = "get + `setIfPresentAndNotEqual`"
INCREMENT = "`increment`"
POWERTOOLS = "`increment` in Powertools' BatchProcessor"
LUA = "Lua script an event"
LUA_PIPELINED = "Lua script an event, pipelined"
LUA_PACKED = "Lua script an event, pipelined, packed messages"
LUA_LEAN = "Lua script an event, pipelined, no client"
JSON = "`json.loads` of the bodies alone"
MSGSPEC = "`msgspec` of the bodies alone"

CURVES = "curves"
"""The cache of whoever measures one thing at a time, on counters of its own."""

CLIENT = "redis"
"""What the scripts' peers speak by; only `make bench` installs it."""


class Arena(NamedTuple):
    """What runs: the embedded Momento, Valkey if there is one, and the entrants by name.

    Attributes:
        endpoint: of the embedded Momento.
        server: the name and version of Valkey or Redis; empty if there is none.
        entrants: by name.
    """

    endpoint: str
    server: str
    entrants: Mapping[str, Entrant]

    def stats(self) -> MomentoStats:
        """What the embedded Momento has done so far."""
        return read_stats(self.endpoint)


@contextlib.contextmanager
def arena(programs: Sequence[str] = PROGRAMS) -> Iterator[Arena]:
    """Start the servers, and connect the entrants; all of it ends with the context.

    Args:
        programs: of Valkey or Redis; the first one found is started.
    """
    with contextlib.ExitStack() as stack:
        endpoint, entrants = _on_momento(stack)
        entrants |= _in_memory()
        server = ""
        if server_program(programs):
            process = ValkeyProcess(programs=programs)
            stack.callback(process.stop)
            process.start()
            server = _version(process)
            entrants |= _on_valkey(stack, process)
        entrants[JSON] = Entrant(_parsing(json.loads))
        entrants[MSGSPEC] = Entrant(_parsing(msgspec.json.Decoder(Body).decode))
        yield Arena(endpoint, server, entrants)


def _on_momento(stack: contextlib.ExitStack) -> tuple[str, dict[str, Entrant]]:
    """Ours and three others, each in a cache of its own, and the calls that ours needs."""
    counting = {OURS: tally, OURS_PACKED: tally, SEED: peers.seed, INCREMENT: peers.plain}
    counting[POWERTOOLS] = peers.powertools
    caches = {name: f"cache-{number}" for number, name in enumerate([*counting, BARE])}
    momento = MomentoProcess([CURVES, *caches.values()])
    stack.callback(momento.stop)
    momento.start()
    endpoint = momento.endpoint
    entrants = {
        name: Entrant(
            stack.enter_context(count(endpoint, caches[name])),
            packed=name == OURS_PACKED,
            read=_reader(peers.read_counts, endpoint, caches[name]),
        )
        for name, count in counting.items()
    }
    swapper = stack.enter_context(Swapper.on(endpoint, caches[BARE]))
    entrants[BARE] = Entrant(swapper.swap, prepare=swapper.prepared)
    return endpoint, entrants


def _in_memory() -> dict[str, Entrant]:
    stores = {MEMORY: MemoryStore(), MEMORY_PACKED: MemoryStore()}
    return {
        name: Entrant(
            consumers.in_store(store),
            packed=name == MEMORY_PACKED,
            read=_reader(consumers.counts, store),
        )
        for name, store in stores.items()
    }


def _on_valkey(stack: contextlib.ExitStack, process: ValkeyProcess) -> dict[str, Entrant]:
    """Ours and a script an event, all on one server, so that each has counters of its own."""
    store = stack.enter_context(contextlib.closing(open_store(process.address)))
    ours = stack.enter_context(consumers.on_valkey(process.variables))
    entrants = {
        name: Entrant(ours, name == VALKEY_PACKED, _reader(consumers.counts, store), counters)
        for name, counters in {VALKEY: "page", VALKEY_PACKED: "pack"}.items()
    }
    if importlib.util.find_spec(CLIENT) is None:
        return entrants
    ways = {
        LUA: redis_peer.one_by_one,
        LUA_PIPELINED: redis_peer.pipelined,
        LUA_PACKED: redis_peer.pipelined,
        LUA_LEAN: redis_peer.lean,
    }
    port = process.address.port
    read = _reader(redis_peer.read_counts, port)
    counters = ("lua1", "luap", "luak", "lual")
    return entrants | {
        name: Entrant(stack.enter_context(count(port)), name == LUA_PACKED, read, its)
        for (name, count), its in zip(ways.items(), counters, strict=True)
    }


def _version(process: ValkeyProcess) -> str:
    """What the server calls itself."""
    told = server_info(process.address)
    if isinstance(told, Failed):
        raise TimeoutError(told.detail)
    valkey = told.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {told['redis_version']}"


def _reader(read: Callable[..., Mapping[str, int]], *where: object) -> Callable[..., Any]:
    return lambda counters: read(*where, counters)


def _parsing(decode: Callable[[str], object]) -> Handle:
    """No counting at all: what reading the bodies takes anybody."""

    def handle(event: dict[str, Any]) -> None:
        for record in event["Records"]:
            decode(record["body"])

    return handle
