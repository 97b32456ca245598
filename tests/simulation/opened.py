"""The real stores on a simulated Momento and a simulated Valkey."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from momento.auth import CredentialProvider

from tally.counters.ledger import Limits
from tally.environment import Valkey
from tally.stores.momento.store import MomentoStore
from tally.stores.secret import Key
from tally.stores.valkey.store import ValkeyStore
from tests.simulation.network import Caller, Network
from tests.simulation.store import Store
from tests.simulation.valkey import Line, carry_out
from tests.simulation.world import World

NO_KEY = CredentialProvider.for_momento_local()
SERVER = Valkey("127.0.0.1", 6379, is_tls=False)
DEADLINE_S = 1.1


def open_momento(
    world: World,
    store: Store,
    caller: Caller,
    random: Random,
    tell: Callable[[Network], object] = id,
    limits: Limits | None = None,
) -> MomentoStore:
    """The store of a process on Momento; `tell` is told its channel."""

    def opened() -> Network:
        network = Network(world, store, caller, random)
        tell(network)
        return network

    return MomentoStore(
        "tally",
        NO_KEY,
        open_channel=opened,  # type: ignore[arg-type] # a peer of it
        **_options(world, limits),
    )


def open_valkey(
    world: World,
    store: Store,
    caller: Caller,
    random: Random,
    tell: Callable[[Line], object] = id,
    limits: Limits | None = None,
) -> ValkeyStore:
    """The store of a process on Valkey; `tell` is told each connection."""

    def opened(_ends_at: float) -> Line:
        line = Line(world, store, partial(carry_out, store), caller, random)
        tell(line)
        return line

    return ValkeyStore(SERVER, Key(""), opened=opened, **_options(world, limits))


def _options(world: World, limits: Limits | None) -> dict[str, Any]:
    """What every store is told."""
    return {
        "ttl_s": world.plan.ttl_s,
        "deadline_s": DEADLINE_S,
        "limits": limits or world.plan.limits,
        "clock": world.timeline,
        "wall_clock": world.timeline,
    }
