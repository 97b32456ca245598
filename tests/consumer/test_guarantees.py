"""One contract for both guarantees, in memory and on real gRPC; and where they must differ."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from momento.auth import CredentialProvider

from consumer import wiring
from consumer.settings import ConsumerSettings, Guarantee
from tally.counters.counter import fold
from tally.counters.event import INT64_MAX
from tally.counters.ledger import Limits
from tally.environment import Cache, Local
from tally.local.momento import faults
from tally.local.momento.errors import injected
from tally.local.momento.server import HOST, MomentoServer
from tally.stores.momento.connection import connect
from tests.support.clock import Clock
from tests.support.consumers import events, make_momento
from tests.support.lambda_event import SENT_AT_MS, event, failures, increment, record
from tests.support.log import Log
from tests.support.momento import Raw
from tests.support.momento_channel import (
    AT_LEAST_ONCE,
    CACHE,
    EXACTLY_ONCE,
    Effect,
    FakeChannel,
    Fault,
)

BOTH = tuple(Guarantee)
LEDGER = fold(None, events(0, 1, 2), Limits()).value


@dataclasses.dataclass
class Store:
    """A Momento: its channel, what a key holds, and how the next call of a name fails."""

    channel: Any
    get: Callable[[str], bytes | None]
    put: Callable[[str, bytes], None]
    fail: Callable[[str, bool], None]
    pace: dict[str, Any]


@contextlib.contextmanager
def fake(guarantee):
    methods = AT_LEAST_ONCE if guarantee is Guarantee.AT_LEAST_ONCE else EXACTLY_ONCE
    channel = FakeChannel(Clock(), methods=methods)

    def fail(method, happened):
        effect = Effect.DONE if happened else Effect.NONE
        channel.faults.append(Fault(method, grpc.StatusCode.UNAVAILABLE, effect))

    pace = {"clock": channel.clock, "sleep": channel.clock.sleep}
    yield Store(channel, channel.store.get, channel.store.put, fail, pace)


@contextlib.contextmanager
def embedded(_guarantee):
    """Real gRPC; the server itself has a plan, since a consumer sends no fault headers."""
    planned: list[tuple[str, bool]] = []

    def plan(call):
        if planned and planned[0][0] == call:
            return faults.Fault(error=injected("UNAVAILABLE"), after=planned.pop()[1])
        return None

    def fail(method, happened):
        planned.append((method, happened))

    with MomentoServer([CACHE], faults=plan) as server, contextlib.ExitStack() as parts:
        channel = connect(CredentialProvider.for_momento_local(HOST, server.port))
        parts.callback(channel.close)
        raw = Raw(server)
        parts.callback(raw.close)
        yield Store(
            channel,
            lambda key: raw.get(key.encode()),
            lambda key, value: raw.set(key.encode(), value),
            fail,
            {},
        )


class Deployment:
    """A consumer of one guarantee on a store."""

    def __init__(self, guarantee, store, default_max):
        told = ConsumerSettings(
            Cache(CACHE, Local(HOST, 1)), max_counter_value=default_max, guarantee=guarantee
        )
        self.store = store
        self.guarantee = guarantee
        self._log = Log()
        clock = store.pace.get("clock", time.monotonic)
        momento = make_momento(store.channel, clock, wall_clock=time.time)
        self._consumer = wiring.build(
            told, observer=self._log.observer, store=momento, **store.pace
        )

    def handle(self, *records):
        return self._consumer.handle(event(*records), None)

    def count(self, counter="page:home"):
        """By the first line, as any reader has it; None for an absent counter."""
        value = self.store.get(counter)
        return None if value is None else int(value.partition(b"\n")[0])

    @property
    def told(self):
        """Of each message that was returned: its reason and the detail."""
        return [(line["reason"], line["detail"]) for line in self._log.lines if "reason" in line]


@pytest.fixture(params=[fake, embedded], ids=lambda made: made.__name__)
def deploy(request):
    """Deploys consumers, each on a store of its own."""
    with contextlib.ExitStack() as parts:

        def deploy(guarantee, default_max=INT64_MAX):
            store = parts.enter_context(request.param(guarantee))
            return Deployment(guarantee, store, default_max)

        yield deploy


@pytest.fixture(params=BOTH, ids=str)
def either(request, deploy):
    return deploy(request.param)


@pytest.fixture
def exact(deploy):
    return deploy(Guarantee.EXACTLY_ONCE)


@pytest.fixture
def lenient(deploy):
    return deploy(Guarantee.AT_LEAST_ONCE)


NAMED = {"counter": "page:home", "id": "order-1", "at": SENT_AT_MS}
EARLY, LATE = SENT_AT_MS - 2, SENT_AT_MS - 1


@pytest.mark.parametrize(
    ("bodies", "count"),
    [
        ([increment(amount=5)], 5),
        ([[increment(seq, amount=seq) for seq in range(5)], NAMED], 11),
        ([{"counter": "page:home"}, [{"counter": "page:home"}, {"counter": "page:home"}]], 3),
        ([increment(0), increment(0), [NAMED, NAMED]], 2),
        ([increment(seq, max=2) for seq in range(4)], 2),
        ([increment(seq, amount=-1, min=-2) for seq in range(4)], -2),
        ([increment(0, max=0)], 0),
        ([increment(0, amount=0)], 0),
        ([increment(0, at=LATE, amount=2, max=2), increment(1, at=EARLY, max=2)], 1),
        ([increment(0, at=LATE), increment(1, at=EARLY, reset=40)], 41),
        ([increment(0, at=EARLY), increment(1, at=LATE, reset=40)], 40),
        ([increment(0, amount=INT64_MAX), increment(1), increment(2)], INT64_MAX),
        ([increment(0, amount=-INT64_MAX), increment(1, amount=-2)], -INT64_MAX),
        ([increment(0), "{", increment(1, amount="1"), increment(2)], 2),
    ],
    ids=[
        *("one", "packed", "anonymous", "twice in a batch", "max", "min", "all rejected", "zero"),
        *("by time", "before its time", "reset", "overflow", "underflow", "invalid"),
    ],
)
def test_what_is_delivered_once_is_counted_alike(either, bodies, count):
    records = [record(f"m{number}", body) for number, body in enumerate(bodies)]
    bad = ["m1", "m2"] if "{" in bodies else []
    assert either.handle(*records) == failures(*bad)
    assert either.count() == count


@pytest.mark.parametrize("guarantee", BOTH, ids=str)
@pytest.mark.parametrize(("fields", "count"), [({}, 2), ({"max": 3}, 3), ({"max": INT64_MAX}, 4)])
def test_the_deployments_bound_is_for_increments_that_bring_none(deploy, guarantee, fields, count):
    deployment = deploy(guarantee, default_max=2)
    records = [record(f"m{seq}", increment(seq, **fields)) for seq in range(4)]
    assert deployment.handle(*records) == failures()
    assert deployment.count() == count


def test_a_fifo_queue_is_decided_in_the_order_of_delivery(either):
    late, early = increment(0, at=LATE, amount=2, max=2), increment(1, at=EARLY, max=2)
    reset, after = increment(0, "r", at=LATE, reset=40), increment(1, "r", at=EARLY)
    records = [
        record(f"m{number}", body, group="g")
        for number, body in enumerate([late, early, reset, after])
    ]
    assert either.handle(*records) == failures()
    assert (either.count(), either.count("r")) == (2, 41)


def test_a_bare_integer_is_counted_on(either):
    for name in "ab":
        either.store.put(name, b"40")
    records = [record("m1", increment(0, "a")), record("m2", increment(0, "b", max=40))]
    assert either.handle(*records) == failures()
    assert (either.count("a"), either.count("b")) == (41, 40)


@pytest.mark.parametrize("body", [increment(0), increment(0, max=9)], ids=["unbounded", "bounded"])
@pytest.mark.parametrize("value", [b"", b"words", b"1\n\x95\x02\xc4\x00\x90\x90\x80"])
def test_what_is_no_counter_is_reported_and_never_changed(either, body, value):
    either.store.put("page:home", value)
    assert either.handle(record("m1", body), record("m2", increment(0, "b"))) == failures("m1")
    assert [reason for reason, _ in either.told] == ["unreadable"]
    assert either.store.get("page:home") == value
    assert either.count("b") == 1


def call_of(deployment, *, bounded):
    """The call that writes a counter which is not there yet."""
    added = deployment.guarantee is Guarantee.AT_LEAST_ONCE and not bounded
    return "Increment" if added else "SetIf"


@pytest.mark.parametrize("fields", [{}, {"max": 9}], ids=["unbounded", "bounded"])
def test_a_write_that_never_arrived_counts_once_when_it_is_delivered_again(either, fields):
    either.store.fail(call_of(either, bounded=bool(fields)), False)  # noqa: FBT003 (before)
    message = record("m1", increment(0, **fields))
    if either.handle(message) == failures("m1"):
        assert either.handle(message) == failures()
    assert either.count() == 1


@pytest.mark.parametrize("fields", [{}, {"max": 9}], ids=["unbounded", "bounded"])
def test_a_redelivery_after_success_counts_again_at_least_once(exact, lenient, fields):
    message = record("m1", increment(0, **fields))
    for deployment, count in ((exact, 1), (lenient, 2)):
        assert [deployment.handle(message) for _ in range(2)] == [failures()] * 2
        assert deployment.count() == count


def test_a_lost_answer_to_an_increment_gives_the_message_back_and_counts_again(exact, lenient):
    message = record("m1", increment(0))
    for deployment, first, count in ((exact, failures(), 1), (lenient, failures("m1"), 2)):
        deployment.store.fail(call_of(deployment, bounded=False), True)  # noqa: FBT003 (after)
        assert [deployment.handle(message) for _ in range(2)] == [first, failures()]
        assert deployment.count() == count


def test_a_lost_answer_to_a_swap_is_decided_again_and_counts_again(exact, lenient):
    for deployment, count in ((exact, 1), (lenient, 2)):
        deployment.store.fail("SetIf", True)  # noqa: FBT003 (after)
        assert deployment.handle(record("m1", increment(0, max=9))) == failures()
        assert deployment.count() == count


@pytest.mark.parametrize("fields", [{}, {"max": 9}], ids=["unbounded", "bounded"])
def test_a_ledger_is_reported_and_left_alone_at_least_once(exact, lenient, fields):
    for deployment, answer, count in ((exact, failures(), 4), (lenient, failures("m1"), 3)):
        deployment.store.put("page:home", LEDGER)
        assert deployment.handle(record("m1", increment(0, **fields))) == answer
        assert deployment.count() == count
    assert lenient.store.get("page:home") == LEDGER
    detail = "it has a ledger: it was counted exactly once, and is left as it is"
    assert lenient.told == [("unreadable", detail)]


def test_a_reset_delivered_again_resets_again_at_least_once(exact, lenient):
    reset = record("m1", increment(0, reset=40))
    for deployment, count in ((exact, 45), (lenient, 40)):
        for message in (reset, record("m2", increment(1, amount=5)), reset):
            assert deployment.handle(message) == failures()
        assert deployment.count() == count


def test_a_message_of_two_counters_comes_back_as_a_whole_and_counts_again(exact, lenient):
    message = record("m1", [increment(0, "a"), increment(0, "b")])
    for deployment, count in ((exact, 1), (lenient, 2)):
        deployment.store.put("b", b"words")
        assert deployment.handle(message) == failures("m1")
        deployment.store.put("b", b"0")
        assert deployment.handle(message) == failures()
        assert (deployment.count("a"), deployment.count("b")) == (count, 1)


def test_a_step_past_64_bits_is_seen_exactly_once_and_not_within_a_sum(exact, lenient):
    for deployment, count in ((exact, INT64_MAX - 1), (lenient, INT64_MAX)):
        deployment.store.put("page:home", b"%d" % INT64_MAX)
        body = [increment(0), increment(1, amount=-1)]
        assert deployment.handle(record("m1", body)) == failures()
        assert deployment.count() == count


@pytest.mark.parametrize("fields", [{}, {"max": 9}], ids=["unbounded", "bounded"])
def test_what_was_counted_at_least_once_counts_again_if_it_is_delivered_after_the_change(
    exact, lenient, fields
):
    counted, waiting = record("m1", increment(0, **fields)), record("m2", increment(1, **fields))
    assert lenient.handle(counted) == failures()
    exact.store.put("page:home", lenient.store.get("page:home"))
    for message in (counted, waiting, counted):  # its delete was lost: the queue was not drained
        assert exact.handle(message) == failures()
    assert exact.count() == 3


def test_a_counter_may_go_over_to_exactly_once_and_not_back(exact, lenient):
    assert lenient.handle(record("m1", increment(0))) == failures()
    exact.store.put("page:home", lenient.store.get("page:home"))
    assert exact.handle(record("m2", increment(1))) == failures()
    lenient.store.put("page:home", exact.store.get("page:home"))
    assert lenient.handle(record("m3", increment(2))) == failures("m3")
    assert (exact.count(), lenient.count()) == (2, 2)
