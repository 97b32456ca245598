"""How the queue hands out a load: batches, and how many different counters are in one."""

from collections.abc import Sequence
from dataclasses import dataclass

from tally.cli.plan.kinds import Kind
from tally.cli.plan.settings import Settings

PAYLOAD_BYTES = 6_291_456
"""The event of one invocation, at most (Lambda quotas)."""

RECORD_BYTES = 1_000
"""A record of that event without its body: 981 as Lambda documents it, with a trace header."""

ESCAPED = 1.15
"""How much longer a body is inside an event: its quotes are escaped (107 bytes for 93)."""


@dataclass(frozen=True)
class Batches:
    """Messages and events are published and handed out at these rates, in such batches.

    Attributes:
        messages_per_s: published.
        message_bytes: the body of one.
        batches_per_s: invocations of all consumers.
        messages: in a batch.
        events: in a batch.
        counters: different ones in a batch.
        between_s: the time between two batches of one consumer.
        most_messages: in a full batch.
    """

    messages_per_s: float
    message_bytes: int
    batches_per_s: float
    messages: float
    events: float
    counters: float
    between_s: float
    most_messages: int


def gather(settings: Settings, alike: Sequence[Kind]) -> Batches:
    """Each consumer gathers its share of the messages for a window, or until its batch is full.

    While it works, its messages wait and the next batch is larger, so cheaper: that is left out.
    """
    message_bytes = body_bytes(settings)
    most_messages = _most_messages(settings, message_bytes)
    messages_per_s = settings.events_per_s / settings.packed
    gathered = messages_per_s * settings.window_s / settings.consumers
    messages = min(max(1.0, gathered), float(most_messages))
    batches_per_s = messages_per_s / messages
    return Batches(
        messages_per_s=messages_per_s,
        message_bytes=message_bytes,
        batches_per_s=batches_per_s,
        messages=messages,
        events=messages * settings.packed,
        counters=distinct(alike, messages * settings.packed),
        between_s=settings.consumers / batches_per_s,
        most_messages=most_messages,
    )


def body_bytes(settings: Settings) -> int:
    """A message: its increments, their commas, and brackets."""
    return settings.packed * (settings.increment_bytes + 1) + 1


def distinct(alike: Sequence[Kind], events: float) -> float:
    """Different counters among so many events: of n even ones n · (1 - (1 - 1/n)^events)."""
    return sum(kind.counters * kind.present(events) for kind in alike)


def _most_messages(settings: Settings, message_bytes: int) -> int:
    """A full batch: BatchSize, or what fits into an event."""
    fitting = int(PAYLOAD_BYTES / (RECORD_BYTES + ESCAPED * message_bytes))
    return max(1, min(settings.batch_size, fitting))
