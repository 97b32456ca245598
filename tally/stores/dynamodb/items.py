"""A counter as an item of a table: requests, answers, and the units that they cost."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tally.counters.ledger import Limits
from tally.stores.port import ABSENT, Copy, Failed, Swap, Trouble

COUNTER, VALUE, TOKEN, COUNT, EXPIRES = "counter", "value", "token", "count", "expires"
"""The attributes. The first four are reserved words of DynamoDB: expressions need placeholders."""

TOKEN_BYTES = 16
"""The length of a BLAKE2b digest of the value. Two values never share one, so a condition need not
carry the value itself."""

WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1_024, 4_096
"""How much of an item a unit writes, or reads consistently; a part of it counts as a whole unit."""

OWN_BYTES = 50
"""Names of the attributes (22), the token (16), and a count of 19 digits (12) …"""

EXPIRES_BYTES = 13
"""… and `expires` with its name, if counters have a time to live."""

SPARE_BYTES = 8
"""Kept free in a unit: DynamoDB does not say to the byte how it measures a number."""

MAX_VALUE_BYTES = 65_536
"""The longest value. An item could have 400 KB, but each swap and each lost race would then cost
400 units, and an item gets 1,000 in a second."""

NO_COUNTER = Failed(
    Trouble.REFUSED, "the item is no counter's: its value or its token is missing or was changed"
)

_COUNT = re.compile(rb"(-?[0-9]{1,19})(\n|\Z)")

Item = Mapping[str, Mapping[str, Any]]
"""An item as botocore's client has it: by attribute its type and value."""


class Items:
    """Makes requests.

    Args:
        table: its name.
        ttl_s: how long a counter lives after its last swap, in seconds; for ever if None.
        wall_clock: the time of day, in seconds.
    """

    def __init__(self, table: str, ttl_s: int | None, wall_clock: Callable[[], float]) -> None:
        self.table = table
        self._ttl_s = ttl_s
        self._wall_clock = wall_clock

    def put(self, swap: Swap) -> dict[str, Any]:
        """A PutItem on one of two conditions, which are never joined.

        With the condition *absent, or has this token*, a warm copy would bring back a counter that
        has gone, and events delivered in between would count again.
        """
        request = {
            "TableName": self.table,
            "Item": self._item(swap.counter, swap.value),
            # Returns the winner, whose copy saves a read.
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            # Only this shows that an answer is DynamoDB's.
            "ReturnConsumedCapacity": "TOTAL",
        }
        if swap.seen.value is None:
            names = {"#counter": COUNTER}
            return request | {
                "ConditionExpression": "attribute_not_exists(#counter)",
                "ExpressionAttributeNames": names,
            }
        seen = swap.seen.token
        return request | {
            "ConditionExpression": "#token = :seen",
            "ExpressionAttributeNames": {"#token": TOKEN},
            "ExpressionAttributeValues": {
                ":seen": {"B": token_of(swap.seen.value) if seen is None else seen}
            },
        }

    def get(self, counters: Sequence[str]) -> dict[str, Any]:
        """A BatchGetItem of counters, none twice. It does not look at `expires`.

        A stale read would be as safe, and cost half, but leads to a swap that fails, and that
        costs a write unit, five times as much.
        """
        keys = [{COUNTER: {"S": counter}} for counter in counters]
        return {"RequestItems": {self.table: {"Keys": keys, "ConsistentRead": True}}}

    def limits(self, counter: str) -> Limits:
        """What a ledger may take: the rest of one write unit, with a name of this length."""
        own = OWN_BYTES + SPARE_BYTES + (EXPIRES_BYTES if self._ttl_s else 0)
        free = WRITE_UNIT_BYTES - own - len(counter.encode())
        return Limits(free_bytes=free, max_bytes=MAX_VALUE_BYTES)

    def size(self, counter: str, value: bytes) -> int:
        """The bytes of an item, at most, as DynamoDB bills them."""
        own = OWN_BYTES + (EXPIRES_BYTES if self._ttl_s else 0)
        return own + len(counter.encode()) + len(value)

    def write_units(self, counter: str, *values: bytes | None) -> int:
        """The units of a write, or a lost race: for the longer of the values before and after."""
        longest = max((value for value in values if value is not None), key=len, default=b"")
        return -(-self.size(counter, longest) // WRITE_UNIT_BYTES)

    def read_units(self, counter: str, value: bytes | None) -> int:
        """The units of a consistent read; one if there is no such item."""
        return 1 if value is None else -(-self.size(counter, value) // READ_UNIT_BYTES)

    def _item(self, counter: str, value: bytes) -> dict[str, dict[str, Any]]:
        item: dict[str, dict[str, Any]] = {
            COUNTER: {"S": counter},
            VALUE: {"B": value},
            TOKEN: {"B": token_of(value)},
        }
        if count := _COUNT.match(value):
            item[COUNT] = {"N": count[1].decode()}
        if self._ttl_s:
            item[EXPIRES] = {"N": str(int(self._wall_clock()) + self._ttl_s)}
        return item


def token_of(value: bytes) -> bytes:
    """The token of a value, a function of it alone."""
    return hashlib.blake2b(value, digest_size=TOKEN_BYTES).digest()


def value_of(item: Item | None) -> bytes | None:
    """An item's value, for readers; if it has none, an empty one, which is no counter."""
    if not item:
        return None
    value = item.get(VALUE, {}).get("B")
    return value if isinstance(value, bytes) else b""


def copy_of(item: Item | None) -> Copy | Failed:
    """What an item holds; without an item there is no counter.

    An item that another program has changed is refused: if its token were older than its value, a
    swap would replace a value that its writer has not seen.
    """
    if not item:
        return ABSENT
    value, token = (item.get(name, {}).get("B") for name in (VALUE, TOKEN))
    if not isinstance(value, bytes) or token != token_of(value):
        return NO_COUNTER
    return Copy(value, token)
