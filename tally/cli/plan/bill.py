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
"""The gigabyte in which storage and transfer are billed."""

MEMORY_GB_MB = 1_024
"""The gigabyte of a function's memory, in MB."""

POLLERS = 5
"""How many pollers Lambda has on a nearly empty queue ("Configuring scaling behavior")."""

LONG_POLL_S = 20
"""How long a receive waits at most for a message (SQS API, WaitTimeSeconds)."""

TABLE_METRICS = 2
"""How many of the consumer's metrics are written only if a table decides."""

METRICS = len(dataclasses.fields(Activity)) - TABLE_METRICS
"""The others; each is billed if there was an invocation in the month."""

ALARM_METRICS = 18
"""The metrics of template.yaml's alarms, without those of a table; each metric of an alarm is
billed."""

TABLE_ALARM_METRICS = 2
"""The further metrics of a table's alarms."""

COPIES_ALARM_METRICS = 2
"""The metrics of the alarm of a cache before a table; a table's bill has no cache."""

LOG_BYTES = 1_900
"""What an invocation logs: 1,400 for its metrics' record, three lines of Lambda's own, and 26 for
each line. The line for a message that comes back is left out."""

MILLION = 1_000_000
"""Requests and operations are priced per million."""


@dataclass(frozen=True)
class BillLine:
    """A line of the bill: the units that a service counts in a month, and their price."""

    service: str
    what: str
    units: float
    price_usd: float | None
    """Of `price_units` units; None where no price is known."""
    price_units: int = 1

    @property
    def usd(self) -> float:
        """The cost of the line; 0 without a price."""
        return self.units * (self.price_usd or 0.0) / self.price_units


def bill(figures: Figures) -> list[BillLine]:
    """The lines of a month, without free tiers and discounts."""
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
    """A table needs no key, and AWS bills no transfer between its functions and it."""
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
    """The sum of all lines."""
    return sum(line.usd for line in lines)


def _sends_per_s(figures: Figures) -> float:
    """Each 64 KiB of a message: a Publisher begins a second one in a request with a full first."""
    return figures.messages_per_s * -(-figures.message_bytes // BILLED_BYTES)


def _receives_per_s(figures: Figures) -> float:
    """At least one a batch, and each 64 KiB that it brings; an idle queue is polled too."""
    load, messages = figures.load, figures.messages
    brought = min(messages, float(load.received))
    requests = math.ceil(brought * figures.message_bytes / BILLED_BYTES)
    receives = max(1.0, messages / load.received)
    idle_per_s = min(POLLERS, load.consumers) / LONG_POLL_S
    return max(figures.batches_per_s * receives * requests, idle_per_s)


def _deletes_per_s(figures: Figures) -> float:
    """Ten messages a request, and at least one request a batch."""
    return figures.batches_per_s * max(1.0, figures.messages / MAX_ENTRIES)
