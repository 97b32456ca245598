"""The kinds of runs: which faults each may have, where its counters live, and who publishes."""

import enum
from collections.abc import Mapping
from typing import NamedTuple

from tests.simulation.faults import (
    CONSUMERS,
    DISASTERS,
    NETWORK,
    PRODUCERS,
    QUEUE,
    SENDING,
    TABLE,
    Fault,
)


class Home(enum.Enum):
    """Where counters live."""

    MOMENTO = "Momento"
    VALKEY = "Valkey"
    TABLE = "a table of DynamoDB, with a cache before it"


class Profile(NamedTuple):
    """A kind of runs.

    Attributes:
        faults: what may go wrong.
        weight: how often a seed that is free to choose draws it.
        home: where its counters live.
        expires: whether they have a time to live, so that an event may be decided in each life.
        has_programs: whether real publishers send the messages, and not letters written before.
    """

    faults: tuple[Fault, ...]
    weight: int
    home: Home = Home.MOMENTO
    expires: bool = False
    has_programs: bool = False


_SWARM = NETWORK + QUEUE + CONSUMERS + PRODUCERS
_PROGRAMS = NETWORK + QUEUE + CONSUMERS + SENDING

PROFILES: Mapping[str, Profile] = {
    "calm": Profile((), 1),
    "network": Profile(NETWORK, 2),
    "queue": Profile(QUEUE, 1),
    "consumers": Profile(CONSUMERS, 1),
    "producers": Profile(PRODUCERS, 1),
    "swarm": Profile(_SWARM, 12),
    "expiry": Profile(_SWARM, 2, expires=True),
    "pipelines": Profile(_SWARM, 4, Home.VALKEY),
    "disasters": Profile(_SWARM + DISASTERS, 4, Home.VALKEY),
    "lasting": Profile(_SWARM + TABLE, 5, Home.TABLE),
    "mortal": Profile(_SWARM + TABLE, 3, Home.TABLE, expires=True),
    "programs": Profile(_PROGRAMS, 4, has_programs=True),
    "programs on valkey": Profile(_PROGRAMS, 1, Home.VALKEY, has_programs=True),
    "programs on a table": Profile(_PROGRAMS + TABLE, 1, Home.TABLE, has_programs=True),
}
"""In `calm` all must be decided. In `disasters` Valkey evicts, and fails over to states that it had
before; with a table the disasters are those of the cache before it."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "cache": ("swarm", "expiry", "swarm", "network", "queue", "swarm", "consumers", "producers"),
    "valkey": ("pipelines", "disasters"),
    "durable": ("lasting", "mortal"),
    "publisher": ("programs", "programs on valkey", "programs", "programs on a table"),
}
"""What goes by one name, each seed in its turn."""
