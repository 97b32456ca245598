"""What a load costs a month: the units of each service, and their price."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tally.cli.plan.batches import Batches
from tally.cli.plan.model import Figures
from tally.cli.plan.settings import Settings
from tally.publishing.packing import BILLED_BYTES

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

DELETED = 10
"""Messages that one delete takes at most (SQS API, DeleteMessageBatch)."""


MILLION = 1_000_000
"""Requests and operations are priced by it."""


@dataclass(frozen=True)
class Item:
    """A line of the bill.

    Attributes:
        service: who sends the bill.
        what: is counted.
        units: a month.
        price_usd: of `price_units` units; None where no price is known.
        price_units: 1, or a million.
    """

    service: str
    what: str
    units: float
    price_usd: float | None
    price_units: int = 1

    @property
    def usd(self) -> float:
        """What the line comes to; nothing without a price."""
        return self.units * (self.price_usd or 0.0) / self.price_units


def bill(settings: Settings, figures: Figures) -> list[Item]:
    """The lines of a month; free tiers and discounts are not taken off."""
    prices, batches, momento = settings.prices, figures.batches, figures.momento
    invocations = batches.batches_per_s * MONTH_S
    gb_s = invocations * figures.function.duration_s * settings.memory_mb / MEMORY_GB_MB
    sends, deletes = _sends_per_s(batches) * MONTH_S, _deletes_per_s(batches) * MONTH_S
    receives = _receives_per_s(settings, batches) * MONTH_S
    stored_gb = momento.stored_bytes / GB_BYTES
    transferred_gb = momento.transferred_bytes_per_s * MONTH_S / GB_BYTES
    operations = momento.operations_per_s * MONTH_S
    return [
        Item("SQS", "sends", sends, prices.sqs_million_requests, MILLION),
        Item("SQS", "receives", receives, prices.sqs_million_requests, MILLION),
        Item("SQS", "deletes", deletes, prices.sqs_million_requests, MILLION),
        Item("Lambda", "invocations", invocations, prices.lambda_million_requests, MILLION),
        Item("Lambda", "GB-s", gb_s, prices.lambda_gb_s),
        Item("Momento", "GB stored", stored_gb, prices.momento_gb_month),
        Item("Momento", "GB transferred", transferred_gb, prices.momento_gb_transferred),
        Item("Momento", "operations", operations, prices.momento_million_operations, MILLION),
    ]


def total_usd(items: Iterable[Item]) -> float:
    """What all lines come to."""
    return sum(item.usd for item in items)


def _sends_per_s(batches: Batches) -> float:
    """Each 64 KiB of a message: a Publisher begins a second one in a request with a full first."""
    return batches.messages_per_s * -(-batches.message_bytes // BILLED_BYTES)


def _receives_per_s(settings: Settings, batches: Batches) -> float:
    """At least one a batch, each 64 KiB of what it brings; an idle queue is polled all the same."""
    brought = min(batches.messages, float(settings.received))
    requests = math.ceil(brought * batches.message_bytes / BILLED_BYTES)
    receives = max(1.0, batches.messages / settings.received)
    idle_per_s = min(POLLERS, settings.consumers) / LONG_POLL_S
    return max(batches.batches_per_s * receives * requests, idle_per_s)


def _deletes_per_s(batches: Batches) -> float:
    """Ten messages a request, and at least one request a batch."""
    return batches.batches_per_s * max(1.0, batches.messages / DELETED)
