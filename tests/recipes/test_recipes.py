"""The recipes in short runs: each fault does what it must to each, and ours stays exact."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.recipes.lineup import DURABLE, ON_CACHE, OURS, RECIPES
from benchmarks.recipes.recipes import plain
from benchmarks.recipes.run import run
from benchmarks.recipes.scenario import CONSUMERS, MAX_RECEIVES, Scenario, publish, rates
from tests.simulation.faults import Fault

INCREMENT, ARTICLE, SWAP, IDEMPOTENT, TALLY, ADD, TRANSACTION, ON_TABLE = range(8)
EVENTS = 300
EXACT = {"double": 0, "lost": 0, "wrong": 0, "oversold": 0, "dead": 0}


def wrongs(outcome):
    return {name: outcome.totals[name] for name in EXACT}


def test_ours_is_the_last_of_five_on_a_cache_and_of_three_on_a_table():
    assert list(ON_CACHE)[TALLY:] == [OURS]
    assert list(RECIPES)[ON_TABLE:] == [DURABLE]


@pytest.mark.parametrize("recipe", range(8))
def test_one_consumer_without_faults_is_exact(play, recipe):
    outcome = play(recipe, consumers=1, events=EVENTS)
    assert wrongs(outcome) == EXACT
    assert outcome.faults == {}
    assert outcome.totals["deliveries"] == EVENTS


@pytest.mark.parametrize("recipe", [INCREMENT, SWAP, IDEMPOTENT, TALLY, ADD, TRANSACTION, ON_TABLE])
def test_four_consumers_without_faults_are_exact(play, recipe):
    assert wrongs(play(recipe, events=EVENTS)) == EXACT


def test_the_article_loses_counts_without_any_fault(play):
    outcome = play(ARTICLE)
    assert outcome.totals["lost"] > 0
    assert wrongs(outcome) | {"lost": 0, "wrong": 0, "oversold": 0} == EXACT


@pytest.mark.parametrize(
    ("fault", "doubling"),
    [
        (Fault.REQUEST_LOST, [IDEMPOTENT]),  # it could not record its success, in four tries
        (Fault.ANSWER_LOST, [INCREMENT, ARTICLE, SWAP, IDEMPOTENT, ADD]),
        (Fault.ECHO, [INCREMENT, ARTICLE, SWAP, ADD]),
        (Fault.GHOST, [INCREMENT, ARTICLE, SWAP, ADD]),
        (Fault.DELETE_LOST, [INCREMENT, ARTICLE, SWAP, ADD]),
        (Fault.KILLED, [INCREMENT, ARTICLE, SWAP, IDEMPOTENT, ADD]),
    ],
)
def test_a_fault_alone_makes_doubles_of_just_these(play, fault, doubling):
    outcomes = [play(recipe, rates={fault: 0.3}, events=2 * EVENTS) for recipe in range(8)]
    assert all(outcome.faults[fault] for outcome in outcomes)
    assert [place for place, each in enumerate(outcomes) if each.totals["double"]] == doubling


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("recipe", [TALLY, TRANSACTION, ON_TABLE])
def test_ours_and_the_transaction_are_exact_at_every_rate(play, recipe, rate):
    outcome = play(recipe, rates=rates(rate), seed=2)
    assert wrongs(outcome) == EXACT
    assert outcome.faults.total() > 0


def test_all_faults_strike_at_their_rates_and_none_at_zero():
    assert rates(0.0) == {}
    assert rates(0.1) == {
        Fault.REQUEST_LOST: 0.05,
        Fault.ANSWER_LOST: 0.05,
        Fault.ECHO: 0.05,
        Fault.GHOST: 0.05,
        Fault.DELETE_LOST: 0.1,
        Fault.KILLED: 0.1,
    }


@pytest.mark.parametrize("recipe", range(8))
def test_a_seed_repeats_its_run(play, recipe):
    runs = [play(recipe, rates=rates(0.1), events=EVENTS) for _ in range(2)]
    assert runs[0] == runs[1]


def test_another_seed_is_another_run(play):
    runs = [play(INCREMENT, rates=rates(0.1), events=EVENTS, seed=seed) for seed in (1, 2)]
    assert runs[0] != runs[1]


def test_a_recipe_that_breaks_breaks_its_run():
    def broken(_environment):
        raise OSError("broken")

    with ThreadPoolExecutor(CONSUMERS) as executor, pytest.raises(OSError, match="broken"):
        run(broken, Scenario(1, {}, events=1), executor)


def test_who_is_killed_begins_anew():
    begun = []

    def recipe(environment):
        begun.append(environment)
        return plain(environment)

    with ThreadPoolExecutor(CONSUMERS) as executor:
        outcome = run(recipe, Scenario(1, {Fault.KILLED: 0.1}), executor)
    assert len(begun) == CONSUMERS + outcome.faults[Fault.KILLED]


@pytest.mark.parametrize("recipe", [INCREMENT, TALLY, TRANSACTION, ON_TABLE])
def test_who_is_killed_acknowledges_nothing_even_after_the_last_call(play, recipe):
    outcome = play(recipe, rates={Fault.KILLED: 1.0}, events=EVENTS)
    assert outcome.totals["deliveries"] == EVENTS * MAX_RECEIVES


def test_calls_are_counted(play):
    """By one consumer and without faults: a full counter is read, and that is all."""
    asked = Counter(
        (each.increment.counter, int(str(each.increment.max)))
        for each in publish(Scenario(1, {}, events=EVENTS).plan)
    )
    rejected = sum(max(0, times - bound) for (_, bound), times in asked.items())
    assert rejected == 32
    recipes = (INCREMENT, ARTICLE, SWAP, IDEMPOTENT)
    calls = [play(recipe, consumers=1, events=EVENTS).totals["calls"] for recipe in recipes]
    assert calls == [600 - rejected, 600, 600 - rejected, 1_200 - rejected]


def test_a_transaction_costs_four_units_and_a_record_an_event(play):
    """By one consumer and without faults, of EVENTS of which a full counter rejects 32."""
    totals = [play(recipe, consumers=1, events=EVENTS).totals for recipe in (ADD, TRANSACTION)]
    told = [[each[name] for name in ("calls", "units", "records")] for each in totals]
    assert told == [[EVENTS, EVENTS, 0], [EVENTS, 4 * EVENTS, EVENTS - 32]]


def test_transactions_that_meet_are_tried_again(play):
    totals = play(TRANSACTION, events=EVENTS).totals
    assert totals["calls"] > EVENTS
    assert totals["units"] == 4 * totals["calls"]


def test_ours_on_a_table_keeps_no_record_and_costs_less_than_half(play):
    totals = play(ON_TABLE, events=EVENTS).totals
    assert totals["records"] == 0
    assert 0 < totals["units"] < 2 * EVENTS


def test_powertools_keeps_a_record_an_event(play):
    assert play(IDEMPOTENT, consumers=1, events=EVENTS).totals["records"] == EVENTS
