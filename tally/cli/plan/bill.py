"""What a load costs a month: the units of each service, and their price."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

from tally.cli.plan.figures import Figures
from tally.publishing.packing import BILLED_BYTES, MAX_ENTRIES
from tally.settling.progress import Activity

MONTH_S = 730 * 3_600
"""The month of AWS's own calculator: 730 hours."""

GB_BYTES = 1_073_741_824
"""As what is stored and transferred is billed."""

MEMORY_GB_MB = 1_024
"""Of a function's memory."""

POLLERS = 5
"""With which Lambda polls a queue that is nearly empty ("Configuring scaling behavior")."""

LONG_POLL_S = 20
"""How long a receive waits at most for a message (SQS API, WaitTimeSeconds)."""

TABLE_METRICS = 2
"""Of the consumer's own, those that are written only where a table decides."""

METRICS = len(dataclasses.fields(Activity)) - TABLE_METRICS
"""The others, each billed once there was an invocation in the month."""

ALARM_METRICS = 18
"""What the alarms of template.yaml look at, without those of a table: an alarm of two metrics is
billed as two."""

TABLE_ALARM_METRICS = 2
"""What the alarms of a table look at besides."""

COPIES_ALARM_METRICS = 2
"""What the alarm of a cache before the table looks at; no cache is in the bill of a table."""

LOG_BYTES = 1_900
"""What an invocation logs: 1,400 of its metrics' record, three lines of Lambda's own, and 26 for
each line. A message that comes back is one line more, and left out."""

MILLION = 1_000_000
"""Requests and operations are priced by it."""


@dataclass(frozen=True)
class BillLine:
    """A line of the bill: how many units of what a service counts in a month, and their price."""

    service: str
    what: str
    units: float
    price_usd: float | None
    """Of `price_units` units; None where no price is known."""
    price_units: int = 1

    @property
    def usd(self) -> float:
        """What the line comes to; nothing without a price."""
        return self.units * (self.price_usd or 0.0) / self.price_units


def bill(figures: Figures) -> list[BillLine]:
    """The lines of a month; free tiers and discounts are not taken off."""
    prices = figures.load.prices
    invocations = figures.batches_per_s * MONTH_S
    gb_s = invocations * figures.duration_s * figures.load.memory_mb / MEMORY_GB_MB
    sends, deletes = _sends_per_s(figures) * MONTH_S, _deletes_per_s(figures) * MONTH_S
    receives = _receives_per_s(figures) * MONTH_S
    metrics = METRICS + (TABLE_METRICS if figures.load.durable else 0)
    watched = ALARM_METRICS + (TABLE_ALARM_METRICS if figures.load.durable else 0)
    logged_gb = invocations * LOG_BYTES / GB_BYTES
    return [
        BillLine("SQS", "sends", sends, prices.sqs_million_requests, MILLION),
        BillLine("SQS", "receives", receives, prices.sqs_million_requests, MILLION),
        BillLine("SQS", "deletes", deletes, prices.sqs_million_requests, MILLION),
        BillLine("Lambda", "invocations", invocations, prices.lambda_million_requests, MILLION),
        BillLine("Lambda", "GB-s", gb_s, prices.lambda_gb_s),
        *(_table(figures) if figures.load.durable else _momento(figures)),
        BillLine("CloudWatch", "metrics", metrics, prices.cloudwatch_metric),
        BillLine("CloudWatch", "alarm metrics", watched, prices.cloudwatch_alarm_metric),
        BillLine("CloudWatch", "dashboard", 1, prices.cloudwatch_dashboard),
        BillLine("CloudWatch", "GB logged", logged_gb, prices.cloudwatch_gb_logged),
        *([] if figures.load.durable else _beside_momento(figures)),
    ]


def _momento(figures: Figures) -> list[BillLine]:
    prices, stored_gb = figures.load.prices, figures.stored_bytes / GB_BYTES
    operations = figures.operations_per_s * MONTH_S
    price = prices.momento_million_operations
    return [
        BillLine("Momento", "GB stored", stored_gb, prices.momento_gb_month),
        BillLine(
            "Momento", "GB transferred", _transferred_gb(figures), prices.momento_gb_transferred
        ),
        BillLine("Momento", "operations", operations, price, MILLION),
    ]


def _beside_momento(figures: Figures) -> list[BillLine]:
    """A table needs no key, and AWS takes nothing for what its functions carry there."""
    prices = figures.load.prices
    return [
        BillLine("Secrets Manager", "secret", 1, prices.secret),
        BillLine("AWS", "GB transferred", _transferred_gb(figures), prices.aws_gb_transferred),
    ]


def _table(figures: Figures) -> list[BillLine]:
    prices, stored_gb = figures.load.prices, figures.stored_bytes / GB_BYTES
    writes, reads = figures.write_units_per_s * MONTH_S, figures.read_units_per_s * MONTH_S
    write_price, read_price = (
        prices.dynamodb_million_write_units,
        prices.dynamodb_million_read_units,
    )
    return [
        BillLine("DynamoDB", "write units", writes, write_price, MILLION),
        BillLine("DynamoDB", "read units", reads, read_price, MILLION),
        BillLine("DynamoDB", "GB stored", stored_gb, prices.dynamodb_gb_month),
        BillLine("DynamoDB", "GB to recover", stored_gb, prices.dynamodb_recovery_gb_month),
    ]


def _transferred_gb(figures: Figures) -> float:
    return figures.transferred_bytes_per_s * MONTH_S / GB_BYTES


def total_usd(lines: Iterable[BillLine]) -> float:
    """What all lines come to."""
    return sum(line.usd for line in lines)


def _sends_per_s(figures: Figures) -> float:
    """Each 64 KiB of a message: a Publisher begins a second one in a request with a full first."""
    return figures.messages_per_s * -(-figures.message_bytes // BILLED_BYTES)


def _receives_per_s(figures: Figures) -> float:
    """At least one a batch, each 64 KiB of what it brings; an idle queue is polled all the same."""
    load, messages = figures.load, figures.messages
    brought = min(messages, float(load.received))
    requests = math.ceil(brought * figures.message_bytes / BILLED_BYTES)
    receives = max(1.0, messages / load.received)
    idle_per_s = min(POLLERS, load.consumers) / LONG_POLL_S
    return max(figures.batches_per_s * receives * requests, idle_per_s)


def _deletes_per_s(figures: Figures) -> float:
    """Ten messages a request, and at least one request a batch."""
    return figures.batches_per_s * max(1.0, figures.messages / MAX_ENTRIES)
