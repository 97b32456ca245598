"""The formulas of a plan: known cases worked out by hand, and what must hold for any load."""

import dataclasses
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tally.cli.plan.bill import bill, total_usd
from tally.cli.plan.figures import Figures
from tally.cli.plan.load import IdentityForm, Load, Prices
from tally.cli.plan.report import as_json

LOADS = st.builds(
    Load,
    events_per_s=st.floats(0.01, 1e6),
    counters=st.integers(1, 100_000),
    hot_share=st.sampled_from([0.0, 0.2, 1.0]),
    sources=st.integers(1, 200_000),
    gaps=st.integers(0, 5),
    identity=st.sampled_from(IdentityForm),
    packed=st.integers(1, 700),
    batch_size=st.integers(1, 10_000),
    window_s=st.integers(1, 300),
    consumers=st.integers(1, 1_000),
    memory_mb=st.sampled_from([128, 512, 1_769, 10_240]),
    round_trip_ms=st.floats(0.1, 100),
    durable=st.booleans(),
)
ROUNDING = 1 + 1e-9


def changed(load, **fields):
    return dataclasses.replace(load, **fields)


def operations(load):
    return Figures(load).operations_per_s


def distinct(counters, events):
    load = Load(counters=counters, events_per_s=events, packed=1, consumers=1)
    return Figures(load).counters


@pytest.mark.parametrize(
    ("window_s", "busy_s", "quiet_s"), [(0, 0, 0), (1, 1, 20), (30, 30, 30), (60, 60, 60)]
)
def test_with_little_traffic_lambda_may_wait_longer_than_a_short_window(window_s, busy_s, quiet_s):
    figures = Figures(Load(window_s=window_s, batch_size=10))
    assert figures.until_counted_s - figures.duration_s == pytest.approx(busy_s)
    assert figures.until_counted_quietly_s - figures.duration_s == pytest.approx(quiet_s)


def test_a_load_worked_out_by_hand():
    load = Load(events_per_s=4_000, counters=10, packed=10, consumers=4, round_trip_ms=0)
    told = as_json(Figures(load))["figures"]["batches"]
    assert told.pop("counters") == pytest.approx(10)
    assert told == {
        "messages_per_s": 400,
        "message_bytes": 1_011,  # ten of 100 bytes, nine commas, two brackets
        "batches_per_s": 4,
        "messages": 100,
        "events": 1_000,
        "between_s": 1,
        "most_messages": 1_000,
        "in_flight": 400 + 400 * Figures(load).duration_s,  # a batch each, and what is worked on
        "in_flight_failing": 400 * (6 * 30 + 1),
    }


def test_a_batch_is_full_before_its_window_ends():
    figures = Figures(Load(events_per_s=10_000, packed=1, consumers=2))
    assert (figures.messages, figures.batches_per_s, figures.between_s) == (1_000, 10, 0.2)


def test_a_batch_has_a_message_however_rare_they_are():
    figures = Figures(Load(events_per_s=0.1, packed=1))
    assert (figures.messages, figures.batches_per_s) == (1, 0.1)


def test_a_batch_of_long_messages_ends_at_what_an_event_may_hold():
    figures = Figures(Load(events_per_s=1e6, packed=640, window_s=60))
    assert (figures.message_bytes, figures.most_messages) == (64_641, 83)


@pytest.mark.parametrize(("counters", "events"), [(1, 7), (2, 3), (50, 100), (1_000, 10)])
def test_different_counters_of_a_batch_are_as_many_as_draws_make(counters, events):
    draw = random.Random(1)
    draws = [{draw.randrange(counters) for _ in range(events)} for _ in range(4_000)]
    mean = sum(map(len, draws)) / len(draws)
    assert distinct(counters, events) == pytest.approx(mean, rel=0.01)


def test_a_hot_counter_is_in_every_batch_and_the_others_share_the_rest():
    load = Load(counters=101, hot_share=0.9, events_per_s=100, packed=1, consumers=1)
    rest = 100 * (1 - (1 - 0.1 / 101) ** 100)
    assert Figures(load).counters == pytest.approx(1 + rest)


def test_named_increments_are_a_source_each_for_a_day():
    load = Load(events_per_s=1 / 864, counters=1, identity=IdentityForm.NAMED)
    native = Load(events_per_s=1 / 864, counters=1, sources=100)
    assert Figures(load).value_bytes == Figures(native).value_bytes


def test_copies_of_a_single_consumer_save_the_reads_they_have_room_for():
    load = Load(events_per_s=1e5, counters=40_000, consumers=1)
    figures = Figures(load)
    assert figures.reads_per_s / figures.writes_per_s == pytest.approx(3 / 4)


def test_a_lost_race_is_a_chance_of_each_try():
    load = Load(events_per_s=1e4, counters=1, consumers=5, round_trip_ms=40, memory_mb=1_769)
    figures = Figures(load)
    open_s = 0.04 + figures.fold_s
    assert figures.contention == pytest.approx(5 * open_s)
    chance = 4 * open_s
    assert figures.lost_races_per_s == pytest.approx(5 * chance / (1 - chance))


@given(LOADS, st.floats(1, 100))
def test_more_events_never_cost_fewer_operations_or_less_money(load, times):
    more = changed(load, events_per_s=load.events_per_s * times)
    assert operations(load) <= operations(more) * ROUNDING
    assert cost(load) <= cost(more) * ROUNDING


def cost(load):
    return total_usd(bill(Figures(load)))


@given(LOADS, st.integers(1, 299))
def test_a_longer_window_never_costs_a_single_consumer_more(load, longer_s):
    load = changed(load, consumers=1)
    assume(load.window_s + longer_s <= 300)
    later = changed(load, window_s=load.window_s + longer_s)
    assert operations(later) <= operations(load) * ROUNDING


@given(LOADS, st.integers(2, 20))
def test_more_consumers_never_cost_fewer_operations(load, times):
    more = changed(load, consumers=load.consumers * times)
    assert operations(load) <= operations(more) * ROUNDING


@given(LOADS, st.integers(1, 100))
def test_more_sources_never_make_a_value_shorter(load, times):
    more = changed(load, sources=load.sources * times)
    short, long = Figures(load), Figures(more)
    assert short.value_bytes <= long.value_bytes


@given(LOADS)
def test_figures_belong_together(load):
    figures = Figures(load)
    most = min(load.counters, figures.events)
    assert 1 <= figures.messages <= figures.most_messages <= load.batch_size
    assert figures.messages * figures.batches_per_s == pytest.approx(figures.messages_per_s)
    assert 0 < figures.counters <= most * ROUNDING
    assert 2 * figures.writes_per_s <= figures.operations_per_s * ROUNDING
    assert figures.reads_per_s <= figures.writes_per_s
    assert 1 <= figures.value_chunks <= 1_024
    assert 0 < figures.fold_s < figures.duration_s <= figures.longest_s * ROUNDING


@given(LOADS)
def test_twice_the_price_is_twice_the_money(load):
    given_prices = Prices(momento_million_operations=1.5)
    doubled = {name: 2 * usd for name, usd in vars(given_prices).items()}
    single = total_usd(bill(Figures(changed(load, prices=given_prices))))
    double = total_usd(bill(Figures(changed(load, prices=Prices(**doubled)))))
    assert double == pytest.approx(2 * single)
