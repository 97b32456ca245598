"""Momento loses all that it holds, as a cache may: nothing counts twice in what comes after."""

import json
import threading
from collections import Counter

import pytest

from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.runtime import FunctionSettings
from tally.local.momento.server import MomentoProcess
from tests.support.consumers import read_counts
from tests.support.lambda_event import event, failures, increment, record

CACHE = "tally"
COUNTERS = 5
MESSAGES, PACKED, BATCHES = 40, 50, 4
TRIES = 10  # a channel to a server that was away waits about a second before it looks again
KILL_AFTER_S = 0.05


@pytest.fixture
def momento():
    server = MomentoProcess([CACHE])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reborn(momento):
    port = int(momento.endpoint.rpartition(":")[2])
    server = MomentoProcess([CACHE], port=port)
    yield server
    server.stop()


@pytest.fixture
def variables(momento):
    return {"MOMENTO_LOCAL": momento.endpoint, "MOMENTO_CACHE_NAME": CACHE}


@pytest.fixture
def environment(variables):
    settings = FunctionSettings(timeout_s=3.0)
    environment = LambdaEnvironment(
        "consumer.handler.lambda_handler", variables=variables, settings=settings
    )
    yield environment
    environment.close()


def batches():
    """Events of COUNTERS counters, packed into messages, in batches."""
    seqs: Counter[str] = Counter()
    records = []
    for number in range(MESSAGES):
        counter = f"counter:{number % COUNTERS}"
        first = seqs[counter]
        seqs[counter] += PACKED
        packed = [increment(seq, counter) for seq in range(first, first + PACKED)]
        records.append(record(f"m{number}", packed))
    size = MESSAGES // BATCHES
    starts = range(0, MESSAGES, size)
    return [json.dumps(event(*records[start : start + size])).encode() for start in starts]


def kill(momento):
    momento._process.kill()
    momento._process.wait()


def deliver(environment, batch, tries=TRIES):
    """Deliver a batch until nothing comes back."""
    for _ in range(tries):
        response = environment.invoke(batch).response
        if response and json.loads(response) == failures():
            return
    pytest.fail("the batch comes back again and again")


def test_after_momento_was_killed_in_mid_batch_what_is_redelivered_counts_once(
    environment, momento, reborn, variables
):
    before, *amid, last = batches()
    deliver(environment, before)
    executioner = threading.Timer(KILL_AFTER_S, kill, [momento])
    executioner.start()
    for batch in amid:
        environment.invoke(batch)
    executioner.join()
    reborn.start()
    deliver(environment, last)
    names = [f"counter:{number}" for number in range(COUNTERS)]
    share = MESSAGES // COUNTERS * PACKED
    assert max(count or 0 for count in read_counts(names, variables).values()) < share
    for batch in [before, *amid, last, *amid, before]:
        deliver(environment, batch)
    assert read_counts(names, variables) == dict.fromkeys(names, share)
