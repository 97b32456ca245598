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
    RESTARTS,
    SENDING,
    TABLE,
    Fault,
)


class Home(enum.Enum):
    """Where counters live."""

    MOMENTO = "Momento"
    VALKEY = "Valkey"
    TABLE = "a table of DynamoDB, with a cache before it"


class Bare(enum.Enum):
    """When consumers count at least once, on bare integers."""

    NEVER = "never"
    ALWAYS = "always"
    FIRST = "until they are switched to exactly once"
    LAST = "once they are switched to at least once"


class Profile(NamedTuple):
    """A kind of runs.

    Attributes:
        faults: what may go wrong.
        weight: how often a seed that is free to choose draws it.
        home: where its counters live.
        expires: whether they have a time to live, so that an event may be decided in each life.
        bare: when consumers count at least once.
        has_programs: whether real publishers send the messages, and not letters written before.
    """

    faults: tuple[Fault, ...]
    weight: int
    home: Home = Home.MOMENTO
    expires: bool = False
    has_programs: bool = False
    bare: Bare = Bare.NEVER


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
    "losses": Profile(_SWARM + DISASTERS + RESTARTS, 3),
    "at-least-once": Profile(_SWARM, 2, bare=Bare.ALWAYS),
    "to-exactly-once": Profile(_SWARM, 1, bare=Bare.FIRST),
    "to-at-least-once": Profile(_SWARM, 1, bare=Bare.LAST),
    "pipelines": Profile(_SWARM, 4, Home.VALKEY),
    "disasters": Profile(_SWARM + DISASTERS + RESTARTS, 4, Home.VALKEY),
    "lasting": Profile(_SWARM + TABLE, 5, Home.TABLE),
    "mortal": Profile(_SWARM + TABLE, 3, Home.TABLE, expires=True),
    "restored": Profile((*_SWARM, *TABLE, Fault.TABLE_RESTORED), 1, Home.TABLE),
    "programs": Profile(_PROGRAMS, 4, has_programs=True),
    "programs-on-valkey": Profile(_PROGRAMS, 1, Home.VALKEY, has_programs=True),
    "programs-on-a-table": Profile(_PROGRAMS + TABLE, 1, Home.TABLE, has_programs=True),
}
"""In `calm` all must be decided. In `losses` Momento evicts, restarts, and fails over to what it
held before, as a whole or for one counter, and in `disasters` Valkey does; with a table the
disasters are those of the cache before it. In `restored` the table is set back as well."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "cache": (
        *("swarm", "losses", "swarm", "expiry", "swarm", "network", "swarm", "queue", "producers"),
        *("at-least-once", "swarm", "to-exactly-once", "swarm", "to-at-least-once"),
    ),
    "valkey": ("pipelines", "disasters"),
    "durable": ("lasting", "mortal", "lasting", "restored"),
    "publisher": ("programs", "programs-on-valkey", "programs", "programs-on-a-table"),
}
"""What goes by one name, each seed in its turn."""
