"""A writer of exactly-once counters, on a Momento in memory whose clock only calls move."""

import pytest

from tests.support.clock import Clock
from tests.support.consumers import Draws, make_writer
from tests.support.momento_channel import FakeChannel


@pytest.fixture
def channel():
    return FakeChannel(Clock())


@pytest.fixture
def draws():
    return Draws()


@pytest.fixture
def writer(channel, draws):
    return make_writer(channel, uniform=draws)
