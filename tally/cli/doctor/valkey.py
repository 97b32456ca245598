"""What a doctor looks at in a Valkey or Redis server: that it answers, and what it promises."""

from collections.abc import Callable, Iterator, Mapping

from tally.cli.doctor.checks import Finding, bad, good, skipped
from tally.reading.errors import ReadError
from tally.stores.errors import BrokenSetupError
from tally.stores.port import Failed

VALKEY, VERSION, EVICTION, PERSISTENCE = "Valkey", "version", "eviction", "persistence"

REACH = "see that VALKEY_URL can be reached from here"

LEAST_VERSION = 7
"""The oldest Redis that is tested; Valkey reports a Redis version beside its own."""

NODE = "the server is a node of a cluster, which is not supported"
NOT_TOLD = "the server does not tell"

Fields = Mapping[str, str]
"""The fields of `INFO`, with the settings `save` and `appendfsync` if the user may see them."""


def check_valkey(read: Callable[[], object], told: Fields | Failed) -> Iterator[Finding]:
    """Whether the server takes the password, suits counters, and keeps them.

    Args:
        read: reads any counter.
        told: what the server says of itself, or why it does not.
    """
    if not isinstance(told, Failed) and told.get("cluster_enabled") == "1":
        yield _node()
        return
    try:
        read()
    except BrokenSetupError as error:
        is_node = str(error).startswith("MOVED")
        mended = "mend the password, its user's rights or VALKEY_URL"
        yield _node() if is_node else bad(VALKEY, str(error), mended)
        return
    except ReadError as error:
        yield bad(VALKEY, str(error), REACH)
        return
    yield good(VALKEY, "it answers")
    if isinstance(told, Failed):
        why = f"its version, eviction and persistence cannot be asked: {told.detail}"
        yield skipped(VALKEY, why, "allow its user +info and +config|get to check them")
        return
    yield check_version(told)
    yield check_eviction(told)
    yield check_persistence(told)


def check_version(told: Fields) -> Finding:
    """Whether it is Valkey, or Redis from LEAST_VERSION on."""
    version = told.get("redis_version", "")
    major = version.partition(".")[0]
    if not major.isdecimal():
        return skipped(VERSION, NOT_TOLD)
    own = told.get("valkey_version")
    text = f"Valkey {own}" if own else f"Redis {version}"
    if int(major) < LEAST_VERSION:
        return bad(VERSION, text, f"set up any Valkey, or Redis {LEAST_VERSION} or newer")
    return good(VERSION, text)


def check_eviction(told: Fields) -> Finding:
    """Whether a full server refuses swaps: each counter has a TTL, so any other policy evicts."""
    policy = told.get("maxmemory_policy", "")
    if not policy:
        return skipped(EVICTION, NOT_TOLD)
    if policy == "noeviction":
        return good(EVICTION, f"{policy}: a full server refuses swaps, and forgets nothing")
    text = f"{policy}: counters may be evicted, with what they remember"
    return bad(EVICTION, text, "set maxmemory-policy to noeviction")


def check_persistence(told: Fields) -> Finding:
    """Whether a restart keeps the counters: by the append-only file, or at least by snapshots."""
    if told.get("aof_enabled") == "1":
        sync = told.get("appendfsync")
        return good(PERSISTENCE, "append-only file" + (f", appendfsync {sync}" if sync else ""))
    snapshots = told.get("save")
    if snapshots is None:
        why = "no append-only file, and it does not tell whether it takes snapshots"
        return skipped(PERSISTENCE, why, "allow its user +config|get to check it")
    if snapshots:
        text = "snapshots only: a crash loses what was counted after the last one"
    else:
        text = "none: a restart loses every counter"
    return bad(PERSISTENCE, text, "set appendonly to yes")


def _node() -> Finding:
    return bad(VALKEY, NODE, "set VALKEY_URL to a server of its own, or to the cluster's gateway")
