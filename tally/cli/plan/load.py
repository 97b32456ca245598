"""What a plan starts from: the load, the settings of queue and function, and the prices."""

import enum
from dataclasses import dataclass, field

MAX_BATCH_SIZE = 10_000
"""Messages of a batch at most (Lambda, SQS event source parameters)."""

MAX_UNGATHERED = 10
"""A batch of more messages than one receive brings needs a window (the same page)."""

MAX_WINDOW_S = 300
"""The longest batching window, in whole seconds (the same page)."""

MIN_CONSUMERS, MAX_CONSUMERS = 2, 1_000
"""What MaximumConcurrency may be (Lambda API, ScalingConfig)."""

MIN_MEMORY_MB, MAX_MEMORY_MB = 128, 10_240
"""What a function may be given (Lambda quotas)."""

WINDOWS_S = (1, 2, 5, 10, 30, 60)
TIMEOUTS_S = (20, 30, 60, 120, 300)
MEMORIES_MB = (256, 512, 1_024, 1_769, 3_008)
"""What template.yaml offers: nothing else is advised."""

VISIBILITY_FACTOR = 6
"""A failed message stays hidden for so many timeouts and a window, as in template.yaml."""

MAX_IN_FLIGHT = 120_000
"""Messages of a queue that are received and not deleted, at most (SQS quotas)."""

MAX_TIMEOUT_S = 900
"""The longest that a function may take (Lambda quotas)."""

MAX_RECEIVED = 10
"""Messages that one receive brings at most (SQS API, ReceiveMessage)."""

ROUND_TRIP_MS, TABLE_ROUND_TRIP_MS = 2.0, 5.0
"""The time of a call to Momento, and of one to DynamoDB, unless told otherwise."""

PRICES_AS_OF = "2026-11"
"""When the newest of the default prices was read; docs/planning.md has each with its source. They
are defaults to be replaced, and no claim about today."""


class IdentityForm(enum.StrEnum):
    """How increments are identified, which decides how many sources a ledger holds."""

    NATIVE = "native"
    """source, seq, at: a source is a producer session."""
    NAMED = "named"
    """id, at: every increment is a source of its own. Anonymous ones cost no more."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a unit costs in US dollars, with no free tier and no discount taken off.

    For Momento's operations we found no published price: None leaves them out of the bill.
    """

    sqs_million_requests: float = 0.40
    lambda_million_requests: float = 0.20
    lambda_gb_s: float = 0.000_013_333_4
    momento_gb_month: float = 13.0
    momento_gb_transferred: float = 0.05
    momento_million_operations: float | None = None
    cloudwatch_metric: float = 0.30
    cloudwatch_alarm_metric: float = 0.10
    cloudwatch_dashboard: float = 3.0
    cloudwatch_gb_logged: float = 0.50
    secret: float = 0.40
    aws_gb_transferred: float = 0.01
    dynamodb_million_write_units: float = 0.625
    dynamodb_million_read_units: float = 0.125
    dynamodb_gb_month: float = 0.25
    dynamodb_recovery_gb_month: float = 0.20


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load, and how queue and function are set up for it; the defaults are template.yaml's.

    `tally plan --help` explains each field, under the option of its name.
    """

    events_per_s: float = 100.0
    counters: int = 5
    hot_share: float = 0.0
    sources: int = 10
    gaps: int = 0
    identity: IdentityForm = IdentityForm.NATIVE
    packed: int = 10
    increment_bytes: int = 100
    batch_size: int = 1_000
    window_s: int = 1
    consumers: int = 4
    received: int = MAX_RECEIVED
    timeout_s: int = 30
    memory_mb: int = 1_024
    round_trip_ms: float = ROUND_TRIP_MS
    quota_per_s: float = 100.0
    durable: bool = False
    prices: Prices = field(default_factory=Prices)

    @property
    def body_bytes(self) -> int:
        """A message: its increments, their commas, and brackets."""
        return self.packed * (self.increment_bytes + 1) + 1
