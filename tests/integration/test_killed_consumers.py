"""Real processes, a real store, SIGKILL: the same events delivered again and again count once."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.local.lambda_.environment import LambdaEnvironment
from tests.integration.stormy_stack import KillableFunction
from tests.support.consumers import read_counts
from tests.support.lambda_event import SENT_AT_MS, event, record

SEED = 20
EVENTS = 20_000
COUNTERS = 25
SOURCES = ("1122334455667788", "aabbccddeeff0011", "0000000000000001")
PACKED = 100
BATCHES = 10
DELIVERIES = 20
KILLED_SHARE = 0.5
BOUND = 500


def increments():
    """The events: each counter's, of three sources; every fifth counter is bounded."""
    seqs: Counter[tuple[str, str]] = Counter()
    for number in range(EVENTS):
        counter, source = f"counter:{number % COUNTERS}", SOURCES[number % len(SOURCES)]
        bound = {"max": BOUND} if number % COUNTERS % 5 == 0 else {}
        identity = {"source": source, "seq": seqs[counter, source], "at": SENT_AT_MS + number}
        yield {"counter": counter, **identity, **bound}
        seqs[counter, source] += 1


def batches():
    """The events as SQS batches of packed messages, in an order that the seed draws."""
    events = list(increments())
    random.Random(SEED).shuffle(events)
    packed = [
        record(f"message-{start}", events[start : start + PACKED])
        for start in range(0, EVENTS, PACKED)
    ]
    size = len(packed) // BATCHES
    starts = range(0, len(packed), size)
    return [json.dumps(event(*packed[start : start + size])).encode() for start in starts]


@pytest.fixture
def environments(variables):
    handler = "consumer.handler.lambda_handler"
    made = [LambdaEnvironment(handler, variables=variables) for _ in range(3)]
    yield made
    for environment in made:
        environment.close()


def deliver_under_fire(environment, deliveries, seed):
    """Deliver batches drawn at random, and kill the process in the midst of half of them."""
    draw = random.Random(seed)
    mortal = KillableFunction(environment, draw.uniform, lambda: draw.random() < KILLED_SHARE)
    answers = [mortal.invoke(draw.choice(deliveries)) for _ in range(DELIVERIES)]
    return sum(answer.error is not None for answer in answers)


def test_the_same_events_to_killed_consumers_again_and_again_count_exactly(environments, variables):
    deliveries = batches()
    with ThreadPoolExecutor(len(environments)) as pool:
        seeds = range(SEED, SEED + len(environments))
        fates = pool.map(deliver_under_fire, environments, [deliveries] * 3, seeds)
        kills = sum(fates)
    assert kills > len(environments)
    for delivery in deliveries:
        answer = environments[0].invoke(delivery)
        assert json.loads(answer.response) == {"batchItemFailures": []}
    counters = [f"counter:{number}" for number in range(COUNTERS)]
    share = EVENTS // COUNTERS
    expected = {name: BOUND if at % 5 == 0 else share for at, name in enumerate(counters)}
    assert read_counts(counters, variables) == expected
