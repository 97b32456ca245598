"""What a plan foretells is what the embedded server meters when the real consumer does it."""

import io
import random
from collections import Counter

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from benchmarks.speed.contention import PACE, contend
from consumer import wiring
from consumer.observability import Observer
from consumer.settings import ConsumerSettings
from tally.cli.plan.figures import Figures, lost_races
from tally.cli.plan.load import Load
from tests.support.consumers import store_of
from tests.support.lambda_event import SENT_AT_MS, event, record
from tests.support.momento import CACHE, raw_server

ALL_SETTLED: dict[str, list[object]] = {"batchItemFailures": []}
DAY_S = 86_400


class Metered:
    """Consumers of one server, each with its own warm copies, and what their batches cost."""

    def __init__(self, server, consumers=1):
        told = ConsumerSettings.from_environment(
            {"MOMENTO_LOCAL": server.endpoint, "MOMENTO_CACHE_NAME": CACHE}
        )
        quiet = Observer(
            Logger(service="plan", stream=io.StringIO(), level="ERROR"),
            EphemeralMetrics(service="plan", namespace="Tally"),
        )
        self.consumers = [
            wiring.build(told, observer=quiet, store=store_of(server)) for _ in range(consumers)
        ]
        self._server = server
        self._seqs: Counter[tuple[str, int]] = Counter()

    def handle(self, names, consumer=0, source=1, at=SENT_AT_MS):
        """One batch, a message of an increment for each name; what it cost, by call."""
        before = Counter(self._server.stats().operations)
        records = [record(f"m{n}", self._body(name, source, at)) for n, name in enumerate(names)]
        assert self.consumers[consumer].handle(event(*records), None) == ALL_SETTLED
        return Counter(self._server.stats().operations) - before

    def _body(self, name, source, at):
        seq = self._seqs[name, source]
        self._seqs[name, source] += 1
        return {"counter": name, "source": f"{source:016x}", "seq": seq, "at": at}


@pytest.fixture
def raw():
    with raw_server() as raw:
        yield raw


def names(counters):
    return [f"c{number}" for number in range(counters)]


def expected(**load):
    """The reads' and the swaps' operations of a batch as planned, without those of races."""
    plan = Figures(Load(**load))
    a_batch = plan.value_chunks / plan.batches_per_s
    return plan.reads_per_s * a_batch, 2 * plan.writes_per_s * a_batch


def test_a_warm_batch_costs_two_operations_a_counter_whatever_its_size(raw):
    metered = Metered(raw.server)
    for _ in range(2):  # created, then read for its hash
        metered.handle(names(20) * 5)
    reads, swaps = expected(events_per_s=5_000, counters=20, consumers=1)
    assert (reads, swaps) == (0, 40)
    assert metered.handle(names(20) * 50) == {"SetIfHash": swaps}
    assert metered.handle(names(20)) == {"SetIfHash": swaps}


def test_a_consumer_beside_others_costs_a_read_as_well(raw):
    metered = Metered(raw.server, consumers=2)
    metered.handle(names(20))
    reads, swaps = expected(events_per_s=10_000, counters=20, consumers=2)
    assert (reads, swaps) == (20, 40)
    assert metered.handle(names(20), consumer=1) == {"GetWithHash": reads, "SetIfHash": swaps}


@pytest.mark.parametrize("sources", [50, 100, 300])
def test_every_further_chunk_of_a_value_costs_as_much_again(raw, sources):
    metered = Metered(raw.server)
    spacing_ms = DAY_S // sources * 1_000
    for source in range(sources):
        at = SENT_AT_MS - (sources - 1 - source) * spacing_ms
        metered.handle(names(3), source=source, at=at)
    load = {"counters": 3, "consumers": 1, "sources": sources}
    told = Figures(Load(events_per_s=3 * sources / DAY_S, **load))
    operations = metered.handle(names(3), source=sources - 1)
    assert operations == {"SetIfHash": 3 * told.operations_per_s / told.writes_per_s}
    assert operations == {"SetIfHash": 3 * 2 * told.value_chunks}
    # The plan takes 19 digits of count, and this count has 2 or 3.
    assert 16 <= told.value_bytes - len(raw.get(b"c0")) <= 17


@pytest.mark.parametrize("hot_share", [0.0, 0.4])
def test_batches_drawn_at_random_cost_what_their_expected_counters_cost(raw, hot_share):
    draw = random.Random(1)
    metered = Metered(raw.server)
    for _ in range(2):
        metered.handle(names(50))
    batches = [_drawn(draw, hot_share, counters=50, events=100) for _ in range(60)]
    cost: Counter[str] = sum((metered.handle(batch) for batch in batches), Counter())
    load = {"events_per_s": 100, "counters": 50, "consumers": 1, "packed": 1}
    reads, swaps = expected(**load, hot_share=hot_share)
    assert (reads, cost["GetWithHash"]) == (0, 0)
    assert cost["SetIfHash"] / len(batches) == pytest.approx(swaps, rel=0.02)


def _drawn(draw, hot_share, counters, events):
    """Events of which this share is for one counter, and the others for any, it included."""
    numbers = (0 if draw.random() < hot_share else draw.randrange(counters) for _ in range(events))
    return [f"c{number}" for number in numbers]


@pytest.mark.parametrize("consumers", [2, 5])
def test_several_consumers_cost_a_read_each_within_a_tenth(raw, consumers):
    draw = random.Random(consumers)
    metered = Metered(raw.server, consumers)
    turns = [draw.randrange(consumers) for _ in range(80 * consumers)]
    operations = sum(metered.handle(names(1), turn).total() for turn in turns)
    planned = sum(expected(events_per_s=2_000 * consumers, counters=1, consumers=consumers))
    assert planned == 3
    # A copy that fits makes it 2; one that is missed makes it 5, and is tried ever less.
    assert planned <= operations / len(turns) <= 1.1 * planned


@pytest.mark.parametrize("consumers", [2, 4, 16])
@pytest.mark.parametrize("contention", [0.1, 0.25, 0.5])
def test_the_real_consumer_loses_as_many_races_as_planned(consumers, contention):
    open_s = PACE.round_trip_s + PACE.fold_s
    between_s = consumers * open_s / contention
    pause_s = between_s - open_s - PACE.round_trip_s  # a batch without a lost race
    told = contend(consumers, 1, duration_s=400 * between_s / consumers, pause_s=pause_s)
    lost = told.tried / told.stored - 1
    assert lost == pytest.approx(lost_races(consumers, open_s, between_s), abs=0.2)
