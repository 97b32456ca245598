"""The one way from settings to a store; an adapter is imported when it is meant."""

import importlib
import time
from collections.abc import Callable
from typing import Any

from tally.environment import Cache
from tally.stores.port import AddingStore


def open_store(
    cache: Cache,
    *,
    ttl_s: int | None = None,
    clock: Callable[[], float] = time.monotonic,
    load: Callable[[str], Any] = importlib.import_module,
) -> AddingStore:
    """The store that settings mean; nothing connects before its first call.

    Args:
        cache: which, and where.
        ttl_s: how long a counter lives after each of its swaps, in seconds; the longest that the
            store keeps it by default.
        clock: monotonic, in seconds.
        load: imports a module.

    Raises:
        SettingsError: the key is invalid, or its secret cannot be read.
        ImportError: Momento's SDK is not installed.
    """
    try:
        connection = load("tally.stores.momento.connection")
        momento = load("tally.stores.momento.store")
    except ModuleNotFoundError as error:
        message = f"counters in Momento need tally-counters[read]: {error}"
        raise ImportError(message, name=error.name) from error
    credentials = connection.credentials_for(cache.momento)
    store: AddingStore = momento.MomentoStore(cache.name, credentials, ttl_s=ttl_s, clock=clock)
    return store
