"""Fixtures for pytest: `pytest_plugins = ["tally.testing.fixtures"]` in a conftest.py adds them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tally import testing
from tally.testing.counters import Counters

if TYPE_CHECKING:
    from tally.local.momento.server import MomentoServer

CACHE = "tally"
"""The name of the cache of `tally_momento`."""


@pytest.fixture
def tally_counters() -> Counters:
    """Counters without any process, new for each test."""
    return Counters()


@pytest.fixture
def tally_momento() -> Iterator["MomentoServer"]:
    """An embedded Momento server with an empty cache called CACHE; `endpoint` is its host:port.

    It needs tally-counters[read], and is imported when a test asks for it.
    """
    with testing.MomentoServer(caches=[CACHE]) as server:
        yield server
