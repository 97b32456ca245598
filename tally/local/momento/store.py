"""The caches: items with a time to live, conditional writes and increments. Pure, no gRPC."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tally.counters.event import INT64_MAX, INT64_MIN
from tally.local.momento.errors import (
    CACHE_EXISTS,
    ITEM_TOO_LARGE,
    NO_CACHE_NAME,
    NO_TTL,
    NOT_AN_INTEGER,
    SUM_OVERFLOW,
    UNKNOWN_CACHE,
    RefusedError,
)

MAX_TTL_MS = 86_400_000
"""24 hours: on demand, a longer time to live is cut to it without an error (Momento,
time-to-live.md)."""

MAX_ITEM_KIB = 4_883
"""The length of key and value together; Momento calls it 5 MB, and ListCaches 4883."""

MAX_ITEM_BYTES = MAX_ITEM_KIB * 1024

MIN_SWEEP_ITEMS = 1_024
"""Expired items that nobody asks for are dropped when a cache reaches so many items, and then each
time that it has doubled."""

NS_PER_MS = 1_000_000

_INTEGER = re.compile(rb"([+-]?)0*([0-9]{1,19})")

Clock = Callable[[], int]
"""A monotonic clock, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value and the moment, on the store's clock, from which it is absent."""

    value: bytes
    expires_at_ns: int


class LocalCache:
    """Items by key; every call sees an expired item as absent. The caller does the locking."""

    def __init__(self, now_ns: Clock) -> None:
        self._now_ns = now_ns
        self._items: dict[bytes, Item] = {}
        self._sweep_at_items = MIN_SWEEP_ITEMS

    def get(self, key: bytes) -> bytes | None:
        """The value, or None where there is none."""
        item = self._live(key)
        return None if item is None else item.value

    def put(self, key: bytes, value: bytes, ttl_ms: int) -> None:
        """Store a value with its time to live, instead of the old ones; raises as `check_item`."""
        check_item(key, value, ttl_ms)
        self._items[key] = Item(value, self._expiry_ns(ttl_ms))
        if len(self._items) >= self._sweep_at_items:
            self._sweep()

    def delete(self, key: bytes) -> None:
        """Remove a key, if it is there."""
        self._items.pop(key, None)

    def clear(self) -> None:
        """Remove every key."""
        self._items.clear()

    def increment(self, key: bytes, amount: int, ttl_ms: int) -> int:
        """Add to a decimal integer, 0 where there is none, and set its time to live anew.

        RefusedError if the value is no base-10 integer, or the sum leaves int64.
        """
        current = self.get(key)
        total = amount if current is None else _integer(current) + amount
        if not INT64_MIN <= total <= INT64_MAX:
            raise RefusedError(SUM_OVERFLOW)
        self.put(key, b"%d" % total, ttl_ms)
        return total

    def remaining_ns(self, key: bytes) -> int | None:
        """How long the item has left to live, more than 0; None where there is none."""
        item = self._live(key)
        return None if item is None else item.expires_at_ns - self._now_ns()

    def keep(self, key: bytes, ttl_ms: int) -> None:
        """Set the time to live of an item that is there; raises as `check_item`."""
        item = self._items[key]
        check_item(key, item.value, ttl_ms)
        self._items[key] = Item(item.value, self._expiry_ns(ttl_ms))

    def _expiry_ns(self, ttl_ms: int) -> int:
        return self._now_ns() + min(ttl_ms, MAX_TTL_MS) * NS_PER_MS

    def _live(self, key: bytes) -> Item | None:
        item = self._items.get(key)
        if item is not None and item.expires_at_ns <= self._now_ns():
            del self._items[key]
            return None
        return item

    def _sweep(self) -> None:
        now_ns = self._now_ns()
        live = {key: item for key, item in self._items.items() if item.expires_at_ns > now_ns}
        self._items = live
        self._sweep_at_items = max(MIN_SWEEP_ITEMS, 2 * len(live))


class Caches:
    """The caches by name."""

    def __init__(self, now_ns: Clock) -> None:
        self._now_ns = now_ns
        self._caches: dict[str, LocalCache] = {}

    def __getitem__(self, name: str) -> LocalCache:
        """The cache of this name; RefusedError if the name is empty or unknown."""
        self._check_known(name)
        return self._caches[name]

    def create(self, name: str) -> None:
        """Create an empty cache; RefusedError if the name is empty or taken."""
        _check_name(name)
        if name in self._caches:
            raise RefusedError(CACHE_EXISTS.about(name))
        self._caches[name] = LocalCache(self._now_ns)

    def delete(self, name: str) -> None:
        """Delete a cache and what is in it; raises as a look-up does."""
        self._check_known(name)
        del self._caches[name]

    def names(self) -> list[str]:
        """The names, in the order of creation."""
        return list(self._caches)

    def _check_known(self, name: str) -> None:
        _check_name(name)
        if name not in self._caches:
            raise RefusedError(UNKNOWN_CACHE.about(name))


def check_item(key: bytes, value: bytes, ttl_ms: int) -> None:
    """RefusedError without a time to live, or if key and value exceed MAX_ITEM_BYTES."""
    size_bytes = len(key) + len(value)
    if size_bytes > MAX_ITEM_BYTES:
        raise RefusedError(ITEM_TOO_LARGE.about(size_bytes, MAX_ITEM_BYTES))
    if ttl_ms <= 0:
        raise RefusedError(NO_TTL)


def _check_name(name: str) -> None:
    if not name:
        raise RefusedError(NO_CACHE_NAME)


def _integer(value: bytes) -> int:
    # Python's int() takes blanks, underscores and other alphabets' digits as well.
    match = _INTEGER.fullmatch(value)
    number = int(match[1] + match[2]) if match else None
    if number is None or not INT64_MIN <= number <= INT64_MAX:
        raise RefusedError(NOT_AN_INTEGER)
    return number
