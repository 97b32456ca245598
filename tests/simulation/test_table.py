"""The simulated table is a peer of moto's, and the checks of cache and reader see what is wrong."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tally.counters.counter import fold
from tally.counters.event import INT64_MAX, INT64_MIN, Event
from tally.counters.ledger import Limits
from tally.counters.outcome import Outcome
from tally.reading.reader import Reading
from tally.stores.dynamodb.items import Items
from tally.stores.port import ABSENT, Copy, Source, Swap
from tests.simulation.copies import Cache
from tests.simulation.facts import EPOCH_MS, Delivery, Fact
from tests.simulation.onlooker import check_count, check_outcome
from tests.simulation.plan import draw
from tests.simulation.table import NAME, Table
from tests.simulation.timeline import Timeline, ViolationError
from tests.simulation.world import World
from tests.support.dynamodb import SCHEMA

COPY_TTL_S = 60
FACTS = [Fact(seq, "c", 1, seq, EPOCH_MS, 1, INT64_MIN, INT64_MAX) for seq in range(3)]
EVENTS = [Event("c", 1, seq, EPOCH_MS) for seq in range(3)]
VALUES = [fold(None, EVENTS[:events], Limits()).value for events in range(4)]
"""A counter's, from none on: each has one event more."""


class Handed(Delivery):
    """Whoever sends was handed one event."""

    def __init__(self, place):
        super().__init__([], fifo=False)
        self._place = place

    def facts(self, _counter):
        return [FACTS[self._place]]


@pytest.fixture
def world():
    plan = dataclasses.replace(draw(0, "durable"), rates={}, limits=Limits(), copy_ttl_s=COPY_TTL_S)
    with ThreadPoolExecutor(1) as executor:
        yield World(plan, executor)


@pytest.fixture
def table(world):
    table = Table(world, world.plan.random("table"))
    table.begin("c", None)
    return table


@pytest.fixture
def cache(world, table):
    return Cache(world, table, world.plan.random("cache"))


@pytest.fixture
def moto(account):  # noqa: ARG001 (its environment)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(TableName=NAME, BillingMode="PAY_PER_REQUEST", **SCHEMA)
        yield client
        client.close()


def put(seen, new):
    """A request to put a value over another one, by their places."""
    seen_copy = Copy(VALUES[seen], None) if seen else ABSENT
    return Items(NAME, None, lambda: 0.0).put(Swap("c", seen_copy, VALUES[new]))


def stored(world, table, *times_s):
    """Have values stored, one at each time."""
    for place, at_s in enumerate(times_s):
        world.timeline.now_s = at_s
        table.put(put(place, place + 1), Handed(place), at_s)


def told(answer):
    """Of an answer what both tables give."""
    if isinstance(answer, ClientError):
        return answer.response["Error"]["Code"], answer.response.get("Item")
    return {name: answer[name] for name in ("Responses", "UnprocessedKeys") if name in answer}


def told_by(call, request):
    try:
        return told(call(**request))
    except ClientError as error:
        return told(error)


def test_the_simulated_table_answers_as_motos_to_what_the_store_asks(moto, table):
    reads = Items(NAME, None, lambda: 0.0).get(["c", "none"])
    for seen, new in [(0, 1), (0, 2), (2, 3), (1, 2), (1, 3), (1, 2), (0, 1), (2, 3)]:
        answer = table.put(put(seen, new), Handed(new - 1), 0.0)
        assert told(answer) == told_by(moto.put_item, put(seen, new))
        assert told(table.batch(reads)) == told_by(moto.batch_get_item, reads)


def set_of(place, ttl_s=COPY_TTL_S):
    return [b"SET", b"c", VALUES[place], b"PX", b"%d" % (ttl_s * 1_000)]


WRONG_SETS = {
    "set a copy that the table never held": (0.0, set_of(3)),
    "set a copy 2.5 s after its put began": (3.5, set_of(2)),
    "sent b'SET' b'PX' b'61000'": (1.0, set_of(2, 61)),
}


@pytest.mark.parametrize("violation", WRONG_SETS)
def test_a_copy_that_may_not_be_set_is_named(world, table, cache, violation):
    stored(world, table, 0.0, 1.0)
    at_s, words = WRONG_SETS[violation]
    world.timeline.now_s = at_s
    with pytest.raises(ViolationError, match=f"^{violation}"):
        cache.expects(words)


def test_a_copy_is_shown_for_as_long_as_it_lives_and_may_be_old(world, table, cache):
    stored(world, table, 0.0, 1.0)
    cache.expects(set_of(2))
    cache.carry_out(set_of(2), Handed(1))
    get = [b"GET", b"c"]
    world.timeline.now_s = 1.0 + COPY_TTL_S - 0.1
    assert cache.carry_out(get, Handed(1)) == VALUES[2]
    world.timeline.now_s += 0.2
    assert cache.carry_out(get, Handed(1)) is None


@pytest.mark.parametrize(
    ("reading", "is_right"),
    [
        (Reading(2, Source.TABLE), True),
        (Reading(1, Source.TABLE), False),
        (Reading(1, Source.CACHE), True),
        (Reading(3, Source.CACHE), False),
        (Reading(None, Source.TABLE), False),
    ],
)
def test_a_count_that_was_not_so_is_named(world, table, reading, is_right):
    stored(world, table, 10.0, 20.0)
    world.timeline.now_s = 30.0
    if is_right:
        check_count(table, "c", reading, since_s=25.0, copies_since_s=5.0)
    else:
        with pytest.raises(ViolationError, match=r"^was told Reading\(.* of c, since .* it was"):
            check_count(table, "c", reading, since_s=25.0, copies_since_s=5.0)


@pytest.mark.parametrize(
    ("outcome", "place", "is_right"),
    [
        (Outcome.APPLIED, 0, True),
        (Outcome.APPLIED, 2, False),
        (Outcome.REJECTED, 0, False),
        (Outcome.FORGOTTEN, 0, False),
        (Outcome.PENDING, 0, False),
        (Outcome.PENDING, 2, True),
    ],
)
def test_an_outcome_that_is_not_so_is_named(world, table, outcome, place, is_right):
    stored(world, table, 10.0, 20.0)
    before = next(table.accounts("c", 20.0))
    was_decided = place < 2
    if is_right:
        check_outcome(table, FACTS[place], outcome, before, since_s=0.0, was_decided=was_decided)
    else:
        with pytest.raises(ViolationError, match=rf"^was told {outcome} of Fact"):
            check_outcome(
                table, FACTS[place], outcome, before, since_s=0.0, was_decided=was_decided
            )


def test_an_actor_that_waits_on_its_way_out_of_a_run_does_not_stop_its_end():
    timeline = Timeline()

    def wait(actor):
        try:
            actor.sleep_until(2.0)
        finally:
            actor.sleep_until(3.0)

    def fail():
        raise ViolationError

    with ThreadPoolExecutor(1) as executor, timeline.guard:
        timeline.act(executor, wait)
        timeline.at(1.0, fail)
        timeline.play()
    assert isinstance(timeline.guard.error, ViolationError)
    assert timeline.now_s == 1.0
