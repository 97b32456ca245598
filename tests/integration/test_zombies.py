"""A consumer that is stopped in mid-batch, given up for dead, and goes on: it counts nothing twice.

Lambda freezes an environment like that, and a machine that hangs does the same to any process.
"""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tally.local.lambda_.environment import LambdaEnvironment
from tally.local.lambda_.runtime import FunctionSettings
from tests.integration.halting import HALT_AT_ROUND
from tests.support.consumers import read_counts
from tests.support.lambda_event import event, failures, increment, record
from tests.support.processes import is_stopped, wait_until

SEATS = 4
COUNTERS = ("hits", "seats")
SETTINGS = FunctionSettings(timeout_s=20.0)


def message(name, *seqs):
    """Events with these seqs, of a counter without a bound and of one that is soon full."""
    free = [increment(seq, "hits") for seq in seqs]
    bounded = [increment(seq, "seats", max=SEATS) for seq in seqs]
    return record(name, free + bounded)


EARLIER, CONTESTED = message("earlier", 0), message("contested", 1, 2)
MEANWHILE, ITS_OWN = message("meanwhile", 3), message("its own", 4)


@pytest.fixture
def started_with(variables):
    """Makes environments in which a handler runs, which end with the test."""
    made = []

    def start(handler, **others):
        made.append(LambdaEnvironment(handler, variables=variables | others, settings=SETTINGS))
        return made[-1]

    yield start
    for environment in made:
        environment.close()


def deliver(environment, *records):
    """Deliver a batch of which nothing may come back; its metrics."""
    told = environment.invoke(json.dumps(event(*records)).encode())
    assert (told.error, json.loads(told.response or b"null")) == (None, failures())
    lines = [json.loads(line) for line in told.output.splitlines()]
    [metrics] = [line for line in lines if "EventsApplied" in line]
    names = ("EventsApplied", "EventsRejected", "EventsDuplicate", "SwapsStored", "SwapsLost")
    return [metrics[name][0] for name in names]


@pytest.mark.parametrize("knows_by", ["a read", "a warm copy"])
def test_a_consumer_stopped_before_its_swap_loses_it_when_it_goes_on(
    started_with, variables, knows_by
):
    is_warm = knows_by == "a warm copy"
    halting = {HALT_AT_ROUND: str(1 + is_warm)}
    zombie = started_with("tests.integration.halting.lambda_handler", **halting)
    other = started_with("consumer.handler.lambda_handler")
    first = zombie if is_warm else other
    assert deliver(first, EARLIER) == [2, 0, 0, 2, 0]
    assert deliver(first, EARLIER) == [
        0,
        0,
        2,
        0,
        0,
    ]  # read: who creates is told no hash by Momento
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(deliver, zombie, CONTESTED, ITS_OWN)
        assert wait_until(lambda: zombie.pid and is_stopped(zombie.pid))
        assert deliver(other, CONTESTED, MEANWHILE)[:3] == [6, 0, 0]
        assert read_counts(COUNTERS, variables) == {"hits": 4, "seats": SEATS}
        os.kill(zombie.pid, signal.SIGCONT)
        # Both its swaps lose; decided anew, one of its own two events finds the seats taken.
        assert late.result() == [1, 1, 4, 2, 2]
    assert read_counts(COUNTERS, variables) == {"hits": 5, "seats": SEATS}
