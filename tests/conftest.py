"""What all tests share: order and coverage, examples, the answer to Ctrl-C, who was started."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.processes import children

settings.register_profile("tally", derandomize=True, deadline=None, database=None)
settings.load_profile("tally")

TESTS = Path(__file__).parent
SLOW_FIRST = ("cli/test_demo.py", "integration/test_storm.py", "simulation/test_simulation.py")
"""What waits longest begins first: else the last core would run one of them while others rest."""

HUNTS = {"fuzz", "integration", "recipes", "simulation"}
"""Folders that repeat a few lines by the million. Other tests cover those lines, and to count each
pass would take more time than the tests."""


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(items):
    """Begin with the slow files, and measure no coverage of the hunts."""
    places = {item: item.path.relative_to(TESTS) for item in items}
    for item, place in places.items():
        if place.parts[0] in HUNTS:
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: places[item].as_posix() not in SLOW_FIRST)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c():
    """Python's own: a shell has what it starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def started():
    """The children that this process has and had not before the test: some outlive other tests."""
    before = children(os.getpid())
    return lambda: {
        pid: command for pid, command in children(os.getpid()).items() if pid not in before
    }
