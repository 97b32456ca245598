"""One increment's way, from the queue to its count."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tally.cli.doctor.check import Check, bad, good, skipped
from tally.cli.doctor.world import World
from tally.cli.momento import MOMENTO_ERRORS
from tally.counters.event import Increment
from tally.counters.outcome import Outcome
from tally.publishing.errors import UnsentError
from tally.publishing.publisher import Publisher
from tally.reading.reader import Reader
from tally.reading.waiting import POLL_S, Look, Pace, wait

SEND, ROUND_TRIP = "send", "round trip"

NAME_BYTES = 8
"""Random bytes in the name of a counter of its own, so that no two doctors share one."""


class Cache(NamedTuple):
    """What is asked of Momento: counts and outcomes, and the stored value of a counter."""

    reader: Reader
    value: Callable[[str], bytes | None]


def own_counter(entropy: Callable[[int], bytes]) -> str:
    """The name of a counter for one round trip; it expires as all counters do."""
    return f"tally:doctor:{entropy(NAME_BYTES).hex()}"


def check_round_trip(
    world: World, publisher: Publisher, cache: Cache, counter: str, timeout_s: float
) -> Iterator[Check]:
    """Publish an increment, and read until it is decided.

    Args:
        world: time and chance.
        publisher: to the queue; it is closed here.
        cache: where the counters are.
        counter: where to count; it is changed by nothing. Empty: a new one, which becomes 1.
        timeout_s: how long to wait for it, in seconds.
    """
    started_at = world.clock()
    name = counter or own_counter(world.entropy)
    try:
        with publisher:
            sent = publisher.publish(name, 0 if counter else 1)
    except UnsentError as error:
        yield bad(SEND, "; ".join(error.reasons), "may this identity send to the queue?")
        return
    sent_at = world.clock()
    yield good(SEND, f"confirmed after {_ms(sent_at - started_at)}")
    look = _by_outcome(cache.reader, sent) if counter else _by_count(cache.reader, name)
    try:
        found = wait(look, Pace(world.clock, world.sleep, world.uniform), timeout_s, POLL_S)
        is_told = found is not Outcome.PENDING or not counter or _has_ledger(cache.value(name))
    except MOMENTO_ERRORS as error:
        yield bad(ROUND_TRIP, str(error), "the count cannot be read")
        return
    yield _told(name, found, _ms(world.clock() - sent_at), is_told=is_told)


def _told(name: str, found: Outcome, waited: str, *, is_told: bool) -> Check:
    if found is Outcome.APPLIED:
        return good(ROUND_TRIP, f"{name} counted after {waited}")
    if is_told:
        advice = "see the consumer's log, its event source mapping, and `tally dlq list`"
        return bad(ROUND_TRIP, f"{name}: {found.value} after {waited}", advice)
    text = f"{name} has no ledger: under at-least-once it cannot be told"
    return skipped(ROUND_TRIP, text, "without --counter it can")


def _has_ledger(value: bytes | None) -> bool:
    """Whether a counter could tell: one that is not there could not, nor a bare integer."""
    return value is not None and b"\n" in value


def _by_count(reader: Reader, counter: str) -> Look:
    """Whichever guarantee the deployment has, the count of a new counter tells."""
    return lambda _left_s: Outcome.APPLIED if reader.count(counter) == 1 else Outcome.PENDING


def _by_outcome(reader: Reader, increment: Increment) -> Look:
    return lambda _left_s: reader.outcome(increment)


def _ms(duration_s: float) -> str:
    return f"{duration_s * 1_000:,.0f} ms"
