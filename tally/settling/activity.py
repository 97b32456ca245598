"""What one invocation did: the numbers that become its metrics."""

import dataclasses


@dataclasses.dataclass
class Activity:
    """Counts of one invocation; observability.py publishes each field under its name."""

    events_applied: int = 0
    events_rejected: int = 0
    events_duplicate: int = 0
    events_undecidable: int = 0
    messages_invalid: int = 0
    messages_returned: int = 0
    counters_written: int = 0
    counters_created: int = 0
    """By a swap over nothing; a native increment does not tell."""
    counters_vanished: int = 0
    """Seen, and then gone: expired or evicted, with their ledger."""
    swaps_stored: int = 0
    swaps_lost: int = 0
    store_throttled: int = 0
    store_operations: int = 0
    """As the store bills them; Momento: each 1,024 bytes begun, a conditional write twice."""
    value_bytes: int = 0
    """The longest value swapped in."""
