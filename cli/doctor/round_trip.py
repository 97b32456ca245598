"""One increment's way, from the queue to its count."""

from collections.abc import Callable, Iterator

from cli.cache import MOMENTO_ERRORS
from cli.doctor.check import Check, bad, good
from cli.doctor.world import World
from counters.event import Increment
from counters.outcome import Outcome
from producer.errors import ReadError, UnsentError
from producer.publisher import Publisher
from producer.reader import Reader

SEND, ROUND_TRIP = "send", "round trip"

POLL_S, MAX_POLL_S = 0.05, 1.0
"""The pauses between two looks: the first, and the longest; each is twice the one before."""

NAME_BYTES = 8
"""Random bytes in the name of a counter of its own, so that no two doctors share one."""


def own_counter(entropy: Callable[[int], bytes]) -> str:
    """The name of a counter for one round trip; it expires as all counters do."""
    return f"tally:doctor:{entropy(NAME_BYTES).hex()}"


def check_round_trip(
    world: World, publisher: Publisher, reader: Reader, counter: str, timeout_s: float
) -> Iterator[Check]:
    """Publish an increment, and read until it is decided.

    Args:
        world: time and chance.
        publisher: to the queue; it is closed here.
        reader: of the cache.
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
    is_counted = _by_outcome(reader, sent) if counter else _by_count(reader, name)
    try:
        found = _wait(world, is_counted, sent_at + timeout_s)
    except MOMENTO_ERRORS as error:
        yield bad(ROUND_TRIP, str(error), "the count cannot be read")
        return
    if found:
        yield good(ROUND_TRIP, f"{name} counted after {_ms(world.clock() - sent_at)}")
    else:
        advice = "see the consumer's log, its event source mapping, and `tally dlq list`"
        yield bad(ROUND_TRIP, f"{name} is not counted after {timeout_s:g} s", advice)


def _by_count(reader: Reader, counter: str) -> Callable[[], bool]:
    """Whichever guarantee the deployment has, the count of a new counter tells."""
    return lambda: reader.count(counter) == 1


def _by_outcome(reader: Reader, increment: Increment) -> Callable[[], bool]:
    return lambda: reader.outcome(increment) is Outcome.APPLIED


def _wait(world: World, is_so: Callable[[], bool], ends_at: float) -> bool:
    """Look until it is so or the time is up; what Momento fails to answer, is asked again.

    Raises:
        BrokenSetupError: no look would help.
        ReadError: the last look failed.
    """
    pause_s = POLL_S
    while world.clock() < ends_at:
        try:
            if is_so():
                return True
        except ReadError:
            pass  # there is time for another look
        world.sleep(min(pause_s, max(0.0, ends_at - world.clock())))
        pause_s = min(2 * pause_s, MAX_POLL_S)
    return is_so()


def _ms(duration_s: float) -> str:
    return f"{duration_s * 1_000:,.0f} ms"
