"""A consumer on a table whose answers are lost, which throttles, and which deletes by itself."""

import contextlib
import json

import pytest

from consumer.batch import Consumer
from tally.counters.event import INT64_MAX
from tally.settling.copies import Copies
from tally.settling.progress import MAX_THROTTLED_TRIES
from tally.settling.rounds import Rounds
from tally.settling.writer import Writer
from tests.support.clock import Clock
from tests.support.dynamodb import SILENCE, Endpoint, asked_of, refusal
from tests.support.lambda_event import event, failures, increment, record
from tests.support.log import Log


class Way:
    """The way to a table, on which the next swaps meet what they are told; then it is free."""

    def __init__(self, table):
        self.table = table
        self.troubles = []
        self.targets = []

    def __call__(self, target, asked):
        self.targets.append(target)
        if target == "PutItem" and self.troubles:
            return self.troubles.pop(0)(lambda: asked_of(self.table, target, asked))
        return asked_of(self.table, target, asked)


def failed_before(_ask):
    """Nothing happens, and nobody knows."""
    return 500, b"{}"


def failed_after(ask):
    """It happens, and nobody knows."""
    ask()
    return 500, b"{}"


def never_answered(ask):
    """It happens, and there is silence."""
    ask()
    return SILENCE


def throttled(_ask):
    """It does not happen."""
    return refusal("ProvisionedThroughputExceededException")


@pytest.fixture
def way(table):
    return Way(table)


@pytest.fixture
def log():
    return Log()


def consumer(store, clock, log):
    rounds = Rounds(store, clock=clock, sleep=clock.sleep, uniform=lambda _low, high: high)
    return Consumer(Writer(rounds, Copies()), log.observer, INT64_MAX)


@pytest.fixture
def make(way):
    """Makes consumers of the table, by that way."""
    with Endpoint(way) as endpoint, contextlib.ExitStack() as made:

        def make(log):
            clock = Clock()
            store = endpoint.store(way.table.name, deadline_s=1.0, clock=clock)
            made.enter_context(contextlib.closing(store))
            return consumer(store, clock, log)

        yield make


@pytest.fixture
def deployed(make, log):
    return make(log)


def handle(deployed, *seqs):
    return deployed.handle(event(*[record(f"m{seq}", increment(seq)) for seq in seqs]), None)


def count(way):
    return way.table.item("page:home")["count"]["N"]


def metrics(capsys):
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    return {name: value[0] for name, value in told.items() if isinstance(value, list) and value[0]}


@pytest.mark.parametrize("trouble", [failed_before, failed_after, never_answered])
@pytest.mark.parametrize("warm", [False, True])
def test_a_swap_whose_answer_is_lost_counts_once(way, deployed, trouble, warm):
    if warm:
        handle(deployed, 0)
    way.troubles = [trouble]
    assert handle(deployed, 1, 2) == failures()
    assert count(way) == ("3" if warm else "2")
    assert handle(deployed, 2, 1) == failures()
    assert count(way) == ("3" if warm else "2")


def test_a_table_that_throttles_gives_messages_back_and_counts_them_later(
    way, deployed, log, capsys
):
    way.troubles = [throttled] * MAX_THROTTLED_TRIES
    assert handle(deployed, 0) == failures("m0")
    assert log.returned == [("m0", "throttled")]
    assert metrics(capsys)["StoreThrottled"] == MAX_THROTTLED_TRIES
    assert handle(deployed, 0) == failures()
    assert count(way) == "1"


def test_what_dynamodb_deletes_begins_a_new_life_and_is_told(way, deployed, log, capsys):
    handle(deployed, 0)
    way.table.delete("page:home")  # as its time to live does
    assert handle(deployed, 1) == failures()
    assert count(way) == "1"
    assert [line["action"] for line in log.lines] == ["swap_lost", "counter_vanished"]
    assert metrics(capsys)["CountersVanished"] == 1


def test_a_warm_consumer_does_not_read_and_who_loses_a_race_does_not_either(way, make, deployed):
    handle(deployed, 0)
    handle(deployed, 1)
    assert way.targets == ["BatchGetItem", "PutItem", "PutItem"]
    handle(make(Log()), 2)
    del way.targets[:]
    assert handle(deployed, 3) == failures()
    assert (way.targets, count(way)) == (["PutItem", "PutItem"], "4")
