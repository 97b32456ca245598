"""The terms of a store: what it bills for a swap and for a read, and how many it takes at once."""

from dataclasses import dataclass

from tally.counters.ledger import Limits
from tally.stores.dynamodb import items
from tally.stores.dynamodb.store import MAX_CALLS_IN_FLIGHT as MAX_PUTS_IN_FLIGHT
from tally.stores.dynamodb.store import MAX_KEYS, MAX_READS_IN_FLIGHT
from tally.stores.momento.calls import BILLED_BYTES, CONDITIONAL_FACTOR
from tally.stores.momento.store import MAX_CALLS_IN_FLIGHT

NAME_BYTES = 24
"""The length of a counter's name, which is part of its item: a usual one, such as `page:home`, and
some room."""

INDEX_BYTES = 100
"""What DynamoDB adds to each item that it stores ("Storage costs for tables")."""

PUT_CPU_S = 0.000_5
"""The time of one core that boto3 takes for a swap in a table: docs/planning.md, "A table"."""

ITEM_UNITS_PER_S = 1_000
"""Write units that one item, and so one counter, gets in a second at most (DynamoDB quotas)."""

NEW_TABLE_UNITS_PER_S = 4_000
"""Write units that a table on demand gets in a second from its start; it grows from there."""


@dataclass(frozen=True)
class Terms:
    """How a store bills, and how it is called.

    Attributes:
        limits: how much a ledger may remember.
        own_bytes: what is billed beside the value.
        stored_bytes: what is stored beside the value.
        write_bytes: how much one operation writes.
        read_bytes: how much one operation reads.
        write_factor: how many times a conditional write is billed.
        reads_after_loss: whether a read follows a lost race; if not, the race tells the winner.
        writes_at_once: the most swaps on their way.
        reads_at_once: the most counters whose reads are on their way.
        write_cpu_s: the time of one core that a swap takes beside the fold, in seconds.
    """

    limits: Limits
    own_bytes: int
    stored_bytes: int
    write_bytes: int
    read_bytes: int
    write_factor: int
    reads_after_loss: bool
    writes_at_once: int
    reads_at_once: int
    write_cpu_s: float

    def write_units(self, value_bytes: int) -> int:
        """How a swap of a value is billed, before the factor."""
        return -(-(value_bytes + self.own_bytes) // self.write_bytes)

    def read_units(self, value_bytes: int) -> int:
        """How a read of it is billed."""
        return -(-(value_bytes + self.own_bytes) // self.read_bytes)


MOMENTO = Terms(
    limits=Limits(),
    own_bytes=0,
    stored_bytes=0,
    write_bytes=BILLED_BYTES,
    read_bytes=BILLED_BYTES,
    write_factor=CONDITIONAL_FACTOR,
    reads_after_loss=True,
    writes_at_once=MAX_CALLS_IN_FLIGHT,
    reads_at_once=MAX_CALLS_IN_FLIGHT,
    write_cpu_s=0.0,
)

TABLE = Terms(
    limits=Limits(max_bytes=items.MAX_VALUE_BYTES),
    own_bytes=items.OWN_BYTES + NAME_BYTES,
    stored_bytes=items.OWN_BYTES + NAME_BYTES + INDEX_BYTES,
    write_bytes=items.WRITE_UNIT_BYTES,
    read_bytes=items.READ_UNIT_BYTES,
    write_factor=1,
    reads_after_loss=False,
    writes_at_once=MAX_PUTS_IN_FLIGHT,
    reads_at_once=MAX_READS_IN_FLIGHT * MAX_KEYS,
    write_cpu_s=PUT_CPU_S,
)
