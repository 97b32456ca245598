"""The recipes on a cache, each in its best fair form: what a careful engineer would write."""

from collections.abc import Callable
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from momento.auth import CredentialProvider

from benchmarks.recipes.cache import DEADLINE_S, TTL_MS, CacheClient
from benchmarks.recipes.environment import Environment, Handle
from benchmarks.recipes.idempotency import MomentoPersistence
from benchmarks.recipes.truth import key_of
from consumer.batch import Consumer
from consumer.messages import ReceivedMessage
from consumer.observability import Observer
from tally.counters.body import increments
from tally.counters.event import INT64_MAX, Increment
from tally.settling.copies import Copies
from tally.settling.progress import Activity
from tally.settling.reason import Unsettled
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tally.stores.momento.store import MomentoStore
from tally.stores.port import Store

MAX_TRIES = 10
"""Of a compare-and-swap that lost its race, before the message goes back to the queue."""

BACKOFF_S = 0.02
"""The longest wait after the first lost race, about a round trip; it doubles with each."""

TTL_S = TTL_MS // 1_000

Count = Callable[[Increment], object]
"""Counts one increment; what it raises makes its message fail."""


class TooManyRacesError(Exception):
    """Others were always faster."""


def plain(environment: Environment) -> Handle:
    """`increment`, with what it takes to respect a bound."""
    cache = CacheClient(environment.connect())
    return each_record(environment, lambda increment: _increment(cache, increment))


def article(environment: Environment) -> Handle:
    """Get, then setIfPresentAndNotEqual(next, max), or setIfAbsent for the first.

    The article's function answers a lost setIfAbsent with "please try again"; this does.
    Source: lib/lambda/momento/index.ts of github.com/ncremaschini/atomic-counter.
    """
    cache = CacheClient(environment.connect())

    def count(increment: Increment) -> None:
        bound = b"%d" % _bound(increment)
        for _ in range(MAX_TRIES):
            value = cache.get(increment.counter)
            if value is not None:
                # Not stored says that the counter stands at its bound.
                following = b"%d" % (int(value) + 1)
                cache.set_if_present_and_not_equal(increment.counter, following, bound)
                return
            if cache.set_if_absent(increment.counter, b"1"):
                return
        raise TooManyRacesError

    return each_record(environment, count)


def swap(environment: Environment) -> Handle:
    """Compare-and-swap on the bare number: read it, and write the next if it is still there."""
    cache = CacheClient(environment.connect())

    def try_to_count(increment: Increment) -> bool:
        read = cache.get_with_hash(increment.counter)
        if read is None:
            return cache.set_if_absent(increment.counter, b"1")
        if int(read.value) >= _bound(increment):
            return True
        following = b"%d" % (int(read.value) + 1)
        return cache.set_if_unchanged(increment.counter, following, read)

    def count(increment: Increment) -> None:
        for number in range(MAX_TRIES):
            if try_to_count(increment):
                return
            environment.sleep(environment.random.uniform(0.0, BACKOFF_S * 2**number))
        raise TooManyRacesError

    return each_record(environment, count)


def idempotent(environment: Environment) -> Handle:
    """Powertools' Idempotency utility around `increment`, its records in the same store."""
    cache = CacheClient(environment.connect())
    config = IdempotencyConfig(
        event_key_jmespath="[counter, source, seq]", expires_after_seconds=TTL_S
    )
    records = MomentoPersistence(cache, environment.world.timeline, lambda: environment.ends_at_s)

    count_once = idempotent_function(
        lambda *, data: _increment(cache, msgspec.convert(data, Increment)),
        data_keyword_argument="data",
        persistence_store=records,
        config=config,
    )

    def count(increment: Increment) -> None:
        config.register_lambda_context(environment)  # type: ignore[arg-type] # a peer of it
        count_once(data=msgspec.to_builtins(increment))

    return each_record(environment, count)


def tally(environment: Environment) -> Handle:
    """Ours: the consumer of this repository, as it is deployed."""
    momento = MomentoStore(
        "tally",
        CredentialProvider.for_momento_local(),
        ttl_s=TTL_S,
        deadline_s=DEADLINE_S,
        open_channel=environment.connect,
        clock=environment.world.timeline,
        wall_clock=environment.world.timeline,
    )
    return ours_on(momento, environment)


def ours_on(store: Store, environment: Environment) -> Handle:
    """Our consumer with its counters in a store."""
    rounds = Rounds(
        store,
        clock=environment.world.timeline,
        sleep=environment.sleep,
        uniform=environment.random.uniform,
    )
    return Consumer(Writer(rounds, Copies()), Silent(), INT64_MAX).handle


class Silent(Observer):
    """Hears what our consumer tells, and logs nothing."""

    def __init__(self) -> None:
        """It has no logger."""

    def begin(self, request_id: str) -> None:
        """An invocation begins."""

    @property
    def tells_decisions(self) -> bool:
        """Whether each event is to have a line."""
        return False

    def busiest(self, groups: object) -> None:
        """Counters have events."""

    def throttled(self, times: object) -> None:
        """Calls were throttled."""

    def message_returned(self, message: ReceivedMessage, unsettled: Unsettled) -> None:
        """A message is reported."""

    def swaps_lost(self, losses: object) -> None:
        """Races were lost."""

    def publish(self, activity: Activity) -> None:
        """An invocation is over."""


def each_record(environment: Environment, count: Count) -> Handle:
    """Powertools' BatchProcessor, as people write it: a function for each record."""
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def handle_record(record: SQSRecord) -> None:
        [increment] = increments(record.body)
        environment.subject = key_of(increment)
        count(increment)

    def handle(event: dict[str, Any], context: Environment) -> Any:  # noqa: ANN401 (Powertools' own)
        return process_partial_response(event, handle_record, processor, context)  # type: ignore[arg-type] # a peer of it

    return handle


def _increment(cache: CacheClient, increment: Increment) -> None:
    """Increment if there is room, and take back what crosses the bound all the same.

    Without the read every full counter would be incremented and taken back for each event, and
    a fault between the two would leave it above its bound; without the second, races would.
    """
    value = cache.get(increment.counter)
    if value is not None and int(value) >= _bound(increment):
        return
    if cache.increment(increment.counter, 1) > _bound(increment):
        cache.increment(increment.counter, -1)


def _bound(increment: Increment) -> int:
    return int(str(increment.max))
