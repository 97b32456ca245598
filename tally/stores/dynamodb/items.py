"""A counter as an item of a table: what is asked, what comes back, and the units that it costs."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tally.counters.ledger import Limits
from tally.stores.port import ABSENT, Copy, Failed, Swap, Trouble

COUNTER, VALUE, TOKEN, COUNT, EXPIRES = "counter", "value", "token", "count", "expires"
"""The attributes. The first four are reserved words of DynamoDB's: expressions name no attribute,
and have a placeholder for each."""

TOKEN_BYTES = 16
"""Of a BLAKE2b of the value, which two values never share, so that a condition need not carry the
value itself."""

WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1_024, 4_096
"""What a unit writes, or reads consistently, of each item; what is begun counts whole."""

OWN_BYTES = 50
"""Names of the attributes (22), the token (16), and a count of 19 digits (12) …"""

EXPIRES_BYTES = 13
"""… and `expires` with its name, where counters have a time to live."""

SPARE_BYTES = 8
"""Left over in a unit: DynamoDB does not say to the byte how it measures a number."""

MAX_VALUE_BYTES = 65_536
"""A value's most. An item could have 400 KB, which were 400 units for each swap and each lost race,
and an item is given 1,000 in a second."""

NO_COUNTER = Failed(
    Trouble.REFUSED, "the item is no counter's: its value or its token is missing or was changed"
)

_COUNT = re.compile(rb"(-?[0-9]{1,19})(\n|\Z)")

Item = Mapping[str, Mapping[str, Any]]
"""An item as botocore's client has it: by attribute its type and value."""


class Items:
    """Writes requests down.

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

        Were it *not there, or of this token*, a warm copy of a counter that has gone would bring
        it back, and count again what was delivered in between.
        """
        request = {
            "TableName": self.table,
            "Item": self._item(swap.counter, swap.value),
            # Of the winner, whose copy saves a read.
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            # Nothing else in the answer would show that it is DynamoDB's.
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

        A stale read would be as safe, and half as dear, but leads to a swap that fails, and that
        costs a write unit, five times as much.
        """
        keys = [{COUNTER: {"S": counter}} for counter in counters]
        return {"RequestItems": {self.table: {"Keys": keys, "ConsistentRead": True}}}

    def limits(self, counter: str) -> Limits:
        """What a ledger may take: with a name of this length, the rest of one write unit."""
        own = OWN_BYTES + SPARE_BYTES + (EXPIRES_BYTES if self._ttl_s else 0)
        free = WRITE_UNIT_BYTES - own - len(counter.encode())
        return Limits(free_bytes=free, max_bytes=MAX_VALUE_BYTES)

    def size(self, counter: str, value: bytes) -> int:
        """The bytes of an item, at most, as DynamoDB bills them."""
        own = OWN_BYTES + (EXPIRES_BYTES if self._ttl_s else 0)
        return own + len(counter.encode()) + len(value)

    def write_units(self, counter: str, *values: bytes | None) -> int:
        """The units of a write, or of a lost race: of the longest value before and after it."""
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
    """What an item has for a value, for readers; an empty one, which is no counter's, if none."""
    if not item:
        return None
    value = item.get(VALUE, {}).get("B")
    return value if isinstance(value, bytes) else b""


def copy_of(item: Item | None) -> Copy | Failed:
    """What an item holds; no item is no counter.

    An item that other hands have changed is refused: were its token older than its value, a swap
    would go through over what its writer has not seen.
    """
    if not item:
        return ABSENT
    value, token = (item.get(name, {}).get("B") for name in (VALUE, TOKEN))
    if not isinstance(value, bytes) or token != token_of(value):
        return NO_COUNTER
    return Copy(value, token)
