"""Runs of the recipes, short and always the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.recipes.lineup import RECIPES
from benchmarks.recipes.run import run
from benchmarks.recipes.scenario import CONSUMERS, Scenario


@pytest.fixture(scope="session")
def play():
    """Plays a recipe, by its place in the table, and gives what is not 0, or a part of it."""
    with ThreadPoolExecutor(CONSUMERS) as executor:

        def play(place, *, rates=(), seed=1, **scenario):
            recipe = list(RECIPES.values())[place]
            return run(recipe, Scenario(seed, dict(rates), **scenario), executor)

        yield play
