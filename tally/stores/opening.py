"""The one way from settings to a store; only the adapter that they name is imported."""

import importlib
import time
from collections.abc import Callable
from typing import Any

from tally.environment import Cache, Place, Table, Valkey
from tally.stores.port import Store

Clock = Callable[[], float]
Load = Callable[[str], Any]


def open_store(
    place: Place,
    *,
    ttl_s: int | None = None,
    clock: Clock = time.monotonic,
    load: Load = importlib.import_module,
) -> Store:
    """The store that settings name; nothing connects before its first call.

    Args:
        place: which, and where.
        ttl_s: how long a counter lives after each of its swaps, in seconds; by default a day in
            Momento, which is its limit, and 30 days in Valkey. A table has its own.
        clock: monotonic, in seconds.
        load: imports a module.

    Raises:
        SettingsError: the key is invalid, or its secret cannot be read.
        ImportError: the store's SDK is not installed.
    """
    if isinstance(place, Table):
        return _table(place, clock, load)
    return _cache(place, ttl_s, clock, load)


def _table(table: Table, clock: Clock, load: Load) -> Store:
    dynamodb = load("tally.stores.dynamodb.store")  # boto3 is there for whoever publishes
    decides: Store = dynamodb.DynamoStore(table.name, ttl_s=table.ttl_s, clock=clock)
    if table.cache is None:
        return decides
    cache = _cache(table.cache, None, clock, load)
    durable = load("tally.stores.durable")
    store: Store = durable.DurableStore(decides, cache, table.cache_ttl_s, clock=clock)
    return store


def _cache(cache: Cache | Valkey, ttl_s: int | None, clock: Clock, load: Load) -> Store:
    if isinstance(cache, Valkey):
        return _valkey(cache, ttl_s, clock, load)
    return _momento(cache, ttl_s, clock, load)


def _valkey(cache: Valkey, ttl_s: int | None, clock: Clock, load: Load) -> Store:
    try:
        valkey = load("tally.stores.valkey.store")
    except ModuleNotFoundError as error:
        raise _missing("Valkey", "valkey", error) from error
    password = load("tally.stores.valkey.password").password_for(cache)
    store: Store = valkey.ValkeyStore(cache, password, ttl_s=ttl_s, clock=clock)
    return store


def _momento(cache: Cache, ttl_s: int | None, clock: Clock, load: Load) -> Store:
    try:
        connection = load("tally.stores.momento.connection")
        momento = load("tally.stores.momento.store")
    except ModuleNotFoundError as error:
        raise _missing("Momento", "read", error) from error
    credentials = connection.credentials_for(cache.momento)
    key = connection.key_for(cache.momento, credentials)
    store: Store = momento.MomentoStore(cache.name, credentials, key=key, ttl_s=ttl_s, clock=clock)
    return store


def _missing(store: str, extra: str, error: ModuleNotFoundError) -> ImportError:
    message = f"counters in {store} need tally-counters[{extra}]: {error}"
    return ImportError(message, name=error.name)
