"""What plays a switch from one place of counters to another: consumers, messages and counts."""

import contextlib

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.reading.reader import Reader
from tally.stores.opening import open_store
from tests.support.lambda_event import event, failures, increment, record

COUNTERS = [f"c{number}" for number in range(5)]


@contextlib.contextmanager
def consumer(variables):
    """The consumer of a deployment with these variables."""
    settings = ConsumerSettings.from_environment(variables)
    with contextlib.closing(open_store(settings.place, ttl_s=settings.ttl_s)) as store:
        yield wiring.build(settings, observer=wiring.observer({}), store=store)


def messages(first, last):
    """So many messages, each of an increment of 1 for one of the counters."""
    return [
        record(f"m{seq}", increment(seq, COUNTERS[seq % len(COUNTERS)]))
        for seq in range(first, last)
    ]


def deliver(deployed, records):
    """Have all of a batch counted, or absorbed as duplicates; its messages are deleted then."""
    assert deployed.handle(event(*records), None) == failures()


def counts(variables):
    """The sum of all counters, as the table has them."""
    with Reader.from_environment(variables) as reader:
        return sum(reader.counts(COUNTERS, consistent=True).values())
