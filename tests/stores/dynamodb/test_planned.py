"""What `tally plan --durable` foretells is what the store bills when the real consumer counts."""

import contextlib
from collections import Counter

import pytest

from consumer import wiring
from consumer.settings import ConsumerSettings
from tally.cli.plan.bill import MONTH_S, bill
from tally.cli.plan.figures import Figures
from tally.cli.plan.limits import limits, misfits, notes
from tally.cli.plan.load import Load
from tally.cli.plan.terms import INDEX_BYTES, NAME_BYTES, TABLE
from tally.stores.dynamodb.items import OWN_BYTES, Items
from tests.support.clock import Clock
from tests.support.lambda_event import event, failures, increment, record
from tests.support.switching import COUNTERS

EVENTS = 4


class Metered:
    """A consumer of a table, and what its batches cost."""

    def __init__(self, told, store):
        settings = ConsumerSettings.from_environment(told)
        self._store = store
        self._deployed = wiring.build(settings, observer=wiring.observer({}), store=store)
        self._seqs: Counter[str] = Counter()

    def batch(self, source):
        """The write and the read units of a batch of EVENTS for each counter."""
        before = self._store.usage.operations, self._store.usage.reads
        records: list[dict[str, object]] = []
        for counter in COUNTERS * EVENTS:
            self._seqs[counter] += 1
            body = increment(self._seqs[counter], counter) | {"source": f"{source:016x}"}
            records.append(record(f"m{len(records)}", body))
        assert self._deployed.handle(event(*records), None) == failures()
        operations = self._store.usage.operations - before[0]
        reads = self._store.usage.reads - before[1]
        return operations - reads, reads


def planned(**load):
    """The same as planned, without what lost races add."""
    counters = len(COUNTERS)
    figures = Figures(
        Load(durable=True, counters=counters, packed=1_000, sources=1, round_trip_ms=0, **load)
    )
    writes = figures.write_units_per_s / (figures.writes_per_s + figures.lost_races_per_s)
    reads = figures.read_units_per_s and figures.read_units_per_s / figures.reads_per_s
    return writes * counters, reads * counters


def test_a_warm_batch_is_a_write_unit_a_counter_and_a_cold_one_a_read_unit_more(told, table):
    with contextlib.closing(table.store()) as first, contextlib.closing(table.store()) as second:
        alone, other = Metered(told, first), Metered(told, second)
        alone.batch(1)
        assert alone.batch(1) == planned(consumers=1) == (5, 0)
        assert other.batch(2) == planned(consumers=2) == (5, 5)


@pytest.mark.parametrize("value_bytes", [1, 949, 950, 951, 1_973, 1_974, 1_975, 4_022, 4_023])
def test_units_are_those_that_the_store_counts(value_bytes):
    counter, value, items = "c" * NAME_BYTES, b"v" * value_bytes, Items("counters", None, Clock())
    assert TABLE.write_units(value_bytes) == items.write_units(counter, value)
    assert TABLE.read_units(value_bytes) == items.read_units(counter, value)
    assert TABLE.stored_bytes == OWN_BYTES + NAME_BYTES + INDEX_BYTES


def test_a_hot_counter_gets_a_thousand_write_units_a_second():
    load = Load(durable=True, events_per_s=1_000, counters=1, packed=1, window_s=0, batch_size=1)
    [hottest] = [each for each in limits(Figures(load)) if each.name == "hottest counter"]
    assert (hottest.limit, hottest.unit) == (1_000, "write units/s")
    assert hottest.value == pytest.approx(Figures(load).write_units_per_s)
    assert "hottest counter" in {each.name for each in misfits(Figures(load))}


def test_the_bill_has_units_and_storage_and_nothing_of_momento():
    figures = Figures(Load(durable=True))
    lines = {(line.service, line.what): line for line in bill(figures)}
    assert {service for service, _ in lines} == {"SQS", "Lambda", "DynamoDB", "CloudWatch"}
    units = figures.write_units_per_s * MONTH_S
    assert lines["DynamoDB", "write units"].usd == pytest.approx(units * 0.625 / 1_000_000)
    stored = 5 * (figures.value_bytes + TABLE.stored_bytes) / 1_073_741_824
    assert lines["DynamoDB", "GB stored"].units == pytest.approx(stored)
    assert lines["DynamoDB", "GB to recover"].units == pytest.approx(stored)


def test_what_a_new_table_gives_and_what_a_cache_takes_is_noted():
    many = Figures(Load(durable=True, events_per_s=100_000, counters=20_000, packed=100))
    assert [note[:7] for note in notes(many)] == ["A new t", "A cache", "If all "]
    assert [note[:7] for note in notes(Figures(Load(durable=True)))] == ["A cache"]
